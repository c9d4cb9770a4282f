//! The page of many runs: verdict first, every chart that has data, nothing that a hostile file could run.

#[path = "sample/many.rs"]
mod many;
#[allow(dead_code, reason = "each test of what people see uses a part of the samples")]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use loadgen::compare::{Filter, Key, Layout};
use loadgen::report::{html_report, html_report_by, peers_picture};
use loadgen::result::{Acks, Kind, RunResult, Verdict};
use many::{comparison, curve, history, numbered, stretched};
use sample::calm_run;

/// Writes a page where the browser test and people find it.
fn page(name: &str, runs: &[RunResult]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("many");
    fs::create_dir_all(&folder).expect("the target directory is writable");
    let page = html_report(runs);
    fs::write(folder.join(name).with_extension("html"), &page).expect("the target directory is writable");
    page
}

fn assert_in_order(page: &str, words: &[&str]) {
    let mut from = 0;
    for word in words {
        let at = page[from..].find(word);
        from += at.unwrap_or_else(|| panic!("{word:?} is missing, or stands too early")) + word.len();
    }
}

fn headings(page: &str) -> Vec<&str> {
    page.split("<h2>").skip(1).filter_map(|rest| rest.split("</h2>").next()).collect()
}

#[test]
fn a_picture_of_peers_has_a_bar_for_each_with_its_class_and_figure() {
    let labelled = |label: &str, acks| {
        let mut run = RunResult { label: Some(label.into()), ..calm_run() };
        run.target.durability.acks = acks;
        run
    };
    let runs = [labelled("ours", Acks::All), labelled("<theirs>", Acks::Leader)];
    let cell = ("latency", runs.iter().collect::<Vec<_>>());
    let picture = peers_picture("peers", &["ours", "<theirs>", "absent"], &[cell]).expect("a picture");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("many");
    fs::create_dir_all(&folder).expect("the target directory is writable");
    fs::write(folder.join("peers.svg"), &picture).expect("the target directory is writable");
    assert_in_order(
        &picture,
        &[
            runs[0].target.durability.label(),
            runs[1].target.durability.label(),
            "latency: 99th percentile of the answers to producers, less is better",
            ">ours</text>",
            "<line",
            " ms</text>",
            ">&lt;theirs&gt;</text>",
        ],
    );
    assert!(!picture.contains("absent") && !picture.contains("NaN"));
}

#[test]
fn comparison_leads_with_its_verdict_and_has_its_charts() {
    let page = page("comparison", &comparison(&[20_000.0, 40_000.0], 1.5));
    assert_in_order(
        &page,
        &["<h1>candidate against main", "WORSE", "candidate is worse than main in response p50 ×", "INTEGRITY PASS"],
    );
    assert_in_order(
        &page,
        &[
            ">Series<",
            "response p99: candidate over main",
            "20,000 records/s",
            "geometric mean of 2 loads",
            "candidate against main",
            "✗ worse",
            "Response against offered rate",
            "Response by percentile",
            "Achieved throughput",
            "Response heat map",
            "Response, service and lag",
            "Broker CPU, s/GB",
            ">Environment<",
            "that made these runs",
        ],
    );
    assert!(page.contains("goal p99&lt;10ms"), "the goal is a line in the percentile chart");
    assert!(page.contains("in 5 runs"), "n is told");
}

#[test]
fn equal_sides_are_called_equal_and_too_few_runs_say_so() {
    let same = html_report(&comparison(&[20_000.0], 1.0));
    assert!(same.contains("NO DIFFERENCE"), "nothing differs");
    assert!(same.contains("Ratios: candidate over main"), "one load: the forest is over the figures");
    let few: Vec<RunResult> = comparison(&[20_000.0], 2.0).into_iter().take(6).collect();
    let page = html_report(&few);
    assert!(page.contains("NOT RANKED"), "3 v 3 cannot show anything");
    assert!(!page.contains("✗ worse"));
}

