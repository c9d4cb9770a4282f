package posthaste;

import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/** What a group of the source has read, and where it would go on at the target: in the checkpoints and in the group's own offsets there. */
record Offsets(String source, String target, String topic, String mirror, String group, String alias) {
    private static final Comparator<TopicPartition> BY_NAME = Comparator.comparing(TopicPartition::toString);

    /** A group reads this many records, or a few more, and commits what it has read. */
    static void commit(String bootstrap, String topic, String group, int count) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
                "enable.auto.commit", false, "max.poll.records", 50);
        long deadline = System.nanoTime() + Until.PATIENCE_SECONDS * 1_000_000_000;
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            for (int read = 0; read < count; ) {
                read += consumer.poll(Duration.ofMillis(500)).count();
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("only " + read + " records to commit in time");
                }
            }
            consumer.commitSync();
        }
    }

    void expect() throws Exception {
        try (Admin from = Topics.admin(source); Admin to = Topics.admin(target)) {
            Until.nothingIsWrong(() -> difference(from, to));
        }
    }

    /** The topic was mirrored whole and from its start, so that an offset and its translation are the same number, or the translation is behind. */
    private String difference(Admin from, Admin to) throws Exception {
        Map<TopicPartition, Long> committed = new TreeMap<>(BY_NAME);
        committed(from).forEach((partition, offset) -> committed.put(new TopicPartition(mirror, partition.partition()), offset.offset()));
        Map<TopicPartition, Long> ends = ends(to, committed);
        Map<TopicPartition, Long> checkpoints = numbers(RemoteClusterUtils.translateOffsets(
                Map.of("bootstrap.servers", target), alias, group, Duration.ofSeconds(20)));
        Map<TopicPartition, Long> synced = numbers(committed(to));
        String state = group + ": committed " + committed + ", checkpoints " + checkpoints + ", at the target " + synced;
        // What was not read yet has no place to go on from.
        committed.values().removeIf(offset -> offset == 0);
        for (var one : committed.entrySet()) {
            Long checkpoint = checkpoints.get(one.getKey());
            if (checkpoint == null || checkpoint > one.getValue()) {
                return state;
            }
            // The newest pair of offsets is kept as it is: a group at the end is translated exactly.
            if (one.getValue().equals(ends.get(one.getKey())) && !checkpoint.equals(one.getValue())) {
                return state;
            }
            if (!checkpoint.equals(synced.get(one.getKey()))) {
                return state;
            }
        }
        return committed.isEmpty() ? state : null;
    }

    private Map<TopicPartition, OffsetAndMetadata> committed(Admin admin) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }

    private static Map<TopicPartition, Long> ends(Admin admin, Map<TopicPartition, Long> partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> wanted = partitions.keySet().stream().collect(Collectors.toMap(one -> one, one -> OffsetSpec.latest()));
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(wanted).all().get().forEach((partition, end) -> ends.put(partition, end.offset()));
        return ends;
    }

    private static Map<TopicPartition, Long> numbers(Map<TopicPartition, OffsetAndMetadata> offsets) {
        Map<TopicPartition, Long> numbers = new TreeMap<>(BY_NAME);
        offsets.forEach((partition, offset) -> numbers.put(partition, offset.offset()));
        return numbers;
    }
}
