//! Comparisons say what runs can carry and nothing more: each rule of what is ranked, marked, left out or told.

use crate::sample::{calm_run, failed_run, saturated_run};
use loadgen::compare::{
    Filter, Finding, Grid, GridError, Key, Layout, Mark, Metric, Outcome, Settings, markdown, text,
};
use loadgen::report::Colour;
use loadgen::result::{ArrivalKind, ClientMode, CoreSplit, Fsync, Rate, RunResult, Verdict};

/// A fixed saw of up to 1 % stands for the noise of repeats.
const NOISE: [f64; 8] = [0.0, 0.008, -0.006, 0.004, -0.009, 0.002, -0.003, 0.006];

/// Repeats as fast as they go, at `speed` times 200 MB/s.
fn closed_loop(label: &str, repeats: usize, speed: f64) -> Vec<RunResult> {
    let mut runs = labelled(label, repeats);
    for (run, noise) in runs.iter_mut().zip(NOISE) {
        run.workload.arrival.kind = ArrivalKind::ClosedLoop;
        run.workload.arrival.records_per_s = None;
        run.quality.closed_loop = true;
        let records_per_s = 200_000.0 * speed * (1.0 + noise);
        let rate = Rate { records_per_s, bytes_per_s: records_per_s * 1_000.0 };
        let produce = run.summary.produce.as_mut().expect("the sample produces");
        (produce.offered, produce.achieved, produce.goodput) = (None, rate, rate);
    }
    runs
}

/// Repeats at a fixed rate, with `slowness` times the latency of the sample.
fn fixed_rate(label: &str, repeats: usize, slowness: f64) -> Vec<RunResult> {
    let mut runs = labelled(label, repeats);
    for (run, noise) in runs.iter_mut().zip(NOISE) {
        let scaled = |ns: &mut Option<u64>| *ns = ns.map(|ns| (ns as f64 * slowness * (1.0 + noise)) as u64);
        let produce = run.summary.produce.as_mut().expect("the sample produces");
        let consume = run.summary.consume.as_mut().expect("the sample consumes");
        for latency in [&mut produce.latency.response, &mut consume.latency.end_to_end].into_iter().flatten() {
            for percentile in [&mut latency.p50_ns, &mut latency.p99_ns, &mut latency.p99_9_ns] {
                scaled(percentile);
            }
        }
    }
    runs
}

fn labelled(label: &str, repeats: usize) -> Vec<RunResult> {
    (1..=repeats)
        .zip(NOISE)
        .map(|(repeat, noise)| {
            let mut run = calm_run();
            run.id = format!("20261123T14{repeat:02}00Z-{label}");
            run.label = Some(label.into());
            let broker = run.resources.broker.as_mut().expect("the sample has a broker");
            broker.cpu_s_per_gb = broker.cpu_s_per_gb.map(|cpu| cpu * (1.0 - noise));
            broker.rss_max_bytes = broker.rss_max_bytes.map(|rss| (rss as f64 * (1.0 + noise / 2.0)) as u64);
            run
        })
        .collect()
}

fn all(sides: [Vec<RunResult>; 2]) -> Vec<RunResult> {
    sides.into_iter().flatten().collect()
}

fn grid(runs: &[RunResult]) -> Grid {
    Grid::new(runs, &Layout::default(), &Settings::default()).expect("runs that can be laid out")
}

fn finding(grid: &Grid, metric: Metric) -> &Finding {
    &grid.rows[0].comparisons[0].metric(metric).expect("it was measured").finding
}

fn why_not(grid: &Grid, metric: Metric) -> &str {
    match finding(grid, metric) {
        Finding::NotRanked(reason) | Finding::TooFew(reason) => reason,
        other => panic!("{metric:?} is {other:?}"),
    }
}

/// Compares with a committed file; a new text lies beside the test's other files.
fn assert_golden(name: &str, actual: &str, committed: &str) {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, actual).expect("the target directory is writable");
    assert_eq!(actual, committed, "the new text is in {}", path.display());
}

