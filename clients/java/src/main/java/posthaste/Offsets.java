package posthaste;

import static posthaste.Session.bytes;
import static posthaste.Session.check;
import static posthaste.Session.get;
import static posthaste.Session.number;
import static posthaste.Session.same;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Offsets: by earliest, latest, timestamp and largest timestamp; out of range; a group's offsets through Admin. */
final class Offsets {
    static final Map<String, Main.Scenario> SCENARIOS = Map.of(
            "list_offsets_answers_every_question", Offsets::listOffsets,
            "a_seek_out_of_range_resets_as_the_policy_says", Offsets::outOfRange,
            "a_group_is_moved_by_admin", Offsets::movedGroup,
            "read_committed_reads_what_is_there", Offsets::readCommitted);

    private static final long[] STAMPS = {1_700_000_000_000L, 1_700_000_001_000L, 1_700_000_001_000L, 1_700_000_005_000L};

    private static void listOffsets(Session session) throws Exception {
        // One batch: the answer must be exact to the record.
        try (Producer<byte[], byte[]> producer = session.producer(Map.of("linger.ms", 500, "compression.type", "lz4"))) {
            for (long stamp : STAMPS) {
                producer.send(new ProducerRecord<>(session.topic(), 0, stamp, null, bytes("x".repeat(100))));
            }
        }
        try (Admin admin = session.admin(); Consumer<byte[], byte[]> consumer = session.consumer(Map.of())) {
            same(offset(admin, session, OffsetSpec.earliest()).offset(), 0L);
            same(offset(admin, session, OffsetSpec.latest()).offset(), 4L);
            same(offset(admin, session, OffsetSpec.maxTimestamp()).offset(), 3L);
            same(offset(admin, session, OffsetSpec.maxTimestamp()).timestamp(), STAMPS[3]);
            ListOffsetsResultInfo second = offset(admin, session, OffsetSpec.forTimestamp(STAMPS[0] + 1));
            same(List.of(second.offset(), second.timestamp()), List.of(1L, STAMPS[1]));
            same(offset(admin, session, OffsetSpec.forTimestamp(STAMPS[3] + 1)).offset(), -1L);
            TopicPartition partition = session.at(0);
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, STAMPS[1] + 1)).get(partition);
            same(List.of(found.offset(), found.timestamp()), List.of(3L, STAMPS[3]));
            check(consumer.offsetsForTimes(Map.of(partition, STAMPS[3] + 1)).get(partition) == null, "none so young");
            same(consumer.beginningOffsets(List.of(partition)), Map.of(partition, 0L));
            same(consumer.endOffsets(List.of(partition)), Map.of(partition, 4L));
        }
    }

    private static ListOffsetsResultInfo offset(Admin admin, Session session, OffsetSpec spec) throws Exception {
        return get(admin.listOffsets(Map.of(session.at(0), spec)).partitionResult(session.at(0)));
    }

    private static void outOfRange(Session session) throws Exception {
        session.sendNumbers(0, 10, 0);
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of())) {
            consumer.assign(List.of(session.at(0)));
            consumer.seek(session.at(0), 1_000_000);
            same(number(session.read(consumer, 1).get(0)), 0);
        }
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of("auto.offset.reset", "latest"))) {
            consumer.assign(List.of(session.at(0)));
            consumer.seek(session.at(0), 1_000_000);
            same(consumer.poll(Duration.ofSeconds(2)).count(), 0);
            session.sendNumbers(10, 11, 0);
            same(number(session.read(consumer, 1).get(0)), 10);
        }
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of("auto.offset.reset", "none"))) {
            consumer.assign(List.of(session.at(0)));
            consumer.seek(session.at(0), 1_000_000);
            session.read(consumer, 1);
            throw new AssertionError("an offset out of range was readable");
        } catch (OffsetOutOfRangeException expected) {
            same(expected.offsetOutOfRangePartitions(), Map.of(session.at(0), 1_000_000L));
        }
    }

    private static void movedGroup(Session session) throws Exception {
        session.sendNumbers(0, 10, 0);
        String group = session.topic() + "-group";
        try (Admin admin = session.admin()) {
            get(admin.alterConsumerGroupOffsets(group, Map.of(session.at(0), new OffsetAndMetadata(7))).all());
            same(get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(session.at(0)).offset(), 7L);
        }
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of())) {
            consumer.subscribe(List.of(session.topic()));
            same(number(session.read(consumer, 3).get(0)), 7);
        }
    }

    private static void readCommitted(Session session) throws Exception {
        session.sendNumbers(0, 100, 0);
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of("isolation.level", "read_committed"))) {
            consumer.subscribe(List.of(session.topic()));
            List<ConsumerRecord<byte[], byte[]>> got = session.read(consumer, 100);
            same(number(got.get(99)), 99);
            same(consumer.endOffsets(List.of(session.at(0))), Map.of(session.at(0), 100L));
        }
    }
}
