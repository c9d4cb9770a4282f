//! Results leave and enter in other tools' formats without a figure that nobody measured.

#[allow(dead_code, reason = "each test takes the runs that it needs")]
mod sample;

use std::collections::BTreeSet;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadgen::exchange::{Better, ExportFormat, ExportOptions, Given, ImportFormat, Refusal, export, import};
use loadgen::result::{Kind, Latency, RunResult, decode_histogram};
use serde_json::Value;

const OMB: &[u8] = include_bytes!("samples/omb.json");
const PRODUCER_PERF: &[u8] = include_bytes!("samples/producer-perf.txt");
const PRODUCER_PERF_WARMUP: &[u8] = include_bytes!("samples/producer-perf-warmup.txt");
const RDKAFKA_PRODUCER: &[u8] = include_bytes!("samples/rdkafka-producer.txt");
const RDKAFKA_CONSUMER: &[u8] = include_bytes!("samples/rdkafka-consumer.txt");
const IGGY: &[u8] = include_bytes!("samples/iggy.json");

fn write(format: ExportFormat, results: &[RunResult]) -> String {
    export(format, results, &ExportOptions::default()).expect("the sample has all that the format needs")
}

fn read(format: ImportFormat, bytes: &[u8]) -> RunResult {
    import(format, bytes, &Given::default()).expect("the sample is whole")
}

fn refused(format: ImportFormat, bytes: &[u8]) -> String {
    let refusal: Refusal = import(format, bytes, &Given::default()).expect_err("the input is wrong");
    let line = refusal.to_string();
    assert!(!line.is_empty() && !line.contains('\n'), "{line}");
    line
}

/// Three repeats with rates of 1, 2 and 3 times the sample's, and a run that ended early.
fn repeats() -> Vec<RunResult> {
    let mut runs: Vec<RunResult> = (1..=3)
        .map(|index| {
            let mut run = sample::calm_run();
            run.id = format!("repeat-{index}");
            run.label = Some("main, tuned".into());
            let produce = run.summary.produce.as_mut().expect("the sample produces");
            produce.goodput.records_per_s *= f64::from(index);
            run
        })
        .collect();
    let mut failed = sample::failed_run();
    failed.label = Some("main, tuned".into());
    failed.id = "early".into();
    runs.push(failed);
    runs
}

#[test]
fn csv_has_a_row_a_result_and_an_empty_cell_for_what_was_not_measured() {
    let mut runs = repeats();
    runs[1].resources.broker = None;
    let text = write(ExportFormat::Csv, &runs);
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[1].contains("\"main, tuned\""), "{}", lines[1]);
    let header: Vec<&str> = lines[0].split(',').collect();
    let at = header.iter().position(|name| *name == "broker_rss_max_bytes").expect("the sample has it");
    // The two quoted cells hold a comma each: side and durability.
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(lines[1]).len(), header.len() + 2);
    assert_eq!(cells(lines[1])[at + 2], (83_u64 << 20).to_string());
    assert_eq!(cells(lines[2])[at + 2], "");
}

#[test]
fn benchstat_gets_a_line_a_repeat_and_no_sample_of_a_run_that_ended_early() {
    let text = write(ExportFormat::Benchstat, &repeats());
    let benchmarks: Vec<&str> = text.lines().filter(|line| line.starts_with("Benchmark")).collect();
    assert_eq!(benchmarks.len(), 3);
    for line in &benchmarks {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].starts_with("BenchmarkProduceConsume/record_bytes=1000/partitions=8/"), "{line}");
        assert_eq!(words[1], "400000");
        assert_eq!(words.len() % 2, 0, "values and units come in pairs");
        assert!(words[2..].chunks(2).all(|pair| pair[0].parse::<f64>().is_ok() && pair[1].contains('-')), "{line}");
    }
    assert!(text.contains("\nside: main, tuned\n"));
    assert!(text.contains("Unit produce-goodput-records/s better=higher\n"));
    assert!(text.contains("Unit produce-response-p99-ns better=lower\n"));
    assert!(text.contains("# early ended early: the broker closed the connection"));
    let configuration = text
        .lines()
        .filter(|line| !line.starts_with(['#', 'B', 'U']))
        .all(|line| line.split_once(':').is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase())));
    assert!(configuration, "{text}");
}

#[test]
fn a_configuration_line_ends_where_it_no_longer_holds() {
    let mut unversioned = sample::calm_run();
    unversioned.target.version = None;
    let text = write(ExportFormat::Benchstat, &[sample::calm_run(), unversioned]);
    assert!(text.contains("\nversion: 0.1.0\n") && text.contains("\nversion:\n"), "{text}");
}