#[test]
fn closed_loop_ranks_throughput_and_costs_but_no_latency() {
    let grid = grid(&all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 0.9)]));
    assert_eq!(grid.outcome, Outcome::Regression);
    assert_eq!(finding(&grid, Metric::Goodput), &Finding::Worse);
    assert_eq!(finding(&grid, Metric::GoodputRecords), &Finding::Worse);
    assert!(why_not(&grid, Metric::ResponseP99).starts_with("closed loop"));
    assert!(finding(&grid, Metric::BrokerCpu).is_ranked());
    let goodput = grid.rows[0].comparisons[0].metric(Metric::Goodput).expect("measured");
    let ratio = goodput.ratio.expect("ranked");
    assert!((ratio.value - 0.9).abs() < 0.005 && ratio.low < 0.9 && ratio.high > 0.9, "{ratio:?}");
    assert!(ratio.confidence >= 0.95);
    assert!((goodput.p.expect("ranked") - 0.007_937).abs() < 1e-6);
    assert!((goodput.p_holm.expect("ranked") - 0.015_873).abs() < 1e-6, "two throughput figures were asked");
}

#[test]
fn fixed_rate_ranks_latencies_and_costs_but_no_throughput() {
    let grid = grid(&all([fixed_rate("main", 5, 1.0), fixed_rate("candidate", 5, 0.7)]));
    assert_eq!(grid.outcome, Outcome::Better);
    assert_eq!(finding(&grid, Metric::ResponseP99), &Finding::Better);
    assert_eq!(finding(&grid, Metric::EndToEndP50), &Finding::Better);
    assert!(why_not(&grid, Metric::Goodput).starts_with("open loop"));
    assert_eq!(finding(&grid, Metric::BrokerCpu), &Finding::Same, "equal costs within narrow bounds");
}

#[test]
fn text_is_aligned_and_leads_with_the_verdict() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 0.9)]);
    runs[7].quality.noisy = true;
    runs[2].quality.steady = Some(false);
    let text = text(&grid(&runs), 120, Colour::Plain);
    assert_golden("compare.txt", &text, include_str!("golden/compare.txt"));
}

#[test]
fn markdown_of_several_loads_has_a_table_a_figure_and_a_geometric_mean() {
    let mut runs = Vec::new();
    for (partitions, speed) in [(1, 1.1), (8, 1.2)] {
        for mut run in all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, speed)]) {
            run.workload.partitions = partitions;
            run.id = format!("{}-{partitions}", run.id);
            runs.push(run);
        }
    }
    let settings = Settings { metrics: vec![Metric::Goodput, Metric::BrokerCpu], ..Settings::default() };
    let grid = Grid::new(&runs, &Layout::default(), &settings).expect("two loads");
    assert_eq!(grid.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["partitions=1", "partitions=8"]);
    let mean = grid.geomeans.iter().find(|mean| mean.metric == Metric::Goodput).expect("two rows rank it");
    assert!((mean.ratio - (1.1_f64 * 1.2).sqrt()).abs() < 1e-9);
    assert!(mean.interval.low < mean.ratio && mean.ratio < mean.interval.high);
    assert_golden("compare.md", &markdown(&grid), include_str!("golden/compare.md"));
}

#[test]
fn narrow_terminal_gets_lines_that_fit_and_lose_nothing() {
    let runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate-with-a-name", 5, 0.9)]);
    let page = text(&grid(&runs), 40, Colour::Plain);
    assert!(page.lines().all(|line| line.chars().count() <= 40), "{page}");
    for wanted in ["change -10.0 %", "n 5 v 5", "WORSE", "detects"] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
}

#[test]
fn colours_do_not_change_the_text() {
    let grid = grid(&all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 0.9)]));
    let coloured = text(&grid, 120, Colour::Ansi);
    assert!(coloured.contains("\u{1b}[1;31mWORSE\u{1b}[0m"));
    let bare = coloured.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "");
    assert_eq!(bare, text(&grid, 120, Colour::Plain));
}

#[test]
fn three_runs_a_side_show_nothing_and_say_so() {
    let grid = grid(&all([closed_loop("main", 3, 1.0), closed_loop("candidate", 3, 0.5)]));
    assert_eq!(grid.outcome, Outcome::NothingComparable);
    let goodput = grid.rows[0].comparisons[0].metric(Metric::Goodput).expect("measured");
    assert!((goodput.p.expect("tested") - 0.10).abs() < 1e-12);
    assert_eq!(goodput.detectable_ratio, None);
    assert!(why_not(&grid, Metric::Goodput).contains("3 v 3 runs reach p = 0.10"));
    assert!(text(&grid, 120, Colour::Plain).contains("nothing"));
    let enough = "5 a side can show something";
    assert!(why_not(&grid, Metric::Goodput).contains(enough), "two figures halve the level");
}

