package posthaste;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.connect.mirror.OffsetSync;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/**
 * What a group of the source has read, and where it would go on at the target: in the checkpoints and in the group's own offsets there.
 *
 * <p>The mirror notes pairs of offsets, and translates by a pair at or before what was committed. It does not note the pair of every record:
 * ten may be on their way, and of those that wait for them each partition keeps the newest alone. So the first pair of a partition may be that
 * of its hundredth record, and a group that stands before it has no checkpoint there until it has read on.
 */
record Offsets(String source, String target, String topic, String mirror, String group, String sourceAlias, String targetAlias) {
    private static final Comparator<TopicPartition> BY_NAME = Comparator.comparing(TopicPartition::toString);

    /** A group reads on for this many records, or a few more or until the end, and commits what it has read. */
    static void commit(String bootstrap, String topic, String group, int count) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
                "enable.auto.commit", false, "max.poll.records", 50);
        long deadline = System.nanoTime() + Until.PATIENCE_SECONDS * 1_000_000_000;
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            for (int read = 0; read < count && !isAtEnd(consumer); ) {
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
        Map<Integer, List<OffsetSync>> pairs = pairs();
        Map<TopicPartition, Long> checkpoints = numbers(RemoteClusterUtils.translateOffsets(
                Map.of("bootstrap.servers", target), sourceAlias, group, Duration.ofSeconds(20)));
        Map<TopicPartition, Long> synced = numbers(committed(to));
        String state = group + ": committed " + committed + ", checkpoints " + checkpoints + ", at the target " + synced;
        for (var one : committed.entrySet()) {
            long offset = one.getValue();
            List<OffsetSync> known = pairs.getOrDefault(one.getKey().partition(), List.of());
            Long checkpoint = checkpoints.get(one.getKey());
            // The newest pair of offsets is kept as it is: a group at the end is translated exactly.
            boolean isRight = offset == ends.get(one.getKey()) ? checkpoint != null && checkpoint == offset : isTranslated(offset, checkpoint, known);
            if (known.isEmpty() || !isRight || !Objects.equals(checkpoint, synced.get(one.getKey()))) {
                return state + ", wrong at " + one.getKey() + ", whose " + known.size() + " pairs begin with " + known.stream().findFirst();
            }
        }
        return committed.isEmpty() ? state : null;
    }

    /** By a pair at or before it, and no more than one on: of the records after the pair it is not known which are mirrored. Without such a pair not at all. */
    private static boolean isTranslated(long offset, Long checkpoint, List<OffsetSync> pairs) {
        List<Long> possible = pairs.stream().filter(pair -> pair.upstreamOffset() <= offset)
                .map(pair -> pair.downstreamOffset() + (pair.upstreamOffset() == offset ? 0 : 1)).toList();
        return checkpoint == null ? possible.isEmpty() : possible.contains(checkpoint) && checkpoint <= offset;
    }

    /** The pairs of offsets that the mirror has noted of each partition. */
    private Map<Integer, List<OffsetSync>> pairs() {
        var noted = new TopicPartition("mm2-offset-syncs." + targetAlias + ".internal", 0);
        Map<String, Object> settings = Map.of("bootstrap.servers", source, "auto.offset.reset", "earliest", "allow.auto.create.topics", false);
        Map<Integer, List<OffsetSync>> pairs = new TreeMap<>();
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(noted));
            long end = consumer.endOffsets(List.of(noted)).get(noted);
            while (consumer.position(noted) < end) {
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    OffsetSync pair = OffsetSync.deserializeRecord(record);
                    if (pair.topicPartition().topic().equals(topic)) {
                        pairs.computeIfAbsent(pair.topicPartition().partition(), any -> new ArrayList<>()).add(pair);
                    }
                }
            }
        }
        return pairs;
    }

    private static boolean isAtEnd(KafkaConsumer<?, ?> consumer) {
        var ends = consumer.endOffsets(consumer.assignment());
        return !ends.isEmpty() && ends.entrySet().stream().allMatch(one -> consumer.position(one.getKey()) >= one.getValue());
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
