package posthaste;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Records of every kind, and whether two topics hold the same. */
final class Records {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final long FIRST_TIME_MS = System.currentTimeMillis() - 3_600_000;

    private Records() {}

    /** Sends records by number, a fifth of them in each codec; some have no key, no value, or headers of one name. */
    static void send(String bootstrap, String topic, int from, int to) throws Exception {
        for (int turn = 0; turn < CODECS.size(); turn++) {
            List<Future<?>> sent = new ArrayList<>();
            Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "compression.type", CODECS.get(turn));
            try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
                for (int number = from + turn; number < to; number += CODECS.size()) {
                    sent.add(producer.send(record(topic, number)));
                }
            }
            for (Future<?> one : sent) {
                one.get();
            }
        }
    }

    /** Goes on sending until standard input ends, then tells how many records were sent and acknowledged. */
    static void sendUntilTold(String bootstrap, String topic) throws Exception {
        CompletableFuture<Integer> told = CompletableFuture.supplyAsync(() -> {
            try {
                return System.in.read();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        });
        int count = 0;
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new ByteArraySerializer(), new ByteArraySerializer())) {
            while (!told.isDone()) {
                List<Future<?>> sent = new ArrayList<>();
                for (int end = count + 20; count < end; count++) {
                    sent.add(producer.send(record(topic, count)));
                }
                for (Future<?> one : sent) {
                    one.get();
                }
                Thread.sleep(10);
            }
        }
        System.out.println(count);
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int number) {
        byte[] key = number % 7 == 0 ? null : ("key " + number).getBytes(UTF_8);
        byte[] value = number % 11 == 0 ? null : ("value " + number + " " + "x".repeat(number % 300)).getBytes(UTF_8);
        var record = new ProducerRecord<>(topic, null, FIRST_TIME_MS + number, key, value);
        if (number % 3 == 0) {
            record.headers().add("name", ("first " + number).getBytes(UTF_8)).add("name", null).add("", new byte[0]);
        }
        return record;
    }

    /** Waits until the target's topic holds as many committed records as the source's; then each partition has the same in the same order. */
    static void expectSame(String source, String target, String topic, String mirror, int count) {
        var wanted = read(source, topic, count);
        var got = read(target, mirror, count);
        if (number(wanted) != count) {
            throw new AssertionError("the source has " + number(wanted) + " records, not " + count);
        }
        wanted.forEach((partition, records) -> {
            List<String> others = got.getOrDefault(partition, List.of());
            for (int at = 0; at < Math.max(records.size(), others.size()); at++) {
                String one = at < records.size() ? records.get(at) : null;
                String other = at < others.size() ? others.get(at) : null;
                if (one == null || !one.equals(other)) {
                    throw new AssertionError("partition " + partition + " of " + mirror + ", record " + at + ": " + other + " instead of " + one);
                }
            }
        });
    }

    private static int number(Map<Integer, List<String>> records) {
        return records.values().stream().mapToInt(List::size).sum();
    }

    /** What is committed, by partition, once there are this many records, and what a last poll still brings. */
    static Map<Integer, List<String>> read(String bootstrap, String topic, int count) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed",
                "auto.offset.reset", "earliest", "metadata.max.age.ms", 500, "allow.auto.create.topics", false);
        Map<Integer, List<String>> records = new TreeMap<>();
        long deadline = System.nanoTime() + Until.PATIENCE_SECONDS * 1_000_000_000;
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            boolean isEnough = false;
            while (true) {
                // The topic, and some of its partitions, may come later; what is assigned again keeps its position.
                List<PartitionInfo> partitions = consumer.partitionsFor(topic);
                consumer.assign(partitions == null ? List.of()
                        : partitions.stream().map(one -> new TopicPartition(topic, one.partition())).toList());
                for (var record : consumer.assignment().isEmpty() ? List.<ConsumerRecord<byte[], byte[]>>of() : consumer.poll(Duration.ofMillis(500))) {
                    records.computeIfAbsent(record.partition(), any -> new ArrayList<>()).add(text(record));
                }
                if (isEnough) {
                    return records;
                }
                isEnough = number(records) >= count;
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("only " + number(records) + " of " + count + " records of " + topic + " in time");
                }
            }
        }
    }

    private static String text(ConsumerRecord<byte[], byte[]> record) {
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            headers.add(header.key() + "=" + Arrays.toString(header.value()));
        }
        return record.timestamp() + " " + text(record.key()) + " " + text(record.value()) + " " + headers;
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "null" : "'" + new String(bytes, UTF_8) + "'";
    }
}
