//! Other tools' outputs become results that say no more than their sources.

use loadgen::compare::{Grid, Layout, Settings, text};
use loadgen::exchange::{Given, ImportFormat, Refusal, import};
use loadgen::report::{Colour, html_page, html_report, terminal_table};
use loadgen::result::{Kind, RunResult};

const OMB: &[u8] = include_bytes!("samples/omb.json");
const PRODUCER_PERF: &[u8] = include_bytes!("samples/producer-perf.txt");
const PRODUCER_PERF_WARMUP: &[u8] = include_bytes!("samples/producer-perf-warmup.txt");
const RDKAFKA_PRODUCER: &[u8] = include_bytes!("samples/rdkafka-producer.txt");
const RDKAFKA_CONSUMER: &[u8] = include_bytes!("samples/rdkafka-consumer.txt");
const RDKAFKA_PRODUCER_LIVE: &[u8] = include_bytes!("samples/rdkafka-producer-live.txt");
const RDKAFKA_CONSUMER_LIVE: &[u8] = include_bytes!("samples/rdkafka-consumer-live.txt");
const IGGY: &[u8] = include_bytes!("samples/iggy.json");

fn read(format: ImportFormat, bytes: &[u8]) -> RunResult {
    import(format, bytes, &Given::default()).expect("the sample is whole")
}

fn refused(format: ImportFormat, bytes: &[u8]) -> String {
    let refusal: Refusal = import(format, bytes, &Given::default()).expect_err("the input is wrong");
    let line = refusal.to_string();
    assert!(!line.is_empty() && !line.contains('\n'), "{line}");
    line
}

#[test]
fn open_messaging_result_keeps_its_units_apart_and_says_what_it_hides() {
    let result = read(ImportFormat::Omb, OMB);
    let produce = result.summary.produce.as_ref().expect("it published");
    assert!((produce.goodput.records_per_s - 37_500.0).abs() < 1e-9, "the silent period counts");
    let (service, lag) = (produce.latency.service.as_ref().expect("ms"), produce.latency.lag.as_ref().expect("us"));
    assert_eq!(
        (service.p99_ns, service.p90_ns, service.max_ns),
        (Some(106_617_000), Some(37_520_000), Some(846_899_000))
    );
    assert_eq!((lag.p99_ns, lag.p90_ns), (Some(3_366_000), None));
    assert_eq!((result.kind, result.label.as_deref()), (Kind::Imported, Some("Kafka")));
    assert!(result.quality.notes.iter().any(|note| note.contains("Nothing was published in 1 of 4 periods")));
    for path in ["workload.acks", "workload.consumers", "target.product", "summary.measured_secs", "started_utc"] {
        assert!(!result.knows(path), "{path}");
    }
}

#[test]
fn kafkas_totals_become_service_latency_in_whole_milliseconds() {
    let result = read(ImportFormat::KafkaProducerPerfTest, PRODUCER_PERF);
    let produce = result.summary.produce.as_ref().expect("it produced");
    assert_eq!((produce.records, produce.goodput.records_per_s), (60_000, 4_132.5));
    assert!((produce.goodput.bytes_per_s - 0.79 * 1_048_576.0).abs() < 1e-6, "its MB are binary");
    let service = produce.latency.service.as_ref().expect("it measures from send()");
    assert_eq!((service.p50_ns, service.p99_9_ns), (Some(5_781_000_000), Some(7_395_000_000)));
    assert_eq!((service.n, service.p90_ns, produce.latency.response.as_ref()), (60_000, None, None));
    let notes = result.quality.notes.join(" ");
    assert!(notes.contains("coordinated omission") && notes.contains("resolution of 1 ms"), "{notes}");
    assert!(!result.knows("summary.produce.bytes") && !result.knows("summary.produce.retries"));
    let file = serde_json::to_value(&result).expect("a plain struct");
    assert_eq!(file["summary"]["produce"].get("retries"), None, "absent, not zero");
    assert_eq!(serde_json::from_value::<RunResult>(file).expect("own file"), result);
}

#[test]
fn kafkas_steady_state_comes_before_its_totals_with_the_warm_up() {
    let result = read(ImportFormat::KafkaProducerPerfTest, PRODUCER_PERF_WARMUP);
    let produce = result.summary.produce.expect("it produced");
    assert_eq!((produce.records, produce.latency.service.expect("it has one").p99_ns), (7_500, Some(17_000_000)));
    let windows = "2500 records sent, 499.9 records/sec (0.10 MB/sec), 12.4 ms avg latency, 310.0 ms max latency.\n";
    assert!(refused(ImportFormat::KafkaProducerPerfTest, windows.as_bytes()).contains("stopped before its end"));
}

