package posthaste;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Clients of the broker under test, with defaults untouched unless a scenario says otherwise; send, read, wait, check. */
record Session(String bootstrap, String topic) {
    static final Duration WAIT = Duration.ofSeconds(30);

    Producer<byte[], byte[]> producer(Map<String, Object> settings) {
        return new KafkaProducer<>(with(settings), new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** A member of the topic's own group. It reads from the start and notices a rebalance soon. */
    Consumer<byte[], byte[]> consumer(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("group.id", topic + "-group", "auto.offset.reset", "earliest",
                "enable.auto.commit", false, "heartbeat.interval.ms", 200));
        all.putAll(settings);
        if ("consumer".equals(settings.get("group.protocol"))) {
            // The broker says how often a member of the new protocol speaks.
            all.remove("heartbeat.interval.ms");
        }
        return new KafkaConsumer<>(with(all), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    Admin admin() {
        return Admin.create(with(Map.of()));
    }

    private Map<String, Object> with(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", bootstrap);
        return all;
    }

    void create(int partitions) throws Exception {
        try (Admin admin = admin()) {
            get(admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()))).all());
        }
    }

    /** Sends the numbers of a range as values to one partition; what was acknowledged, in order. */
    List<RecordMetadata> sendNumbers(int from, int to, int partition) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<byte[], byte[]> producer = producer(Map.of())) {
            for (int number = from; number < to; number++) {
                sent.add(producer.send(new ProducerRecord<>(topic, partition, null, bytes("" + number))));
            }
        }
        List<RecordMetadata> acknowledged = new ArrayList<>();
        for (Future<RecordMetadata> one : sent) {
            acknowledged.add(get(one));
        }
        return acknowledged;
    }

    List<ConsumerRecord<byte[], byte[]>> read(Consumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (records.size() < count) {
            check(System.nanoTime() < deadline, records.size() + " of " + count + " records in time");
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
        }
        return records;
    }

    /** Everything in one partition, from its start, without a group's offsets. */
    List<ConsumerRecord<byte[], byte[]>> readPartition(int partition, int count) {
        try (Consumer<byte[], byte[]> consumer = consumer(Map.of())) {
            consumer.assign(List.of(at(partition)));
            consumer.seekToBeginning(List.of(at(partition)));
            return read(consumer, count);
        }
    }

    TopicPartition at(int partition) {
        return new TopicPartition(topic, partition);
    }

    static <T> T get(Future<T> future) throws Exception {
        return future.get(WAIT.toSeconds(), TimeUnit.SECONDS);
    }

    /** The exception that a call fails with. */
    static Throwable failure(Future<?> future) throws Exception {
        try {
            Object outcome = get(future);
            throw new AssertionError("expected a failure, got " + outcome);
        } catch (ExecutionException error) {
            return error.getCause();
        }
    }

    static void until(BooleanSupplier condition, String what) {
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (!condition.getAsBoolean()) {
            check(System.nanoTime() < deadline, what);
        }
    }

    static void check(boolean claim, String what) {
        if (!claim) {
            throw new AssertionError("false: " + what);
        }
    }

    static void same(Object got, Object wanted) {
        check(wanted.equals(got), "wanted " + wanted + ", got " + got);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] value) {
        return value == null ? null : new String(value, StandardCharsets.UTF_8);
    }

    static int number(ConsumerRecord<byte[], byte[]> record) {
        return Integer.parseInt(text(record.value()));
    }
}