#[test]
fn rows_columns_and_base_are_chosen_as_in_a_comparison() {
    let key = |text: &str| Key::parse(text).expect("a path");
    let runs = comparison(&[10_000.0, 20_000.0], 1.5);
    let based = Layout { base: Some("candidate".into()), ..Layout::default() };
    let page = html_report_by(&runs, &based).expect("there is such a column");
    assert!(page.contains("main against candidate"), "the base is what the other is held against");
    let by_rate =
        Layout { column: vec![key("workload.arrival.records_per_s")], row: vec![key("label")], ..Layout::default() };
    let page = html_report_by(&runs, &by_rate).expect("all have a rate");
    assert!(page.contains("20000.0 against 10000.0") && page.contains("label=candidate"), "{:?}", headings(&page));
    let one_side = Layout { filter: vec![Filter::parse("label=main").expect("a filter")], ..Layout::default() };
    let page = html_report_by(&runs, &one_side).expect("some are left");
    assert!(!page.contains("candidate"), "what is filtered away is not on the page");
    for (wrong, why) in [
        (Layout { base: Some("nobody".into()), ..Layout::default() }, "no column is called"),
        (Layout { row: vec![key("workload.colour")], ..Layout::default() }, "no result has the key"),
    ] {
        let refused = html_report_by(&runs, &wrong).expect_err("it names what is not there");
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

#[test]
fn unlike_durability_is_shown_and_not_ranked() {
    let mut runs = comparison(&[20_000.0], 1.5);
    for run in runs.iter_mut().filter(|run| run.label.as_deref() == Some("candidate")) {
        run.target.durability.acks = Acks::Leader;
    }
    let page = html_report(&runs);
    assert!(page.contains("UNLIKE") && page.contains("unlike durability"));
    assert!(page.contains("NOT RANKED") && !page.contains("✗ worse"));
    assert_in_order(&page, &["1 fact differs", "≠", "target durability acks"]);
}

#[test]
fn curve_has_its_knee_its_faults_and_grey_figures_where_it_saturates() {
    let page = page("curve", &curve());
    assert!(headings(&page).contains(&"Response against offered rate"));
    assert!(page.contains(">knee</text>") && page.contains("saturated at 80.0 MB/s"));
    assert!(page.contains("class=\"fault\"") && page.contains(">pause</text>"));
    assert_in_order(&page, &["OUTCOME", "at the highest load that it kept up with: 60.0 MB/s", "SATURATED"]);
    assert_eq!(page.matches("<td class=\"of-queue\">").count(), 4, "the latencies of the saturated point are grey");
}

#[test]
fn history_marks_the_change_of_level() {
    let page = page("history", &history());
    assert!(page.contains("History of response p99: posthaste"), "{:?}", headings(&page));
    let start = page.find("History of response p99").unwrap_or_default();
    let chart = page[start..].split("</section>").next().unwrap_or_default();
    assert_eq!(
        chart.matches("class=\"rule\"").count(),
        1,
        "one change of level, between the third and the fourth commit"
    );
}

#[test]
fn sweep_and_drain_have_charts_of_their_own() {
    let mut runs: Vec<RunResult> = [1_u32, 8, 64]
        .into_iter()
        .map(|partitions| {
            let mut run = numbered(calm_run(), partitions);
            run.kind = Kind::SweepPoint;
            run.workload.partitions = partitions;
            run
        })
        .collect();
    let page = html_report(&runs);
    assert!(headings(&page).contains(&"Goodput by partitions"), "{:?}", headings(&page));
    assert!(headings(&page).contains(&"Response p99 by partitions"));
    runs.truncate(1);
    runs[0].kind = Kind::Drain;
    let series = runs[0].series.as_mut().expect("the sample has series");
    series.consumed_bytes_per_s.iter_mut().take(10).for_each(|rate| *rate = Some(5e6));
    assert!(headings(&html_report(&runs)).contains(&"Backlog of the consumers"));
}

#[test]
fn runs_that_failed_are_listed_and_are_no_samples() {
    let mut runs = comparison(&[20_000.0], 1.5);
    runs[0].integrity.verdict = Verdict::Fail;
    runs[0].integrity.examples = vec!["partition 3 lost record 7".into()];
    runs[1].error = Some("the broker went away".into());
    let page = html_report(&runs);
    assert_in_order(&page, &["INTEGRITY FAILED", "partition 3 lost record 7", "LEFT OUT", "2 of 10 runs"]);
    assert!(page.contains("✗ integrity failed 1 of 5") && page.contains("the broker went away"));
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let runs = comparison(&[20_000.0, 40_000.0], 1.2);
    assert_eq!(html_report(&runs), html_report(&runs));
    let mut later_first = runs.clone();
    later_first[2..].reverse();
    let (one, other) = (html_report(&runs), html_report(&later_first));
    assert_eq!(one.len(), other.len());
    assert_eq!(headings(&one), headings(&other), "only the order of the sides matters");
}

#[test]
fn five_against_five_of_three_hundred_seconds_stay_below_a_megabyte() {
    let runs: Vec<RunResult> = comparison(&[20_000.0], 1.5).into_iter().map(|run| stretched(run, 300)).collect();
    let page = page("large", &runs);
    println!("a report of 5 v 5 x 300 s has {} bytes", page.len());
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.len() > 200_000, "the series are in it");
}

#[test]
fn hundreds_of_long_runs_stay_bounded() {
    let long = stretched(calm_run(), 900);
    let runs: Vec<RunResult> = (0..120).map(|number| numbered(long.clone(), number)).collect();
    let page = html_report(&runs);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("of 120 runs are drawn"));
}