#[test]
fn github_action_gets_one_direction_a_file_and_the_median_of_the_repeats() {
    let entries = |better| -> Vec<Value> {
        let options = ExportOptions { better, ..ExportOptions::default() };
        let text = export(ExportFormat::GithubActionBenchmark, &repeats(), &options).expect("there are figures");
        serde_json::from_str(&text).expect("a list")
    };
    let bigger = entries(Better::Higher);
    assert!(bigger.iter().all(|entry| entry["unit"].as_str().is_some_and(|unit| unit.ends_with("/s"))));
    let rate = bigger.iter().find(|entry| entry["unit"] == "records/s").expect("a rate");
    assert_eq!((rate["value"].as_f64(), rate["range"].as_str()), (Some(39_992.0), Some("19996 to 59988")));
    let smaller = entries(Better::Lower);
    assert!(smaller.iter().any(|entry| entry["unit"] == "ns") && smaller.iter().all(|entry| entry["unit"] != "B/s"));
}

#[test]
fn bencher_gets_the_repeats_as_bounds() {
    let metrics: Value = serde_json::from_str(&write(ExportFormat::Bencher, &repeats())).expect("an object");
    let benchmarks = metrics.as_object().expect("an object");
    assert_eq!(benchmarks.len(), 1, "the failed run is no benchmark of its own");
    let measure = &benchmarks.values().next().expect("one")["produce goodput (records/s)"];
    assert_eq!(*measure, serde_json::json!({"value": 39_992.0, "lower_value": 19_996.0, "upper_value": 59_988.0}));
    let nothing = export(ExportFormat::Bencher, &[sample::failed_run()], &ExportOptions::default());
    assert!(nothing.expect_err("no run ended as planned").to_string().contains("ended early"));
}

#[test]
fn openmetrics_keeps_families_together_and_ends() {
    let text = write(ExportFormat::Openmetrics, &repeats());
    assert!(text.ends_with("# EOF\n"));
    let mut done = BTreeSet::new();
    let mut family = "";
    for line in text.lines().take_while(|line| *line != "# EOF") {
        if let Some(named) = line.strip_prefix("# TYPE ") {
            family = named.split(' ').next().expect("a name");
            assert!(done.insert(family), "{family} comes twice");
        }
        assert!(line.starts_with("# ") || line.starts_with(family), "{line} is not of {family}");
    }
    assert!(text.contains("loadgen_produce_goodput_bytes_per_second{id=\"repeat-1\",side=\"main, tuned\""));
    assert!(text.contains(",stream=\"produce\",latency=\"response\",quantile=\"0.99\"} 0.00"));
    let twice = [sample::calm_run(), sample::calm_run()];
    let error = export(ExportFormat::Openmetrics, &twice, &ExportOptions::default()).expect_err("the same samples");
    assert!(error.to_string().contains("one id"));
}

#[test]
fn interval_log_gives_back_every_histogram() {
    let run = sample::calm_run();
    let text = write(ExportFormat::Hlog, std::slice::from_ref(&run));
    let mut tags = Vec::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        let LogEntry::Interval(interval) = entry.expect("a well-formed line") else { continue };
        let tag = interval.tag().expect("every line has its name").as_str().to_owned();
        assert_eq!(
            decode_histogram(interval.encoded_histogram()).expect("base64"),
            decode_histogram(&run.histograms[&tag]).expect("ours")
        );
        assert_eq!((interval.start_timestamp().as_secs(), interval.duration().as_secs()), (5, 20));
        tags.push(tag);
    }
    assert_eq!(tags, run.histograms.keys().cloned().collect::<Vec<_>>());
    assert!(text.contains("#[BaseTime: 1795442880.000 (seconds since epoch)]"), "{text:.400}");
}

#[test]
fn percentile_distribution_rises_to_all_samples_and_names_what_there_is() {
    let run = sample::calm_run();
    let text = write(ExportFormat::Hgrm, std::slice::from_ref(&run));
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    assert!(rows.len() > 20);
    assert!(rows.windows(2).all(|pair| (0..3).all(|column| pair[0][column] <= pair[1][column])), "{text}");
    let last = rows.last().expect("rows");
    assert_eq!((last[1], last[2], last.len()), (1.0, 400_000.0, 3));
    assert!(text.contains("Total count    =       400000]"), "{text}");
    assert!(text.contains("SubBuckets     =         2048]"), "{text}");
    let other = ExportOptions { histogram: "produce.nothing".into(), ..ExportOptions::default() };
    let error = export(ExportFormat::Hgrm, &[run], &other).expect_err("no such histogram");
    assert!(error.to_string().contains("it has consume.end_to_end, produce.lag"), "{error}");
}