#[test]
fn equal_sides_show_no_difference_and_what_could_have_been_found() {
    let grid = grid(&all([fixed_rate("main", 8, 1.0), fixed_rate("candidate", 8, 1.0)]));
    assert_eq!(grid.outcome, Outcome::NoDifference);
    let p99 = grid.rows[0].comparisons[0].metric(Metric::ResponseP99).expect("measured");
    assert!((p99.p.expect("ranked") - 1.0).abs() < 1e-9);
    let detectable = p99.detectable_ratio.expect("eight runs can show something");
    assert!(detectable > 1.005 && detectable < 1.05, "{detectable}");
}

#[test]
fn difference_below_the_threshold_is_no_regression() {
    let runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 0.975)]);
    let small = grid(&runs);
    assert_eq!(finding(&small, Metric::Goodput), &Finding::Small);
    assert_eq!(small.outcome, Outcome::NoDifference);
    let strict = Settings { threshold: Some(0.01), ..Settings::default() };
    let strict = Grid::new(&runs, &Layout::default(), &strict).expect("two sides");
    assert_eq!(strict.outcome, Outcome::Regression);
}

#[test]
fn unlike_durability_is_shown_and_not_ranked_unless_forced() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 2.0)]);
    runs[5..].iter_mut().for_each(|run| run.target.durability.fsync = Fsync::None);
    let careful = grid(&runs);
    assert_eq!(careful.outcome, Outcome::NothingComparable);
    assert!(why_not(&careful, Metric::Goodput).starts_with("unlike durability (main: acks=all, flushed to disk"));
    let page = text(&careful, 120, Colour::Plain);
    assert!(page.starts_with("NOTHING COMPARABLE") && page.contains("400"), "{page}");
    let forced = Settings { force: true, ..Settings::default() };
    let forced = Grid::new(&runs, &Layout::default(), &forced).expect("two sides");
    assert_eq!(finding(&forced, Metric::Goodput), &Finding::Better);
    assert!(text(&forced, 120, Colour::Plain).contains("ranked because of --force: unlike durability"));
}

#[test]
fn raw_and_modelled_clients_are_not_ranked() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 2.0)]);
    runs[5..].iter_mut().for_each(|run| run.workload.client_mode = ClientMode::Raw);
    assert_eq!(why_not(&grid(&runs), Metric::Goodput), "unlike client modes (main: modelled; candidate: raw)");
}

#[test]
fn one_saturated_run_keeps_latencies_from_being_ranked() {
    let mut runs = all([fixed_rate("main", 5, 1.0), fixed_rate("candidate", 5, 1.0)]);
    runs[6].quality = saturated_run().quality;
    let grid = grid(&runs);
    assert!(why_not(&grid, Metric::ResponseP50).starts_with("saturated (candidate 1 of 5)"));
    assert!(why_not(&grid, Metric::BrokerCpu).starts_with("saturated"));
    let candidate = &grid.rows[0].comparisons[0].b;
    assert_eq!(candidate.letters(), "abc", "saturated, client-limited and unsteady, as the sample is");
    assert!(text(&grid, 200, Colour::Plain).contains(" abc  "), "marked in each cell");
}

#[test]
fn latencies_of_unequal_offered_rates_are_not_ranked() {
    let mut runs = all([fixed_rate("main", 5, 1.0), fixed_rate("candidate", 5, 1.0)]);
    runs[5..].iter_mut().for_each(|run| run.workload.arrival.records_per_s = Some(40_000.0));
    let grid = grid(&runs);
    assert_eq!(why_not(&grid, Metric::ResponseP99), "offered rates differ: 20,000 to 40,000 records/s");
    assert!(grid.warnings[0].contains("workload.arrival.records_per_s"), "{:?}", grid.warnings);
}

#[test]
fn throughput_that_the_generator_set_is_not_ranked() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 0.8)]);
    runs[0].quality.client_limited = true;
    let grid = grid(&runs);
    assert!(why_not(&grid, Metric::Goodput).starts_with("client-limited (main 1 of 5)"));
    assert!(finding(&grid, Metric::BrokerCpu).is_ranked(), "what the broker spent is its own");
}

