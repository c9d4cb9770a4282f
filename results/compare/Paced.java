import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own producer at a fixed rate: bootstrap, topic, records/s, seconds, record bytes, linger ms, batch bytes. Prints figures as JSON.
 *
 * <p>Kafka's ProducerPerformance sends some twenty records at once and sleeps then, which makes batches of its own shape. Here each record is
 * sent when it is due, and its latency counts from then, as loadgen has it. The first third is warm-up.
 */
final class Paced {
    private static final long PARK_NANOS = 20_000;

    public static void main(String[] told) throws Exception {
        long rate = Long.parseLong(told[2]);
        int seconds = Integer.parseInt(told[3]);
        int measuredSeconds = seconds - seconds / 3;
        Properties settings = new Properties();
        settings.put("bootstrap.servers", told[0]);
        settings.put("acks", "all");
        settings.put("linger.ms", told[5]);
        settings.put("batch.size", told[6]);
        // Means of the measured window alone.
        settings.put("metrics.num.samples", Integer.toString(measuredSeconds));
        settings.put("metrics.sample.window.ms", "1000");
        byte[] value = new byte[Integer.parseInt(told[4])];
        for (int index = 0; index < value.length; index++) {
            value[index] = (byte) (index * 31 % 251);
        }
        long records = rate * seconds;
        long firstMeasured = rate * (seconds / 3);
        long[] latencies = new long[(int) (records - firstMeasured)];
        AtomicInteger answered = new AtomicInteger();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.partitionsFor(told[1]);
            long started = System.nanoTime();
            for (long sent = 0; sent < records; sent++) {
                long due = started + sent * 1_000_000_000L / rate;
                while (System.nanoTime() < due) {
                    LockSupport.parkNanos(PARK_NANOS);
                }
                boolean measured = sent >= firstMeasured;
                producer.send(new ProducerRecord<>(told[1], value), (metadata, error) -> {
                    if (error != null) {
                        error.printStackTrace();
                        Runtime.getRuntime().halt(1);
                    }
                    if (measured) {
                        latencies[answered.getAndIncrement()] = System.nanoTime() - due;
                    }
                });
            }
            double perRequest = metric(producer, "records-per-request-avg");
            double batchBytes = metric(producer, "batch-size-avg");
            producer.flush();
            Arrays.sort(latencies);
            System.out.printf(Locale.ROOT, "{\"records_per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"records_per_request\": %.2f, \"batch_bytes\": %.1f}%n",
                    answered.get() / (double) measuredSeconds, latencies[latencies.length / 2] / 1e6, latencies[latencies.length * 99 / 100] / 1e6,
                    perRequest, batchBytes);
        }
    }

    private static double metric(KafkaProducer<byte[], byte[]> producer, String name) {
        return producer.metrics().values().stream()
                .filter(one -> one.metricName().group().equals("producer-metrics") && one.metricName().name().equals(name))
                .mapToDouble(one -> (double) one.metricValue()).findFirst().orElseThrow();
    }
}
