package posthaste;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The claims of harness/programs.py, in calls that every version since 2.0 has: {@code Claims CLAIM BOOTSTRAP TOPIC GROUP}. */
public final class Claims {
    private static final long PATIENCE_MS = 60_000;
    private static final long BASE_MS = 1_700_000_000_000L;

    private final String bootstrap;
    private final String topic;
    private final String group;

    private Claims(String bootstrap, String topic, String group) {
        this.bootstrap = bootstrap;
        this.topic = topic;
        this.group = group;
    }

    public static void main(String[] words) throws Exception {
        Claims claims = new Claims(words[1], words[2], words[3]);
        switch (words[0]) {
            case "records_of_every_kind_come_back" -> claims.recordsOfEveryKind();
            case "a_group_of_two_shares_a_topic_and_one_takes_over" -> claims.groupOfTwo();
            case "readers_seek_pause_and_find_offsets_by_time" -> claims.seekPauseAndTimes();
            case "topics_are_made_described_enlarged_and_deleted" -> claims.topics();
            case "only_what_was_committed_is_read" -> claims.transactions();
            case "a_restart_loses_and_repeats_nothing" -> claims.restart();
            default -> throw new IllegalArgumentException("no claim " + words[0]);
        }
        // A client that was not closed keeps no process alive.
        System.exit(0);
    }