#[test]
fn broken_retracted_and_copied_runs_are_listed_and_no_samples() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 1.0)]);
    let broken = failed_run();
    runs[5].integrity = broken.integrity;
    runs[6].error = broken.error;
    runs[7].integrity.verdict = Verdict::Incomplete;
    runs[8].tags = vec!["retracted".into()];
    runs.push(runs[9].clone());
    let grid = grid(&runs);
    let candidate = &grid.rows[0].comparisons[0].b;
    assert_eq!((candidate.samples, candidate.left_out.len()), (1, 5));
    assert_eq!(candidate.marked(Mark::LeftOut), 5);
    assert!(candidate.left_out[0].reason.contains("lost"));
    assert!(candidate.left_out[4].reason.contains("copy"));
    let page = text(&grid, 120, Colour::Plain);
    assert!(page.contains("left out") && page.contains("ended early: the broker closed the connection"), "{page}");
}

#[test]
fn runs_that_differ_in_a_hidden_key_are_told() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 1.0)]);
    runs[3].target.version = Some("0.2.0".into());
    let told = grid(&runs).warnings;
    assert_eq!(told, ["main: runs that are taken for repeats differ in target.version (0.1.0, 0.2.0)"]);
}

#[test]
fn machines_and_settings_that_differ_between_sides_are_listed() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 1.0)]);
    for run in &mut runs[5..] {
        run.env[0].kernel = "6.19.0".into();
        run.env[0].core_split = Some(CoreSplit { loadgen: "1".into(), broker: Some("0".into()) });
        run.workload.linger_ms = 5.0;
        run.workload.seed = 99;
        run.target.bootstrap = "127.0.0.1:1".into();
    }
    let grid = grid(&runs);
    let keys: Vec<&str> = grid.rows[0].comparisons[0].differences.iter().map(|of| of.key.as_str()).collect();
    let split = ["env.colocated.core_split.broker", "env.colocated.core_split.loadgen"];
    let expected = [split[0], split[1], "env.colocated.kernel", "workload.linger_ms"];
    assert_eq!(keys, expected, "neither seed nor port is a setting");
    let page = text(&grid, 120, Colour::Plain);
    assert!(page.contains("machine     env.colocated.kernel: main 6.18.0, candidate 6.19.0"), "{page}");
    assert_eq!(grid.warnings, ["the sides ran unlike loads: they differ in workload.linger_ms"]);
}

#[test]
fn keys_make_rows_and_columns_and_filters_choose_runs() {
    let mut runs = Vec::new();
    for (version, speed) in [("0.1.0", 1.0), ("0.2.0", 1.3)] {
        for producers in [1, 2] {
            for mut run in closed_loop("x", 5, speed) {
                run.target.version = Some(version.into());
                run.workload.producers = producers;
                run.id = format!("{}-{version}-{producers}", run.id);
                runs.push(run);
            }
        }
    }
    let key = |text: &str| Key::parse(text).expect("a path");
    let layout = Layout {
        row: vec![key("workload.producers")],
        column: vec![key("target.version")],
        base: Some("0.2.0".into()),
        ..Layout::default()
    };
    let settings = Settings::default();
    let grid = Grid::new(&runs, &layout, &settings).expect("two by two");
    assert_eq!(grid.columns, ["0.2.0", "0.1.0"]);
    assert_eq!(grid.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["producers=1", "producers=2"]);
    assert_eq!(grid.outcome, Outcome::Regression, "the older one is slower than the base");
    let filter = |text: &str| Layout { filter: vec![Filter::parse(text).expect("a filter")], ..layout.clone() };
    let one = Grid::new(&runs, &filter("workload.producers!=1"), &settings).expect("one row");
    assert_eq!(one.rows.len(), 1);
    let refused = |layout: &Layout| Grid::new(&runs, layout, &settings).expect_err("refused");
    assert_eq!(refused(&filter("workload.producers=7")), GridError::NothingLeft);
    assert_eq!(refused(&filter("workload.prodcers=1")), GridError::UnknownKey("workload.prodcers".into()));
    let base = Layout { base: Some("0.3.0".into()), ..layout.clone() };
    assert!(refused(&base).to_string().contains("there are 0.1.0, 0.2.0"));
}

