//! What people see of a run is true, safe and drawn, whatever the run was.

#[allow(dead_code, reason = "each test of what people see uses a part of the samples")]
mod sample;

use loadgen::report::{Colour, html_page, terminal_table, write_files};
use loadgen::result::{Acks, Latency, Resources, RunResult, Series, Summary, Verdict, histogram_name};
use sample::{calm_run, failed_run, saturated_run};

/// The pages lie here after a test run, for people to look at.
const PAGES: &str = env!("CARGO_TARGET_TMPDIR");

#[test]
fn result_survives_its_json_form_and_the_files_name_the_run() {
    for (folder, run) in [("calm", calm_run()), ("saturated", saturated_run()), ("failed", failed_run())] {
        let directory = std::path::Path::new(PAGES).join(folder);
        let paths = write_files(&run, &directory).expect("the target directory is writable");
        let json = std::fs::read(&paths.json).expect("it was written");
        let read: RunResult = serde_json::from_slice(&json).expect("own result");
        assert_eq!(read, run);
        assert!(json.len() < 200_000, "a result of {} bytes is too large to commit", json.len());
        assert!(paths.html.ends_with("20261123T140800Z-5f1c2a9e.html"));
        assert!(!directory.join("20261123T140800Z-5f1c2a9e.unfinished").exists());
    }
}

#[test]
fn what_was_not_measured_is_absent_not_null() {
    let json = serde_json::to_string(&calm_run()).expect("plain structs");
    assert!(!json.contains("null"));
    assert!(!json.contains("key_bytes"));
    assert!(!json.contains("git_sha"));
}

#[test]
fn failed_integrity_leads_the_table_in_words() {
    let table = terminal_table(&failed_run(), Colour::Plain);
    let first = table.lines().next().unwrap_or_default();
    assert!(first.starts_with("INTEGRITY FAILED"), "{first}");
    assert!(first.contains("117 missing, 2 duplicate"), "{first}");
    let early = table.find("ENDED EARLY").expect("the reason is told");
    assert!(early < table.find("throughput").expect("figures follow"));
}

#[test]
fn passed_integrity_is_claimed_only_when_records_were_read() {
    assert!(terminal_table(&calm_run(), Colour::Plain).starts_with("INTEGRITY PASS"));
    let mut unacknowledged = calm_run();
    unacknowledged.workload.acks = Acks::None;
    unacknowledged.integrity.acked = 0;
    let table = terminal_table(&unacknowledged, Colour::Plain);
    assert!(table.contains("acks=0 does not"), "{table}");
    let mut unread = calm_run();
    unread.integrity.consumed = 0;
    assert!(terminal_table(&unread, Colour::Plain).starts_with("INTEGRITY NOT SHOWN"));
    unread.integrity.verdict = Verdict::Incomplete;
    assert!(terminal_table(&unread, Colour::Plain).starts_with("INTEGRITY UNKNOWN"));
}

#[test]
fn percentile_with_few_exceedances_prints_not_available() {
    let mut run = calm_run();
    let latency =
        Latency { n: 500, n_batches: Some(40), p50_ns: Some(1_000_000), max_ns: Some(2_000_000), ..Latency::default() };
    run.summary.produce.as_mut().expect("the sample produces").latency.response = Some(latency);
    run.histograms.remove(histogram_name::PRODUCE_RESPONSE);
    let table = terminal_table(&run, Colour::Plain);
    let row = table.lines().find(|line| line.trim_start().starts_with("response")).expect("its row");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells, ["response", "1.00", "ms", "n/a", "n/a", "n/a", "2.00", "ms", "500", "40"]);
    assert!(html_page(&run).contains(">n/a</td>"));
}

#[test]
fn saturated_run_is_labelled_before_its_figures() {
    let table = terminal_table(&saturated_run(), Colour::Plain);
    let label = table.find("SATURATED").expect("the label");
    assert!(label < table.find("achieved  ").expect("figures follow"));
    assert!(table.contains("33.3 % of the offered load"));
    assert!(table.contains("latency (of a queue)"));
    assert!(table.contains("CLIENT LIMITED") && table.contains("UNSTEADY"));
    assert!(html_page(&saturated_run()).contains("<body class=\"queue\">"));
}

