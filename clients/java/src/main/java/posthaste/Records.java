package posthaste;

import static posthaste.Session.bytes;
import static posthaste.Session.check;
import static posthaste.Session.get;
import static posthaste.Session.number;
import static posthaste.Session.same;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;

/** Producing and reading back: codecs, headers, nulls, the default (idempotent) producer, order. */
final class Records {
    static final Map<String, Main.Scenario> SCENARIOS = Map.ofEntries(
            Map.entry("records_come_back_byte_for_byte[none]", session -> roundTrip(session, "none")),
            Map.entry("records_come_back_byte_for_byte[gzip]", session -> roundTrip(session, "gzip")),
            Map.entry("records_come_back_byte_for_byte[snappy]", session -> roundTrip(session, "snappy")),
            Map.entry("records_come_back_byte_for_byte[lz4]", session -> roundTrip(session, "lz4")),
            Map.entry("records_come_back_byte_for_byte[zstd]", session -> roundTrip(session, "zstd")),
            Map.entry("the_default_producer_is_acknowledged_in_order", Records::defaultProducer),
            Map.entry("a_topic_is_created_by_the_first_produce", Records::autoCreation),
            Map.entry("a_million_records_stay_in_order_in_each_of_8_partitions", Records::million));

    private static final int RECORDS = 1_000_000;

    private static void roundTrip(Session session, String codec) throws Exception {
        List<ProducerRecord<byte[], byte[]>> sent = awkwardRecords(session.topic());
        List<Future<RecordMetadata>> acknowledged = new ArrayList<>();
        try (Producer<byte[], byte[]> producer =
                session.producer(Map.of("compression.type", codec, "linger.ms", 50))) {
            sent.forEach(record -> acknowledged.add(producer.send(record)));
        }
        for (int offset = 0; offset < sent.size(); offset++) {
            same(get(acknowledged.get(offset)).offset(), (long) offset);
        }
        List<ConsumerRecord<byte[], byte[]>> got = session.readPartition(0, sent.size());
        for (int index = 0; index < sent.size(); index++) {
            ProducerRecord<byte[], byte[]> want = sent.get(index);
            ConsumerRecord<byte[], byte[]> have = got.get(index);
            check(Arrays.equals(have.key(), want.key()), "key of record " + index);
            check(Arrays.equals(have.value(), want.value()), "value of record " + index);
            check(have.timestamp() == want.timestamp(), "timestamp of record " + index);
            sameHeaders(have.headers().toArray(), want.headers().toArray(), index);
        }
    }

    private static void sameHeaders(Header[] got, Header[] wanted, int record) {
        check(got.length == wanted.length, "number of headers of record " + record);
        for (int index = 0; index < wanted.length; index++) {
            check(got[index].key().equals(wanted[index].key()), "header key " + index + " of record " + record);
            check(Arrays.equals(got[index].value(), wanted[index].value()), "header " + index + " of record " + record);
        }
    }

    /** Null and empty keys and values, every byte value, duplicate header keys in order, null header values. */
    private static List<ProducerRecord<byte[], byte[]>> awkwardRecords(String topic) {
        Random random = new Random(1);
        byte[] everything = new byte[200_000];
        random.nextBytes(everything);
        byte[][] keys = {null, bytes("k"), null, {}, everything};
        byte[][] values = {bytes("keyless"), null, null, {}, everything};
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int index = 0; index < 1_000; index++) {
            byte[] key = index < keys.length ? keys[index] : bytes("k" + index);
            byte[] value = index < values.length ? values[index] : bytes(("value " + index + ' ').repeat(20));
            ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(topic, 0, 1_700_000_000_000L + random.nextInt(5_000), key, value);
            if (index % 3 == 0) {
                record.headers().add("a", bytes("1")).add("b", null).add("a", bytes("2")).add("", new byte[0]);
            }
            records.add(record);
        }
        return records;
    }

    private static void defaultProducer(Session session) throws Exception {
        session.create(1);
        List<RecordMetadata> acknowledged = session.sendNumbers(0, 50_000, 0);
        for (int offset = 0; offset < acknowledged.size(); offset++) {
            same(acknowledged.get(offset).offset(), (long) offset);
        }
        List<ConsumerRecord<byte[], byte[]>> got = session.readPartition(0, 50_000);
        for (int index = 0; index < got.size(); index++) {
            same(number(got.get(index)), index);
        }
    }

    private static void autoCreation(Session session) throws Exception {
        same(session.sendNumbers(0, 1, 0).get(0).offset(), 0L);
        same(number(session.readPartition(0, 1).get(0)), 0);
    }

    private static void million(Session session) throws Exception {
        session.create(8);
        AtomicReference<Exception> failure = new AtomicReference<>();
        try (Producer<byte[], byte[]> producer = session.producer(Map.of())) {
            for (int number = 0; number < RECORDS; number++) {
                producer.send(new ProducerRecord<>(session.topic(), number % 8, null, bytes("" + number)),
                        (metadata, error) -> failure.compareAndSet(null, error));
            }
        }
        check(failure.get() == null, "every record is acknowledged: " + failure.get());
        int[] following = {0, 1, 2, 3, 4, 5, 6, 7};
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of())) {
            consumer.subscribe(List.of(session.topic()));
            long deadline = System.nanoTime() + Duration.ofSeconds(120).toNanos();
            for (int count = 0; count < RECORDS;) {
                check(System.nanoTime() < deadline, count + " of a million records in time");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    same(number(record), following[record.partition()]);
                    following[record.partition()] += 8;
                    count++;
                }
            }
        }
    }
}