#[test]
fn hostile_text_becomes_neither_markup_nor_script_nor_policy() {
    let evil = "</script><script>window.planted=1</script><img src=x onerror=window.planted=1>\u{1b}\"'&\u{2028}";
    let mut runs = comparison(&[20_000.0, 40_000.0], 1.5);
    for (index, run) in runs.iter_mut().enumerate() {
        run.label = Some(format!("{evil}{}", index % 2));
        run.target.product = evil.into();
        run.target.version = Some(evil.into());
        run.target.config.insert(evil.into(), format!("{evil}{index}"));
        run.command = vec![evil.into()];
        run.quality.notes = vec![evil.into()];
        run.slo[0].expr = format!("p99<{evil}");
        run.loadgen.version = evil.into();
    }
    runs[0].error = Some(evil.into());
    runs[0].integrity.examples = vec![evil.into()];
    let page = page("hostile", &runs);
    let policy = page.find("script-src 'sha256-").expect("the policy names scripts by hash");
    assert!(!page[policy..policy + 200].contains("unsafe-inline'; script"), "no other script runs");
    assert_eq!(page.matches("<script").count(), 3, "data, library and the page's own");
    assert!(!page.contains("<img"));
    assert!(!page.contains('\u{1b}'));
    let data = page.split("id=\"plots\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data");
    let plots: serde_json::Value = serde_json::from_str(data).expect("whole JSON");
    assert!(plots.as_array().is_some_and(|plots| plots.len() > 5));
    assert!(!data.contains('\u{2028}') && data.contains("\\u003cscript"), "the labels are in it, escaped");
}

#[test]
fn page_names_no_address_but_that_of_its_library() {
    let page = html_report(&comparison(&[20_000.0], 1.5));
    for foreign in ["<link", "src=", "@import", "url(", "<iframe", "<base", "http-equiv=\"refresh"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let addresses: Vec<&str> = page.match_indices("://").map(|(at, _)| &page[at - 5..at + 30]).collect();
    assert_eq!(addresses, ["https://github.com/leeoniya/uPlot ("], "the library names its home in a comment");
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("Copyright (c) 2022 Leon Sorokin"), "the licence of the library travels with it");
}

#[test]
fn ids_of_charts_are_unique() {
    for runs in [comparison(&[20_000.0, 40_000.0, 60_000.0], 1.5), curve(), history()] {
        let page = html_report(&runs);
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(all, ids.len(), "{ids:?}");
    }
}

#[test]
fn command_reads_folders_and_refuses_what_is_no_result() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for run in comparison(&[20_000.0], 1.5) {
        let json = serde_json::to_vec(&run).expect("plain structs");
        fs::write(folder.path().join(&run.id).with_extension("json"), json).expect("writable");
    }
    let html: PathBuf = folder.path().join("new/report.html");
    let report = |input: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("report").arg(input).arg("--html").arg(&html).output().expect("the program starts")
    };
    let output = report(folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("(10 runs, "));
    assert!(fs::read_to_string(&html).expect("the page").contains("WORSE"));
    let missing = report(Path::new("/nonexistent/results"));
    assert_eq!(missing.status.code(), Some(3));
    let told = String::from_utf8_lossy(&missing.stderr);
    assert!(told.starts_with("loadgen: ") && told.lines().count() == 1, "{told}");
}