#[test]
fn rows_are_named_by_the_fewest_keys_that_tell_them_apart() {
    let mut runs = Vec::new();
    for (partitions, record_bytes, linger_ms) in [(1, 100, 1.0), (1, 1_000, 5.0), (8, 1_000, 5.0)] {
        for mut run in all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 1.0)]) {
            (run.workload.partitions, run.workload.record_bytes) = (partitions, record_bytes);
            run.workload.linger_ms = linger_ms;
            run.target.version = run.label.clone();
            run.id = format!("{}-{partitions}-{record_bytes}", run.id);
            runs.push(run);
        }
    }
    let labels = |grid: &Grid| grid.rows.iter().map(|row| row.label.clone()).collect::<Vec<_>>();
    let wanted = ["partitions=1 record_bytes=100", "partitions=1 record_bytes=1000", "partitions=8 record_bytes=1000"];
    let by_label = grid(&runs);
    assert_eq!(labels(&by_label), wanted, "linger follows the record size here");
    assert_eq!(by_label.rows[0].comparisons[0].differences[0].key, "target.version");
    for run in &mut runs {
        run.label = None;
    }
    let by_version = grid(&runs);
    assert_eq!(by_version.columns, ["posthaste main", "posthaste candidate"]);
    assert!(by_version.rows[0].comparisons[0].differences.is_empty(), "the columns say it already");
}

#[test]
fn drawn_splits_are_told_where_there_are_too_many_to_count() {
    let many = |label: &str| -> Vec<RunResult> {
        let runs = (0..5).flat_map(|_| closed_loop(label, 8, 1.0)).enumerate();
        runs.map(|(index, run)| RunResult { id: format!("{label}-{index}"), ..run }).collect()
    };
    let told = |runs: &[RunResult]| text(&grid(runs), 200, Colour::Plain).contains("rest on 20000 drawn splits");
    assert!(told(&all([many("main"), many("candidate")])));
    assert!(!told(&all([closed_loop("main", 8, 1.0), closed_loop("candidate", 8, 1.0)])));
}

#[test]
fn one_side_alone_shows_its_noise() {
    let grid = grid(&closed_loop("main", 5, 1.0));
    assert_eq!(grid.outcome, Outcome::NothingComparable);
    let page = text(&grid, 120, Colour::Plain);
    assert!(page.starts_with("NOTHING COMPARABLE: all runs are of one side, main"), "{page}");
    assert!(page.contains("200 ±0.7 %"), "{page}");
    assert!(!page.contains("verdict") && !page.contains("change"), "{page}");
}

#[test]
fn foreign_text_cannot_move_the_cursor_or_become_markup() {
    let mut runs = all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 1.0)]);
    for run in &mut runs[5..] {
        run.label = Some("\u{1b}[2J<b>|x".into());
        run.error = Some("gone\u{1b}[H\nfake line".into());
    }
    let grid = grid(&runs);
    assert!(!text(&grid, 120, Colour::Plain).contains('\u{1b}'));
    let markdown = markdown(&grid);
    assert!(!markdown.contains('\u{1b}') && !markdown.contains("<b>"), "{markdown}");
    assert!(markdown.lines().filter(|line| line.starts_with('|')).all(|line| !line.contains("b>|x")), "{markdown}");
    assert!(!markdown.lines().any(|line| line.starts_with("fake")), "{markdown}");
}

#[test]
fn json_holds_the_values_and_the_findings() {
    let grid = grid(&all([closed_loop("main", 5, 1.0), closed_loop("candidate", 5, 0.9)]));
    let json = serde_json::to_value(&grid).expect("plain data");
    let goodput = &json["rows"][0]["comparisons"][0]["metrics"][0];
    assert_eq!(json["outcome"], "regression");
    assert_eq!((&goodput["metric"], &goodput["finding"]), (&"goodput".into(), &"worse".into()));
    assert_eq!(goodput["a"]["values"].as_array().map(Vec::len), Some(5));
    assert_eq!(goodput["method"], "exact");
    let latency = &json["rows"][0]["comparisons"][0]["metrics"][2];
    assert_eq!((&latency["finding"], latency["reason"].is_string()), (&"not-ranked".into(), true));
}
