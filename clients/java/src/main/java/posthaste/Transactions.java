package posthaste;

import static posthaste.Session.bytes;
import static posthaste.Session.check;
import static posthaste.Session.get;
import static posthaste.Session.number;
import static posthaste.Session.same;
import static posthaste.Session.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Transactions: what readers of decided records see, offsets that follow, fencing, time-outs, what administrators see. */
final class Transactions {
    static final Map<String, Main.Scenario> SCENARIOS = Map.of(
            "a_committed_transaction_is_read_as_a_whole_and_an_aborted_one_never", Transactions::commitsAndAborts,
            "offsets_sent_to_a_transaction_follow_it", Transactions::offsetsFollow,
            "every_record_is_moved_exactly_once_although_transactions_abort", Transactions::exactlyOnce,
            "a_second_producer_fences_the_first", Transactions::fencing,
            "a_transaction_that_is_open_for_too_long_is_aborted", Transactions::timeout,
            "transactions_and_their_producers_are_described", Transactions::described,
            "restart-3:leave_a_transaction_open", Transactions::leaveOpen,
            "restart-4:take_over_and_commit", Transactions::takeOver);

    private static final Map<String, Object> COMMITTED = Map.of("isolation.level", "read_committed");

    private static Producer<byte[], byte[]> start(Session session, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("transactional.id", session.topic() + "-producer"));
        all.putAll(settings);
        Producer<byte[], byte[]> producer = session.producer(all);
        producer.initTransactions();
        return producer;
    }

    private static ProducerRecord<byte[], byte[]> record(Session session, int partition, int number) {
        return new ProducerRecord<>(session.topic(), partition, null, bytes("" + number));
    }

    private static List<Integer> committed(Session session, int partition, int count) {
        try (Consumer<byte[], byte[]> consumer = session.consumer(COMMITTED)) {
            consumer.assign(List.of(session.at(partition)));
            consumer.seekToBeginning(List.of(session.at(partition)));
            List<Integer> numbers = new ArrayList<>(session.read(consumer, count).stream().map(Session::number).toList());
            consumer.poll(Duration.ofMillis(300)).forEach(record -> numbers.add(number(record)));
            return numbers;
        }
    }

    private static void commitsAndAborts(Session session) throws Exception {
        session.create(3);
        List<Integer> wanted = new ArrayList<>();
        try (Producer<byte[], byte[]> producer = start(session, Map.of())) {
            for (int round = 0; round < 20; round++) {
                producer.beginTransaction();
                for (int index = 0; index < 50; index++) {
                    int number = round * 50 + index;
                    IntStream.range(0, 3).forEach(partition -> producer.send(record(session, partition, number)));
                }
                if (round % 3 == 1) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    IntStream.range(round * 50, round * 50 + 50).forEach(wanted::add);
                }
            }
            producer.beginTransaction();
            get(producer.send(record(session, 0, -1)));
            for (int partition = 0; partition < 3; partition++) {
                same(committed(session, partition, wanted.size()), wanted);
            }
            int everything = session.readPartition(0, 20 * 50 + 1).size();
            check(everything >= 20 * 50 + 1, "whoever reads everything sees what was aborted and what is open");
            try (Consumer<byte[], byte[]> consumer = session.consumer(COMMITTED);
                    Consumer<byte[], byte[]> uncommitted = session.consumer(Map.of())) {
                long stable = consumer.endOffsets(List.of(session.at(0))).get(session.at(0));
                long end = uncommitted.endOffsets(List.of(session.at(0))).get(session.at(0));
                same(end - stable, 1L);
            }
            producer.abortTransaction();
        }
    }

    private static void offsetsFollow(Session session) throws Exception {
        session.sendNumbers(0, 100, 0);
        try (Producer<byte[], byte[]> producer = start(session, Map.of());
                Consumer<byte[], byte[]> consumer = session.consumer(COMMITTED)) {
            consumer.subscribe(List.of(session.topic()));
            session.read(consumer, 100);
            for (boolean commits : List.of(false, true)) {
                producer.beginTransaction();
                producer.sendOffsetsToTransaction(
                        Map.of(session.at(0), new OffsetAndMetadata(70, "seventy")), consumer.groupMetadata());
                if (commits) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                    check(consumer.committed(Set.of(session.at(0))).get(session.at(0)) == null, "nothing is committed");
                }
            }
            OffsetAndMetadata found = consumer.committed(Set.of(session.at(0))).get(session.at(0));
            same(found.offset(), 70L);
            same(found.metadata(), "seventy");
        }
    }

    /** Reads partition 0, writes to partition 1, and every third time aborts and goes back. */
    private static void exactlyOnce(Session session) throws Exception {
        session.create(2);
        session.sendNumbers(0, 500, 0);
        TopicPartition source = session.at(0);
        try (Producer<byte[], byte[]> producer = start(session, Map.of());
                Consumer<byte[], byte[]> consumer = session.consumer(Map.of("max.poll.records", 40,
                        "isolation.level", "read_committed"))) {
            consumer.assign(List.of(source));
            int moved = 0;
            for (int round = 0; moved < 500; round++) {
                List<ConsumerRecord<byte[], byte[]>> got = session.read(consumer, 1);
                producer.beginTransaction();
                got.forEach(one -> producer.send(new ProducerRecord<>(session.topic(), 1, null, one.value())));
                producer.sendOffsetsToTransaction(
                        Map.of(source, new OffsetAndMetadata(got.get(got.size() - 1).offset() + 1)),
                        consumer.groupMetadata());
                if (round % 3 == 2) {
                    producer.abortTransaction();
                    OffsetAndMetadata back = consumer.committed(Set.of(source)).get(source);
                    consumer.seek(source, back == null ? 0 : back.offset());
                } else {
                    producer.commitTransaction();
                    moved += got.size();
                }
            }
        }
        same(committed(session, 1, 500), IntStream.range(0, 500).boxed().toList());
    }

    private static void fencing(Session session) throws Exception {
        session.create(1);
        try (Producer<byte[], byte[]> first = start(session, Map.of())) {
            first.beginTransaction();
            get(first.send(record(session, 0, 1)));
            try (Producer<byte[], byte[]> second = start(session, Map.of())) {
                try {
                    first.send(record(session, 0, 2));
                    first.commitTransaction();
                    throw new AssertionError("two producers own one transactional id");
                } catch (ProducerFencedException | InvalidProducerEpochException refusal) {
                    check(true, "fenced");
                } catch (KafkaException refusal) {
                    Throwable cause = refusal.getCause();
                    check(cause instanceof ProducerFencedException || cause instanceof InvalidProducerEpochException,
                            "fenced, not " + refusal);
                }
                second.beginTransaction();
                second.send(record(session, 0, 3));
                second.commitTransaction();
            }
        }
        same(committed(session, 0, 1), List.of(3));
    }

    private static void timeout(Session session) throws Exception {
        session.create(1);
        try (Producer<byte[], byte[]> producer = start(session, Map.of("transaction.timeout.ms", 1_000))) {
            producer.beginTransaction();
            get(producer.send(record(session, 0, 1)));
            session.sendNumbers(2, 3, 0);
            same(committed(session, 0, 1), List.of(2));
            try {
                producer.commitTransaction();
                throw new AssertionError("a transaction that was aborted is committed");
            } catch (KafkaException refusal) {
                check(true, "refused");
            }
        }
        same(committed(session, 0, 1), List.of(2));
    }

    private static void described(Session session) throws Exception {
        session.create(1);
        String id = session.topic() + "-producer";
        try (Producer<byte[], byte[]> producer = start(session, Map.of()); Admin admin = session.admin()) {
            producer.beginTransaction();
            get(producer.send(record(session, 0, 1)));
            TransactionDescription open = get(admin.describeTransactions(List.of(id)).description(id));
            same(open.state(), TransactionState.ONGOING);
            same(open.topicPartitions(), Set.of(session.at(0)));
            var producers = get(admin.describeProducers(List.of(session.at(0))).partitionResult(session.at(0)));
            same(producers.activeProducers().size(), 1);
            same(producers.activeProducers().get(0).producerId(), open.producerId());
            same(producers.activeProducers().get(0).currentTransactionStartOffset().orElse(-1), 0L);
            check(get(admin.listTransactions().all()).stream().anyMatch(one -> one.transactionalId().equals(id)
                    && one.state() == TransactionState.ONGOING), "the transaction is listed");
            producer.commitTransaction();
            until(() -> state(admin, id) == TransactionState.COMPLETE_COMMIT, "the transaction is complete");
        }
    }

    private static TransactionState state(Admin admin, String id) {
        try {
            return get(admin.describeTransactions(List.of(id)).description(id)).state();
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private static void leaveOpen(Session session) throws Exception {
        session.create(1);
        Producer<byte[], byte[]> producer = start(session, Map.of());
        producer.beginTransaction();
        producer.send(record(session, 0, 1));
        producer.commitTransaction();
        producer.beginTransaction();
        get(producer.send(record(session, 0, 2)));
        // As if this client were killed: it neither commits nor aborts.
        Runtime.getRuntime().halt(0);
    }

    private static void takeOver(Session session) {
        try (Producer<byte[], byte[]> producer = start(session, Map.of())) {
            producer.beginTransaction();
            producer.send(record(session, 0, 3));
            producer.commitTransaction();
        }
        same(committed(session, 0, 2), List.of(1, 3));
    }
}