#[test]
fn rdkafkas_last_row_is_the_run() {
    let result = read(ImportFormat::Rdkafka, RDKAFKA_PRODUCER);
    let produce = result.summary.produce.as_ref().expect("it produced");
    assert_eq!((produce.records, produce.goodput.bytes_per_s), (999_990, 46_510_000.0));
    assert_eq!(produce.errors.get("delivery failed"), Some(&10));
    assert!(!result.knows("summary.produce.bytes"), "bytes are those handed over, not those delivered");
    let service = produce.latency.service.as_ref().expect("the round trip");
    assert_eq!((service.mean_ns, service.p50_ns), (Some(3e6), None));
    assert!((result.summary.measured_secs - 2.15).abs() < 1e-9);

    let result = read(ImportFormat::Rdkafka, RDKAFKA_CONSUMER);
    let consume = result.summary.consume.as_ref().expect("it consumed");
    assert_eq!((consume.records, consume.bytes), (2_000_000, 200_000_000));
    let end_to_end = consume.latency.end_to_end.as_ref().expect("-l was on");
    assert_eq!((end_to_end.min_ns, end_to_end.max_ns, end_to_end.p50_ns), (Some(290_000), Some(15_040_000), None));
    assert_eq!(consume.latency.service, None, "a round trip of zero says that nobody measured it");
}

#[test]
fn what_rdkafka_performance_really_prints_is_read() {
    let result = read(ImportFormat::Rdkafka, RDKAFKA_PRODUCER_LIVE);
    let produce = result.summary.produce.as_ref().expect("it produced");
    assert_eq!((produce.records, produce.bytes, produce.goodput.records_per_s), (300_000, 30_000_000, 18_308.0));
    let response = produce.latency.response.as_ref().expect("-l was on");
    assert_eq!((response.mean_ns, response.min_ns, response.max_ns), (Some(3.48e6), Some(220_000), Some(20_530_000)));
    assert_eq!(produce.latency.service, None, "its round trip was below a millisecond");

    let result = read(ImportFormat::Rdkafka, RDKAFKA_CONSUMER_LIVE);
    let consume = result.summary.consume.as_ref().expect("it consumed");
    assert_eq!((consume.records, consume.goodput.records_per_s), (300_000, 1_330_140.0));
    let end_to_end = consume.latency.end_to_end.as_ref().expect("-l was on");
    assert_eq!((end_to_end.min_ns, end_to_end.max_ns), (Some(4_350_100_000), Some(20_508_560_000)));
}

#[test]
fn means_of_percentiles_are_not_taken_for_percentiles() {
    let result = read(ImportFormat::Iggy, IGGY);
    let produce = result.summary.produce.as_ref().expect("two producers");
    assert_eq!((produce.records, produce.bytes, produce.goodput.bytes_per_s), (2_000_000, 2_000_000_000, 1e9));
    assert_eq!(produce.latency.service, None, "the report has the mean of two p99, which is none");
    let consume = result.summary.consume.as_ref().expect("one consumer");
    let service = consume.latency.service.as_ref().expect("one actor's percentiles are its own");
    assert_eq!((service.p50_ns, service.n, service.n_batches), (Some(800_000), 1_000_000, Some(1_000)));
    assert_eq!((service.p99_ns, service.p99_9_ns), (Some(2_400_000), None), "1,000 batches carry no p99.9");
    assert_eq!(service.max_ns, None, "it is the largest of averaged samples");
    assert_eq!((result.target.product.as_str(), result.target.version.as_deref()), ("iggy", Some("0.5.0")));
    assert_eq!(result.ended_utc, "2026-05-09T07:11:42Z");
    assert!(result.knows("quality.closed_loop") && result.quality.closed_loop);
    let mixed = String::from_utf8_lossy(IGGY).replace("\"producers\",", "\"producing_consumers\",");
    assert!(refused(ImportFormat::Iggy, mixed.as_bytes()).contains("one figure"));
}