#[test]
fn weaker_acks_are_told_that_end_to_end_holds_the_flush() {
    let told = |run: &RunResult| {
        let page = html_page(run).contains("contains the fdatasync");
        assert_eq!(page, terminal_table(run, Colour::Plain).contains("fdatasync"));
        page
    };
    assert!(told(&failed_run()));
    assert!(!told(&calm_run()));
}

#[test]
fn table_keeps_within_a_hundred_columns() {
    let mut wide = failed_run();
    wide.target.product = "a-product ".repeat(30);
    for run in [&calm_run(), &saturated_run(), &failed_run(), &wide] {
        for line in terminal_table(run, Colour::Plain).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
    assert!(terminal_table(&calm_run(), Colour::Ansi).contains("\u{1b}[1;32mINTEGRITY PASS\u{1b}[0m"));
}

#[test]
fn foreign_text_cannot_become_markup_or_move_the_cursor() {
    let evil = "</td><script>alert(1)</script>\u{1b}[2J\"'&";
    let mut run = failed_run();
    run.error = Some(evil.into());
    run.id = evil.into();
    run.target.product = evil.into();
    run.target.config.insert(evil.into(), evil.into());
    run.command.push(evil.into());
    run.quality.notes.push(evil.into());
    run.integrity.examples.push(evil.into());
    let page = html_page(&run);
    assert_eq!(page.matches("<script").count(), 3, "data, library and the page's own: text is escaped everywhere");
    assert!(!page.contains('\u{1b}'));
    assert!(page.matches("&lt;script&gt;").count() >= 8);
    assert!(!terminal_table(&run, Colour::Plain).contains('\u{1b}'));
}

#[test]
fn page_needs_no_network_and_no_script() {
    let page = html_page(&calm_run());
    for foreign in ["<link", "src=", "http://", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'"), "the browser is told to load nothing");
    assert!(page.matches("<svg").count() >= 6);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn charts_of_empty_single_and_zero_series_are_drawable() {
    let one = |value| Series {
        t_secs: vec![1.0],
        offered_bytes_per_s: vec![Some(value)],
        achieved_bytes_per_s: vec![None],
        response_p50_ns: vec![Some(value as u64)],
        broker_cpu_cores: vec![Some(f64::NAN)],
        broker_rss_bytes: vec![Some(0)],
        ..Series::default()
    };
    let uneven = Series { t_secs: vec![1.0, 2.0], ..one(3.0) };
    for series in [None, Some(Series::default()), Some(one(0.0)), Some(one(5e6)), Some(uneven)] {
        let mut run = calm_run();
        run.series = series;
        run.histograms.clear();
        let produce = run.summary.produce.as_mut().expect("the sample produces");
        produce.latency.response = Some(Latency::default());
        produce.latency.service = Some(Latency { n: 1, max_ns: Some(0), ..Latency::default() });
        let page = html_page(&run);
        let charts: Vec<&str> = page.split("<svg").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect();
        assert!(!charts.is_empty(), "the percentile chart is always there");
        for (chart, broken) in charts.iter().flat_map(|chart| ["NaN", "inf", "=\"-"].map(|broken| (chart, broken))) {
            assert!(!chart.contains(broken), "{broken} in {chart}");
        }
    }
}

#[test]
fn run_that_measured_nothing_still_has_a_page_and_a_table() {
    let mut run = calm_run();
    run.summary = Summary::default();
    run.resources = Resources::default();
    run.series = None;
    run.histograms.clear();
    run.env.clear();
    run.integrity.verdict = Verdict::Incomplete;
    run.error = Some("no broker at 127.0.0.1:1".into());
    let page = html_page(&run);
    assert!(page.contains("INTEGRITY UNKNOWN") && page.contains("no broker at 127.0.0.1:1"));
    assert!(terminal_table(&run, Colour::Plain).contains("no broker at 127.0.0.1:1"));
    write_files(&run, &std::path::Path::new(PAGES).join("nothing")).expect("writable");
}
