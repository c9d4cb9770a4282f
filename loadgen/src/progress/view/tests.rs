//! The view as a terminal shows it, at the sizes that people have.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Position;

use super::*;

fn snapshot() -> Snapshot {
    Snapshot {
        run: 1,
        phase: "measure",
        elapsed_secs: 12,
        planned_secs: 20,
        achieved: Some(Achieved {
            offered_bytes_per_s: Some(20e6),
            bytes_per_s: 19.99e6,
            records_per_s: 19_990.0,
            response_p50_ns: Some(900_000),
            response_p99_ns: Some(4_200_000),
            end_to_end_p50_ns: Some(1_200_000),
            end_to_end_p99_ns: Some(6_000_000),
        }),
        unread_records: Some(1_200),
        errors: 0,
        integrity_faults: Some(0),
        broker: Some(ProcessUse { cpu_cores: 0.451, rss_bytes: 120 << 20 }),
        loadgen: Some(ProcessUse { cpu_cores: 0.3, rss_bytes: 50 << 20 }),
    }
}

/// A view after twelve seconds whose rate and latency rise.
fn view(last: &Snapshot) -> View {
    let mut view = View::new(true);
    view.set_title("run 3 of 10, candidate");
    for second in 1..=12_u64 {
        let achieved = last.achieved.clone().map(|achieved| Achieved {
            bytes_per_s: achieved.bytes_per_s * second as f64 / 12.0,
            response_p99_ns: achieved.response_p99_ns.map(|ns| ns * second / 12),
            ..achieved
        });
        view.take(&Snapshot { elapsed_secs: second, achieved, ..last.clone() });
    }
    view
}

/// The picture on ratatui's terminal for tests.
fn shown(view: &View, columns: u16, rows: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a test terminal");
    terminal.draw(|frame| frame.buffer_mut().merge(&view.draw(columns, rows))).expect("it draws");
    terminal
}

fn lines(view: &View, columns: u16, rows: u16) -> Vec<String> {
    let terminal = shown(view, columns, rows);
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn an_ordinary_terminal_shows_everything_in_seven_lines() {
    let expected = [
        "run 3 of 10, candidate",
        "measure     12 of 20 s ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━───────────────────────",
        "achieved    20.0 of 20.0 MB/s offered · 19,990 records/s         ▁▂▂▃▄▄▅▆▆▇█",
        "response    p50  900 µs · p99 4.20 ms                            ▁▂▂▃▄▄▅▆▆▇█",
        "end to end  p50 1.20 ms · p99 6.00 ms",
        "records     no errors · no integrity faults · 1,200 unread",
        "processes   broker 0.45 cores 120 MiB · loadgen 0.30 cores 50.0 MiB",
    ];
    assert_eq!(lines(&view(&snapshot()), 80, 24), expected);
}

#[test]
fn a_narrow_terminal_wraps_between_parts() {
    let expected = [
        "run 3 of 10, candidate",
        "measure     12 of 20 s ━━━━━━━━━───────",
        "achieved    20.0 of 20.0 MB/s offered",
        "            19,990 records/s  ▂▃▄▄▅▆▆▇█",
        "response    p50  900 µs · p99 4.20 ms",
        "end to end  p50 1.20 ms · p99 6.00 ms",
        "records     no errors",
        "            no integrity faults",
        "            1,200 unread",
        "processes   broker 0.45 cores 120 MiB",
        "            loadgen 0.30 cores 50.0 MiB",
    ];
    assert_eq!(lines(&view(&snapshot()), 40, 15), expected);
}

#[test]
fn a_low_terminal_keeps_what_matters_most() {
    let kept = lines(&view(&snapshot()), 80, 4);
    let names: Vec<&str> = kept.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["measure", "achieved", "records"]);
    for rows in 1..10 {
        for columns in [1, 2, 5, 11, 13, 20, 500] {
            let drawn = view(&snapshot()).draw(columns, rows);
            assert!(drawn.area.height < rows && drawn.area.width <= columns.max(1), "{columns} x {rows}");
        }
    }
}

#[test]
fn faults_and_a_rate_behind_its_offer_stand_out_with_and_without_colour() {
    let mut bad = snapshot();
    (bad.errors, bad.integrity_faults) = (3, Some(7));
    bad.achieved = bad.achieved.map(|achieved| Achieved { bytes_per_s: 12e6, ..achieved });
    let mut view = view(&bad);
    view.take(&bad);
    for (colour, red, yellow) in [(true, Color::Red, Color::Yellow), (false, Color::Reset, Color::Reset)] {
        view.colour = colour;
        let terminal = shown(&view, 80, 24);
        let buffer = terminal.backend().buffer();
        let rows = lines(&view, 80, 24);
        assert!(rows.iter().any(|row| row.contains("3 ERRORS · 7 INTEGRITY FAULTS")), "{rows:?}");
        for (name, expected) in [("records", red), ("achieved", yellow)] {
            let y = rows.iter().position(|row| row.starts_with(name)).expect("a row of this name") as u16;
            let cell = buffer.cell(Position::new(14, y)).expect("on the screen");
            assert_eq!((cell.fg, cell.modifier), (expected, Modifier::BOLD), "{name}");
        }
    }
}

#[test]
fn another_run_begins_with_empty_sparklines_and_a_title_hides_the_last_run() {
    let mut view = view(&snapshot());
    assert_eq!(view.rates.len(), 12);
    view.take(&Snapshot { run: 2, ..snapshot() });
    assert_eq!(view.rates.len(), 1);
    view.set_title("run 4 of 10, main");
    assert_eq!(lines(&view, 80, 24), ["run 4 of 10, main"]);
}

#[test]
fn the_drain_tells_what_is_left() {
    let mut view = view(&snapshot());
    view.take(&Snapshot { phase: "drain", elapsed_secs: 3, planned_secs: 0, achieved: None, ..snapshot() });
    let rows = lines(&view, 80, 24);
    assert_eq!(rows[1], "drain       3 s, waiting for the rest");
    assert!(rows[2].ends_with("1,200 unread") && !rows.iter().any(|row| row.starts_with("achieved")), "{rows:?}");
}

#[test]
fn a_run_of_a_week_remembers_no_more_than_it_shows() {
    let mut view = View::new(true);
    for second in 0..100_000 {
        view.take(&Snapshot { elapsed_secs: second, ..snapshot() });
    }
    assert_eq!((view.rates.len(), view.p99s.len()), (HISTORY_MAX, HISTORY_MAX));
}
