//! What a suite found: a page over all results, and a summary with a table a cell. Unlike durability classes stand side by side and
//! are not ranked.

use std::fmt::Write;
use std::path::PathBuf;

use super::figure::Figure;
use super::file::Suite;
use super::overview::overview;
use super::place::Place;
use super::plan::Cell;
use crate::compare::{Grid, Key, Layout, Settings, load, markdown};
use crate::error::{Error, local};
use crate::report::{html_report, peers_picture, write_whole};
use crate::result::RunResult;

const FIGURES: [Figure; 7] =
    [Figure::PRODUCED, Figure::P50, Figure::P99, Figure::P99_9, Figure::CONSUMED, Figure::END_TO_END, Figure::CPU];

/// Writes `summary.md`, `summary.svg` and `report.html` beside the results; their paths.
pub fn write_summary(suite: &Suite, place: &Place, notes: &[String]) -> Result<Vec<PathBuf>, Error> {
    let cells: Vec<(&str, Vec<RunResult>)> = suite
        .cells
        .iter()
        .map(|cell| Ok((cell.name.as_str(), runs_of(suite, place, cell)?)))
        .collect::<Result<_, Error>>()?;
    let mut written = Vec::new();
    let mut keep = |name: &str, text: &str| {
        let path = place.folder().join(name);
        write_whole(&path, text.as_bytes()).map_err(local(format!("cannot write {}", path.display())))?;
        written.push(path);
        Ok::<(), Error>(())
    };
    keep("summary.md", &summary(suite, place, notes, &cells))?;
    if let Some(picture) = picture(suite, place, &cells) {
        keep("summary.svg", &picture)?;
    }
    let runs: Vec<RunResult> = cells.into_iter().flat_map(|(_, runs)| runs).collect();
    if !runs.is_empty() {
        keep("report.html", &html_report(&runs))?;
    }
    Ok(written)
}

fn runs_of(suite: &Suite, place: &Place, cell: &Cell) -> Result<Vec<RunResult>, Error> {
    let repeats = 1..=suite.repeats_of(cell);
    let files =
        suite.peers.iter().flat_map(|peer| repeats.clone().map(|repeat| place.file(&peer.name, &cell.name, repeat)));
    let files: Vec<PathBuf> = files.filter(|file| file.exists()).collect();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    load(&files).map(|loaded| loaded.runs).map_err(|error| Error::Suite(error.to_string()))
}

fn summary(suite: &Suite, place: &Place, notes: &[String], cells: &[(&str, Vec<RunResult>)]) -> String {
    let mut text = format!(
        "# {}\n\nMedians (smallest-largest). Classes of durability stand side by side and are not ranked against each other.\n",
        place.title()
    );
    let failed = cells.iter().flat_map(|(cell, runs)| {
        let failed = runs.iter().filter(|run| !run.is_sample());
        failed.map(move |run| {
            let why = run.error.as_deref().unwrap_or("records were lost or harmed");
            format!("{cell}, {}: a run failed and is no sample: {why}", run.label.as_deref().unwrap_or_default())
        })
    });
    let notes: Vec<String> = notes.iter().cloned().chain(failed).collect();
    if !notes.is_empty() {
        text.push_str("\n## Notes\n\n");
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
    }
    let mut samples: Vec<(&str, Vec<RunResult>)> = cells.to_vec();
    for (_, runs) in &mut samples {
        runs.retain(RunResult::is_sample);
    }
    samples.retain(|(_, runs)| !runs.is_empty());
    let peers: Vec<&str> = suite.peers.iter().map(|peer| peer.name.as_str()).collect();
    if !samples.is_empty() {
        let _ = write!(text, "\n## All cells\n\n{}", overview(&peers, &samples));
    }
    for (cell, runs) in &samples {
        let _ = write!(text, "\n## {cell}\n\n");
        push_table(&mut text, suite, runs);
        push_comparison(&mut text, runs);
    }
    text
}

fn picture(suite: &Suite, place: &Place, cells: &[(&str, Vec<RunResult>)]) -> Option<String> {
    let peers: Vec<&str> = suite.peers.iter().map(|peer| peer.name.as_str()).collect();
    let samples = cells.iter().map(|(cell, runs)| (*cell, runs.iter().filter(|run| run.is_sample()).collect()));
    peers_picture(&place.title(), &peers, &samples.collect::<Vec<_>>())
}

fn push_table(text: &mut String, suite: &Suite, runs: &[RunResult]) {
    let figures: Vec<&Figure> =
        FIGURES.iter().filter(|figure| runs.iter().any(|run| (figure.of)(run).is_some())).collect();
    text.push_str("| peer | durability | runs |");
    for figure in &figures {
        let _ = write!(text, " {} |", figure.name);
    }
    text.push_str("\n|---|---|---|");
    text.push_str(&"---|".repeat(figures.len()));
    text.push('\n');
    for peer in &suite.peers {
        let own: Vec<&RunResult> = runs.iter().filter(|run| run.label.as_deref() == Some(&peer.name)).collect();
        let Some(first) = own.first() else { continue };
        let _ = write!(text, "| {} | {} | {} |", peer.name, first.target.durability.label(), own.len());
        for figure in &figures {
            let _ = write!(text, " {} |", figure.median_and_spread(&own).unwrap_or_default());
        }
        text.push('\n');
    }
}

/// Every peer against our own, where there is more than one.
fn push_comparison(text: &mut String, runs: &[RunResult]) {
    let Ok(row) = Key::parse("suite") else { return };
    let base = runs.iter().filter_map(|run| run.label.clone()).find(|label| label == "posthaste");
    let layout = Layout { row: vec![row], base, ..Layout::default() };
    if let Ok(grid) = Grid::new(runs, &layout, &Settings::default())
        && grid.columns.len() > 1
    {
        text.push_str("\n<details><summary>comparison</summary>\n\n");
        text.push_str(&markdown(&grid));
        text.push_str("\n</details>\n");
    }
}