#[test]
fn what_a_source_does_not_tell_is_not_shown_as_zero() {
    let samples = [
        (ImportFormat::Omb, OMB),
        (ImportFormat::KafkaProducerPerfTest, PRODUCER_PERF),
        (ImportFormat::Rdkafka, RDKAFKA_PRODUCER),
        (ImportFormat::Iggy, IGGY),
    ];
    let runs = samples.map(|(format, bytes)| read(format, bytes));
    let grid = Grid::new(&runs, &Layout::default(), &Settings::default()).expect("four sides");
    let mut shown = vec![text(&grid, 120, Colour::Plain), html_report(&runs)];
    for run in &runs {
        shown.extend([html_page(run), terminal_table(run, Colour::Plain)]);
    }
    for text in &shown {
        for nonsense in [" 0 partitions", ">0 partitions", " 0 producers", " 0 B", ">0 B records", " 0p"] {
            assert!(!text.contains(nonsense), "{nonsense} in {text}");
        }
    }
    assert!(shown[0].contains("unknown durability"), "{}", shown[0]);
}

#[test]
fn what_the_caller_knows_is_added() {
    let given = Given {
        label: Some("old".into()),
        product: Some("apache-kafka".into()),
        product_version: Some("4.1.1".into()),
    };
    let result = import(ImportFormat::Omb, OMB, &given).expect("the sample is whole");
    assert_eq!(result.label.as_deref(), Some("old"));
    assert_eq!((result.target.product.as_str(), result.target.version.as_deref()), ("apache-kafka", Some("4.1.1")));
    assert!(result.knows("target.product") && !result.knows("target.nodes"));
}

#[test]
fn truncated_and_foreign_files_are_one_clear_line() {
    let json = [(ImportFormat::Omb, OMB), (ImportFormat::Iggy, IGGY)];
    for (format, bytes) in json {
        for end in (0..bytes.len() - 2).step_by(97) {
            refused(format, &bytes[..end]);
        }
    }
    let text = [
        (ImportFormat::KafkaProducerPerfTest, PRODUCER_PERF),
        (ImportFormat::KafkaProducerPerfTest, PRODUCER_PERF_WARMUP),
        (ImportFormat::Rdkafka, RDKAFKA_PRODUCER),
    ];
    for (format, bytes) in text {
        for end in 0..bytes.len() {
            // A cut between two lines may leave a whole answer; what matters is that nothing else does.
            let cut = import(format, &bytes[..end], &Given::default());
            assert!(
                cut.is_ok_and(|result| result.kind == Kind::Imported) || !refused(format, &bytes[..end]).is_empty()
            );
        }
    }
    let every = [ImportFormat::Omb, ImportFormat::KafkaProducerPerfTest, ImportFormat::Rdkafka, ImportFormat::Iggy];
    for (index, format) in every.into_iter().enumerate() {
        for bytes in [&b""[..], b"\xff\xfe\x00", b"{}", b"[]", b"null", b"||||\n|\n"] {
            refused(format, bytes);
        }
        let others = [OMB, PRODUCER_PERF, RDKAFKA_PRODUCER, IGGY];
        for (_, bytes) in others.iter().enumerate().filter(|(other, _)| *other != index) {
            refused(format, bytes);
        }
    }
}

#[test]
fn numbers_that_lie_are_refused_by_name() {
    let omb = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(OMB).replace(from, to);
        assert!(text.as_bytes() != OMB, "{from} is in the sample");
        refused(ImportFormat::Omb, text.as_bytes())
    };
    assert!(omb("50010.5", "-50010.5").contains("publishRate[0]"));
    assert!(omb("106.617", "6.617").contains("p99_ns lies below p95_ns"));
    assert!(omb("846.899,", "1e30,").contains("max_ns"));
    assert!(omb("\"messageSize\": 1024", "\"messageSize\": 99999999999999").contains("not a result of"));
    let perf = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(PRODUCER_PERF).replace(from, to);
        assert!(text.as_bytes() != PRODUCER_PERF, "{from} is in the sample");
        refused(ImportFormat::KafkaProducerPerfTest, text.as_bytes())
    };
    assert!(perf("4132.5 records/sec", "NaN records/sec").contains("no number before"));
    assert!(perf("7285 ms 95th", "1 ms 95th").contains("p95_ns lies below p50_ns"));
    assert!(perf("60000 records sent", "0 records sent").contains("count of records"));
    let table = String::from_utf8_lossy(RDKAFKA_PRODUCER).replace("     46.51", "       inf");
    assert!(refused(ImportFormat::Rdkafka, table.as_bytes()).contains("line 6 is no row"));
}
