//! Results leave in other tools' formats without a figure that nobody measured.

#[allow(dead_code, reason = "each test takes the runs that it needs")]
mod sample;

use std::collections::BTreeSet;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadgen::exchange::{Better, ExportFormat, ExportOptions, Given, ImportFormat, export, import};
use loadgen::result::{Latency, RunResult, decode_histogram};
use serde_json::Value;

const OMB: &[u8] = include_bytes!("samples/omb.json");
const PRODUCER_PERF: &[u8] = include_bytes!("samples/producer-perf.txt");
const IGGY: &[u8] = include_bytes!("samples/iggy.json");

fn write(format: ExportFormat, results: &[RunResult]) -> String {
    export(format, results, &ExportOptions::default()).expect("the sample has all that the format needs")
}

fn read(format: ImportFormat, bytes: &[u8]) -> RunResult {
    import(format, bytes, &Given::default()).expect("the sample is whole")
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
    assert!(text.contains("# early is no sample: the broker closed the connection"));
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
    assert!(nothing.expect_err("no run ended as planned").to_string().contains("every run failed"));
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
    // The tool's chart script takes the largest of each list, of which there must be one.
    let file: Value = serde_json::from_str(&write(ExportFormat::Omb, &[run])).expect("an object");
    for list in ["publishLatency99pct", "publishDelayLatency99pct", "endToEndLatency95pct", "endToEndLatencyAvg"] {
        assert_eq!(file[list].as_array().map(Vec::len), Some(1), "{list}");
    }
    let rate = with_series.summary.produce.expect("produces").goodput.records_per_s;
    assert!((rate - 20_000.0).abs() < 200.0, "{rate}");
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
