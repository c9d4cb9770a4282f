package posthaste;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Lines for the application to count, and what it must make of them. Line n has the words w(n % 7), w(n % 11) and w(n % 50). */
final class Lines {
    private static final Duration WAIT = Duration.ofSeconds(100);

    private Lines() {}

    static void create(String bootstrap, String name) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<NewTopic> topics = List.of(new NewTopic(name, Optional.of(3), Optional.empty()),
                    new NewTopic(name + "-counts", Optional.of(2), Optional.empty()));
            admin.createTopics(topics).all().get(WAIT.toSeconds(), TimeUnit.SECONDS);
        }
    }

    static void send(String bootstrap, String name, int from, int to) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            for (int line = from; line < to; line++) {
                sent.add(producer.send(new ProducerRecord<>(name, "" + line, String.join(" ", words(line)))));
            }
        }
        for (Future<RecordMetadata> one : sent) {
            one.get(WAIT.toSeconds(), TimeUnit.SECONDS);
        }
    }

    /** Goes on sending until standard input ends, then tells how many lines were sent and acknowledged. */
    static void sendUntilTold(String bootstrap, String name) throws Exception {
        CompletableFuture<Integer> told = CompletableFuture.supplyAsync(() -> {
            try {
                return System.in.read();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        });
        int sent = 0;
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            while (!told.isDone()) {
                List<Future<RecordMetadata>> some = new ArrayList<>();
                for (int count = 0; count < 20; count++, sent++) {
                    some.add(producer.send(new ProducerRecord<>(name, "" + sent, String.join(" ", words(sent)))));
                }
                for (Future<RecordMetadata> one : some) {
                    one.get(WAIT.toSeconds(), TimeUnit.SECONDS);
                }
                Thread.sleep(5);
            }
        }
        System.out.println(sent);
    }

    private static List<String> words(int line) {
        return List.of("w" + line % 7, "w" + line % 11, "w" + line % 50);
    }

    /** Waits for at least this many committed counts, whatever they are. */
    static void expectSome(String bootstrap, String name, int count) {
        read(bootstrap, name, counts -> number(counts) >= count);
    }

    /** The counts of every word, as committed, are 1, 2, 3 and so on up to the number of its occurrences. */
    static void expectEveryStep(String bootstrap, String name, int lines) {
        Map<String, List<Long>> wanted = new TreeMap<>();
        for (int line = 0; line < lines; line++) {
            for (String word : words(line)) {
                List<Long> steps = wanted.computeIfAbsent(word, any -> new ArrayList<>());
                steps.add(steps.size() + 1L);
            }
        }
        Map<String, List<Long>> got = read(bootstrap, name, counts -> number(counts) >= number(wanted));
        if (!got.equals(wanted)) {
            wanted.forEach((word, steps) -> {
                if (!steps.equals(got.get(word))) {
                    System.err.println(word + ": wanted 1.." + steps.size() + ", got " + got.get(word));
                }
            });
            throw new AssertionError("the counts are not exact");
        }
    }

    private static int number(Map<String, List<Long>> counts) {
        return counts.values().stream().mapToInt(List::size).sum();
    }

    private interface Enough {
        boolean is(Map<String, List<Long>> counts);
    }

    /** Reads committed counts from the start until they are enough, and then what a last poll still brings. */
    private static Map<String, List<Long>> read(String bootstrap, String name, Enough enough) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
        Map<String, List<Long>> counts = new TreeMap<>();
        long deadline = System.nanoTime() + WAIT.toNanos();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new LongDeserializer())) {
            var partitions = consumer.partitionsFor(name + "-counts").stream()
                    .map(one -> new TopicPartition(one.topic(), one.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            boolean isEnough = false;
            while (true) {
                var records = consumer.poll(Duration.ofMillis(500));
                for (ConsumerRecord<String, Long> record : records) {
                    counts.computeIfAbsent(record.key(), any -> new ArrayList<>()).add(record.value());
                }
                if (isEnough) {
                    return counts;
                }
                isEnough = enough.is(counts);
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("only " + number(counts) + " counts in time");
                }
            }
        }
    }
}