    private void recordsOfEveryKind() throws Exception {
        create(1);
        boolean zstd = Arrays.stream(org.apache.kafka.common.record.CompressionType.values()).anyMatch(one -> one.name.equals("zstd"));
        List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            if (codec.equals("zstd") && !zstd) {
                continue;
            }
            try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("compression.type", codec, "linger.ms", 20))) {
                List<Future<RecordMetadata>> acknowledged = new ArrayList<>();
                int begin = sent.size();
                for (int number = 0; number < 200; number++) {
                    byte[] key = number % 3 == 0 ? null : bytes(codec + number);
                    byte[] value = number % 5 == 1 ? null : bytes("value ".repeat(number));
                    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, 0, BASE_MS + number, key, value);
                    record.headers().add("a", bytes("1")).add("b", null).add("a", bytes("2"));
                    sent.add(record);
                    acknowledged.add(producer.send(record));
                }
                for (int number = 0; number < 200; number++) {
                    same(get(acknowledged.get(number)).offset(), (long) begin + number);
                }
            }
        }
        try (KafkaConsumer<byte[], byte[]> reader = reader()) {
            List<ConsumerRecord<byte[], byte[]>> got = read(reader, sent.size());
            for (int at = 0; at < sent.size(); at++) {
                check(Arrays.equals(got.get(at).key(), sent.get(at).key()), "key " + at);
                check(Arrays.equals(got.get(at).value(), sent.get(at).value()), "value " + at);
                same(got.get(at).timestamp(), sent.get(at).timestamp());
                same(got.get(at).headers(), sent.get(at).headers());
            }
        }
    }

    private void groupOfTwo() throws Exception {
        create(4);
        try (KafkaConsumer<byte[], byte[]> first = consumer(Map.of()); KafkaConsumer<byte[], byte[]> second = consumer(Map.of())) {
            List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
            first.subscribe(List.of(topic));
            second.subscribe(List.of(topic));
            Callable<Boolean> shared = () -> {
                first.poll(Duration.ofMillis(50)).forEach(got::add);
                second.poll(Duration.ofMillis(50)).forEach(got::add);
                return first.assignment().size() == 2 && second.assignment().size() == 2;
            };
            until("two partitions each", shared);
            send(0, 400, 4);
            until("all records", () -> shared.call() && got.size() >= 400);
            first.commitSync();
            second.commitSync();
            first.close();
            until("the other takes over", () -> {
                second.poll(Duration.ofMillis(50)).forEach(got::add);
                return second.assignment().size() == 4;
            });
            send(400, 500, 4);
            until("the rest", () -> {
                second.poll(Duration.ofMillis(50)).forEach(got::add);
                return got.size() >= 500;
            });
            Set<String> values = new HashSet<>();
            got.forEach(one -> values.add(text(one)));
            same(values.size(), 500);
            same(got.size(), 500);
            second.commitSync();
        }
        try (AdminClient admin = admin()) {
            long sum = get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).values().stream()
                    .mapToLong(OffsetAndMetadata::offset).sum();
            same(sum, 500L);
            same(get(admin.describeConsumerGroups(List.of(group)).all()).get(group).members().size(), 0);
            check(get(admin.listConsumerGroups().all()).stream().anyMatch(one -> one.groupId().equals(group)), "the group is listed");
            get(admin.deleteConsumerGroups(List.of(group)).all());
        }
    }

    private void seekPauseAndTimes() throws Exception {
        create(1);
        TopicPartition only = new TopicPartition(topic, 0);
        send(0, 100, 1);
        try (KafkaConsumer<byte[], byte[]> reader = reader()) {
            same(reader.offsetsForTimes(Map.of(only, BASE_MS + 41_500)).get(only).offset(), 42L);
            same(reader.beginningOffsets(List.of(only)).get(only), 0L);
            same(reader.endOffsets(List.of(only)).get(only), 100L);
            read(reader, 100);
            reader.pause(List.of(only));
            send(100, 105, 1);
            check(reader.poll(Duration.ofMillis(500)).isEmpty(), "a paused partition gives nothing");
            reader.resume(List.of(only));
            same(text(read(reader, 5).get(0)), "100");
            reader.seek(only, 90);
            same(text(read(reader, 15).get(0)), "90");
            reader.seekToEnd(List.of(only));
            same(reader.position(only), 105L);
        }
    }

    private void topics() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try (AdminClient admin = admin()) {
            get(admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "3600000")))).all());
            same(partitions(admin), 2);
            same(get(admin.describeConfigs(List.of(resource)).all()).get(resource).get("retention.ms").value(), "3600000");
            get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all());
            until("three partitions", () -> partitions(admin) == 3);
            send(0, 30, 3);
            TopicPartition first = new TopicPartition(topic, 0);
            same(get(admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(first)).lowWatermark(), 4L);
            check(!get(admin.describeCluster().clusterId()).isEmpty(), "the cluster has an id");
            int node = get(admin.describeCluster().controller()).id();
            check(!get(admin.describeLogDirs(List.of(node)).all()).isEmpty(), "the node has a log directory");
            get(admin.deleteTopics(List.of(topic)).all());
            until("deleted", () -> !get(admin.listTopics().names()).contains(topic));
        }
    }

    private int partitions(AdminClient admin) throws Exception {
        return get(admin.describeTopics(List.of(topic)).all()).get(topic).partitions().size();
    }

    private void transactions() throws Exception {
        create(1);
        TopicPartition only = new TopicPartition(topic, 0);
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("transactional.id", topic + "-id"))) {
            producer.initTransactions();
            for (String outcome : List.of("aborted", "committed", "aborted", "committed")) {
                producer.beginTransaction();
                for (int number = 0; number < 10; number++) {
                    producer.send(new ProducerRecord<>(topic, 0, null, bytes(outcome)));
                }
                if (outcome.equals("aborted")) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.sendOffsetsToTransaction(Collections.singletonMap(only, new OffsetAndMetadata(7)), group);
                    producer.commitTransaction();
                }
            }
        }
        try (KafkaConsumer<byte[], byte[]> reader = consumer(Map.of("isolation.level", "read_committed"))) {
            reader.assign(List.of(only));
            reader.seekToBeginning(List.of(only));
            read(reader, 20).forEach(one -> same(text(one), "committed"));
            check(reader.poll(Duration.ofMillis(300)).isEmpty(), "nothing but the committed");
            same(reader.committed(only).offset(), 7L);
        }
    }

    private void restart() throws Exception {
        create(1);
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("enable.idempotence", true, "acks", "all"))) {
            List<Future<RecordMetadata>> acknowledged = new ArrayList<>();
            for (int number = 0; number < 4_000; number++) {
                acknowledged.add(producer.send(new ProducerRecord<>(topic, 0, null, bytes("" + number))));
                if (number == 2_000) {
                    get(acknowledged.get(1_000));
                    System.out.println("half");
                    System.out.flush();
                }
                if (number > 2_000) {
                    Thread.sleep(1);
                }
            }
            for (Future<RecordMetadata> one : acknowledged) {
                get(one);
            }
        }
        try (KafkaConsumer<byte[], byte[]> reader = reader()) {
            List<ConsumerRecord<byte[], byte[]>> got = read(reader, 4_000);
            for (int number = 0; number < 4_000; number++) {
                same(text(got.get(number)), "" + number);
            }
            check(reader.poll(Duration.ofMillis(300)).isEmpty(), "nothing twice");
        }
    }

    private void create(int partitions) throws Exception {
        try (AdminClient admin = admin()) {
            get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all());
        }
    }

    /** Numbers as values, a second apart, in turn over the partitions. */
    private void send(int from, int to, int partitions) throws Exception {
        List<Future<RecordMetadata>> acknowledged = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            for (int number = from; number < to; number++) {
                acknowledged.add(producer.send(
                        new ProducerRecord<>(topic, number % partitions, BASE_MS + number * 1_000L, null, bytes("" + number))));
            }
        }
        for (Future<RecordMetadata> one : acknowledged) {
            get(one);
        }
    }

    private List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, int count) throws Exception {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        until(count + " records", () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(got::add);
            return got.size() >= count;
        });
        same(got.size(), count);
        return got;
    }

    private KafkaConsumer<byte[], byte[]> reader() {
        KafkaConsumer<byte[], byte[]> reader = consumer(Map.of());
        Collection<TopicPartition> only = List.of(new TopicPartition(topic, 0));
        reader.assign(only);
        reader.seekToBeginning(only);
        return reader;
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
                "enable.auto.commit", false, "heartbeat.interval.ms", 200));
        all.putAll(settings);
        return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private KafkaProducer<byte[], byte[]> producer(Map<String, Object> settings) {
        // Old clients give up early; a restart is to be survived by each.
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "retries", Integer.MAX_VALUE, "max.block.ms", PATIENCE_MS));
        all.putAll(settings);
        return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private AdminClient admin() {
        return AdminClient.create(Map.of("bootstrap.servers", bootstrap));
    }

    private static <T> T get(Future<T> future) throws Exception {
        return future.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    }

    private static void until(String what, Callable<Boolean> isSo) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
        while (!isSo.call()) {
            check(System.nanoTime() < deadline, "in time: " + what);
        }
    }

    private static void check(boolean claim, String what) {
        if (!claim) {
            throw new AssertionError("false: " + what);
        }
    }

    private static void same(Object got, Object wanted) {
        check(wanted.equals(got), "wanted " + wanted + ", got " + got);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private static String text(ConsumerRecord<byte[], byte[]> record) {
        return new String(record.value(), UTF_8);
    }
}