#[test]
fn formats_of_one_result_refuse_several() {
    for format in [ExportFormat::Omb, ExportFormat::Hlog, ExportFormat::Hgrm] {
        let error = export(format, &repeats(), &ExportOptions::default()).expect_err("four results");
        assert!(error.to_string().contains("given are 4"), "{error}");
    }
}

#[test]
fn open_messaging_result_comes_back_with_the_same_numbers() {
    let mut run = sample::calm_run();
    // Rates are means over periods there, so those of the window come back exactly only without seconds.
    let with_series = read(ImportFormat::Omb, write(ExportFormat::Omb, std::slice::from_ref(&run)).as_bytes());
    run.series = None;
    let back = read(ImportFormat::Omb, write(ExportFormat::Omb, std::slice::from_ref(&run)).as_bytes());
    let (ours, theirs) = (run.summary.produce.as_ref(), back.summary.produce.as_ref());
    let (ours, theirs) = (ours.expect("produces"), theirs.expect("produces"));
    assert!((ours.goodput.records_per_s - theirs.goodput.records_per_s).abs() < 1e-6);
    let same = |ours: &Option<Latency>, theirs: &Option<Latency>| {
        let (ours, theirs) = (ours.as_ref().expect("measured"), theirs.as_ref().expect("exported"));
        let figures = |one: &Latency| {
            [one.p50_ns, one.p75_ns, one.p90_ns, one.p95_ns, one.p99_ns, one.p99_9_ns, one.p99_99_ns, one.max_ns]
        };
        assert_eq!(figures(ours), figures(theirs));
        assert!((ours.mean_ns.expect("measured") - theirs.mean_ns.expect("exported")).abs() < 1.0);
    };
    same(&ours.latency.service, &theirs.latency.service);
    same(&ours.latency.lag, &theirs.latency.lag);
    let end_to_end = |run: &RunResult| run.summary.consume.as_ref().expect("consumes").latency.end_to_end.clone();
    same(&end_to_end(&run), &end_to_end(&back));
    assert_eq!(theirs.latency.response, None, "the format has no place for it");
    assert_eq!((back.workload.partitions, back.workload.producers, back.workload.record_bytes), (8, 2, 1_000));
    let rate = with_series.summary.produce.expect("produces").goodput.records_per_s;
    assert!((rate - 20_000.0).abs() < 200.0, "{rate}");
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
fn means_of_percentiles_are_not_taken_for_percentiles() {
    let result = read(ImportFormat::Iggy, IGGY);
    let produce = result.summary.produce.as_ref().expect("two producers");
    assert_eq!((produce.records, produce.bytes, produce.goodput.bytes_per_s), (2_000_000, 2_000_000_000, 1e9));
    assert_eq!(produce.latency.service, None, "the report has the mean of two p99, which is none");
    let consume = result.summary.consume.as_ref().expect("one consumer");
    let service = consume.latency.service.as_ref().expect("one actor's percentiles are its own");
    assert_eq!((service.p50_ns, service.n, service.n_batches), (Some(800_000), 1_000_000, Some(1_000)));
    assert_eq!(service.max_ns, None, "it is the largest of averaged samples");
    assert_eq!((result.target.product.as_str(), result.target.version.as_deref()), ("iggy", Some("0.5.0")));
    assert_eq!(result.ended_utc, "2026-05-09T07:11:42Z");
    assert!(result.knows("quality.closed_loop") && result.quality.closed_loop);
    let mixed = String::from_utf8_lossy(IGGY).replace("\"producers\",", "\"producing_consumers\",");
    assert!(refused(ImportFormat::Iggy, mixed.as_bytes()).contains("one figure"));
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
fn imported_results_leave_in_every_format_that_has_room_for_them() {
    let results = [
        read(ImportFormat::Omb, OMB),
        read(ImportFormat::KafkaProducerPerfTest, PRODUCER_PERF),
        read(ImportFormat::Iggy, IGGY),
    ];
    for format in [
        ExportFormat::Csv,
        ExportFormat::Benchstat,
        ExportFormat::GithubActionBenchmark,
        ExportFormat::Bencher,
        ExportFormat::Openmetrics,
    ] {
        let text = write(format, &results);
        assert!(!text.contains("missing"), "{format:?} has counts that nobody made");
    }
    let metrics = write(ExportFormat::Openmetrics, &results[..1]);
    assert!(!metrics.contains("_count"), "how many samples there were is unknown");
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
