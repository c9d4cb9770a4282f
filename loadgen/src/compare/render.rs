//! A grid for a terminal and for a pull request: the verdict first, then figures, then what limits the trust in them.

use std::collections::BTreeSet;

use super::comparison::{Comparison, MetricComparison};
use super::difference::Difference;
use super::grid::Grid;
use super::marks::Mark;
use super::ranking::{Finding, Outcome};
use super::table::{Reasons, Section, clean, clean_label, percent, rounded, sections};
use crate::report::Colour;
use crate::statistics::{Method, POOLED_EXACT_MAX};

/// Lines of one kind of remark; more would hide the figures.
const REMARKS_MAX: usize = 12;
/// Figures named in the verdict.
const NAMED_MAX: usize = 4;
/// Width of the words in front of remarks.
const WORD_COLUMNS: usize = 12;

/// For a terminal of this width.
pub fn text(grid: &Grid, columns_max: usize, colour: Colour) -> String {
    let mut page = String::new();
    let mut reasons = Reasons::default();
    for column in later_columns(grid) {
        let (word, sentence) = headline(grid, column);
        let lines = wrapped("", &format!("{word}: {sentence}"), columns_max);
        page.push_str(&painted(&lines, word, colour));
    }
    for column in later_columns(grid) {
        for section in sections(grid, column, &mut reasons) {
            page.push('\n');
            page.push_str(&wrapped("", &section.title, columns_max));
            let table = section.table(true).text();
            let fits = table.lines().all(|line| line.chars().count() <= columns_max);
            let table = if fits { table } else { stacked(&section, columns_max) };
            for line in table.lines() {
                page.push_str(&painted_verdict(line, colour));
                page.push('\n');
            }
        }
    }
    page.push('\n');
    for (word, sentence) in remarks(grid, &reasons) {
        page.push_str(&wrapped(&word, &sentence, columns_max));
    }
    page
}

/// For a pull request.
pub fn markdown(grid: &Grid) -> String {
    let mut page = String::new();
    let mut reasons = Reasons::default();
    for column in later_columns(grid) {
        let (word, sentence) = headline(grid, column);
        page.extend(["**", word, "**: ", &escaped(&sentence), "\n\n"]);
    }
    for column in later_columns(grid) {
        for section in sections(grid, column, &mut reasons) {
            let table = escaped(&section.table(false).markdown());
            if !section.title.is_empty() {
                page.extend(["**", &escaped(&section.title), "**\n\n"]);
            }
            page.extend([&table, "\n"]);
        }
    }
    for (word, sentence) in remarks(grid, &reasons) {
        let word = if word.is_empty() { word } else { format!("{word}: ") };
        page.extend(["- ", &word, &escaped(&sentence), "\n"]);
    }
    page
}

/// Columns that are held against the first, or the first where it is the only one.
fn later_columns(grid: &Grid) -> Vec<usize> {
    if grid.columns.len() < 2 { vec![0] } else { (1..grid.columns.len()).collect() }
}

/// The verdict over a later column: a word, and the sentence behind it.
fn headline(grid: &Grid, column: usize) -> (&'static str, String) {
    let base = clean(&grid.columns[0]);
    if column == 0 {
        return ("NOTHING COMPARABLE", format!("all runs are of one side, {base}"));
    }
    let name = clean(&grid.columns[column]);
    let comparisons = || grid.rows.iter().map(|row| (row.label.as_str(), &row.comparisons[column - 1]));
    let ranked = comparisons().flat_map(|(_, one)| one.found(Finding::is_ranked)).count();
    let named = |wanted: &Finding| {
        let found: Vec<(&str, &MetricComparison)> = comparisons()
            .flat_map(|(row, one)| one.found(|finding| finding == wanted).map(move |of| (row, of)))
            .collect();
        let words = found.iter().take(NAMED_MAX).map(|(row, of)| figure(row, of, grid.rows.len() > 1));
        let mut words = words.collect::<Vec<_>>().join("; ");
        if found.len() > NAMED_MAX {
            words.extend(["; and ", &(found.len() - NAMED_MAX).to_string(), " more"]);
        }
        (found.len(), words)
    };
    let ((worse, worse_named), (better, better_named)) = (named(&Finding::Worse), named(&Finding::Better));
    let outcome = comparisons().map(|(_, one)| one.outcome).fold(Outcome::NothingComparable, Outcome::heavier);
    match outcome {
        Outcome::Regression => {
            let also = if better > 0 { format!("; better in {better}") } else { String::new() };
            ("WORSE", format!("{name} is worse than {base} in {worse} of {ranked} ranked figures: {worse_named}{also}"))
        }
        Outcome::Better => {
            ("BETTER", format!("{name} is better than {base} in {better} of {ranked} ranked figures: {better_named}"))
        }
        Outcome::NoDifference => (
            "NO DIFFERENCE",
            format!(
                "none that matters was found between {base} and {name} in {ranked} ranked figures; \"detects\" says what could have been found"
            ),
        ),
        Outcome::NothingComparable => {
            ("NOTHING COMPARABLE", format!("no figure of {name} can be ranked against {base}; the reasons are below"))
        }
    }
}

fn figure(row: &str, metric: &MetricComparison, many_rows: bool) -> String {
    let change = metric.ratio.map_or_else(String::new, |ratio| percent(ratio.value));
    let place = if many_rows { format!(" ({})", clean_label(row)) } else { String::new() };
    format!("{} {change}{place}", metric.metric.name())
}

/// Everything below the tables, as a word and a sentence.
fn remarks(grid: &Grid, reasons: &Reasons) -> Vec<(String, String)> {
    let comparisons: Vec<&Comparison> = grid.rows.iter().flat_map(|row| &row.comparisons).collect();
    let sides = || comparisons.iter().flat_map(|one| [&one.a, &one.b]);
    let mut remarks: Vec<(String, String)> = Vec::new();
    let mut add = |word: &str, sentences: Vec<String>| {
        let more = sentences.len().saturating_sub(REMARKS_MAX);
        let one_line = |sentence: String| sentence.replace(char::is_control, " ");
        remarks.extend(sentences.into_iter().take(REMARKS_MAX).map(|sentence| (word.to_owned(), one_line(sentence))));
        if more > 0 {
            remarks.push((word.to_owned(), format!("and {more} more; --format json has all")));
        }
    };
    let numbered = reasons.0.iter().enumerate();
    add("", numbered.map(|(index, reason)| format!("({}) not ranked: {reason}", index + 1)).collect());
    let marks = Mark::ALL.into_iter().filter(|mark| sides().any(|side| side.marked(*mark) > 0));
    add("", marks.map(|mark| format!("{} {}", mark.letter(), mark.meaning())).collect());
    let left_out =
        sides().flat_map(|side| side.left_out.iter().map(|run| format!("{} {}: {}", side.name, run.id, run.reason)));
    add("left out", unique(left_out));
    let forced = comparisons.iter().filter(|_| grid.settings.force).flat_map(|one| &one.unlike);
    add("warning", unique(forced.map(|reason| format!("ranked because of --force: {reason}"))));
    add("warning", grid.warnings.clone());
    let machine = |wanted: bool| {
        let differences =
            comparisons.iter().flat_map(|one| one.differences.iter().map(move |of| (&one.a.name, &one.b.name, of)));
        unique(differences.filter(|(_, _, of)| of.is_environment() == wanted).map(|(a, b, of)| difference(a, b, of)))
    };
    add("machine", machine(true));
    add("differs", machine(false));
    if grid.columns.len() > 1 {
        let classes: BTreeSet<&String> = sides().flat_map(|side| &side.durability).collect();
        let each = sides().flat_map(|side| side.durability.iter().map(|class| format!("{}: {class}", side.name)));
        let same = classes.len() == 1;
        add("durability", if same { classes.into_iter().cloned().collect() } else { unique(each) });
        add("method", vec![method(grid)]);
        let drawn = comparisons.iter().flat_map(|one| &one.metrics).find_map(|metric| match metric.method {
            Some(Method::Sampled { splits }) => Some(splits),
            _ => None,
        });
        let drawn = drawn.map(|splits| {
            format!("With more than {POOLED_EXACT_MAX} runs on both sides p and interval rest on {splits} drawn splits instead of all.")
        });
        add("method", drawn.into_iter().collect());
    } else {
        add("method", vec!["A run is a sample; ± is the coefficient of variation.".into()]);
    }
    remarks
}

fn difference(a: &str, b: &str, of: &Difference) -> String {
    let values = |values: &[String]| clean(&values.join(", "));
    format!("{}: {} {}, {} {}", of.key, clean(a), values(&of.a), clean(b), values(&of.b))
}

fn method(grid: &Grid) -> String {
    let sure = rounded((1.0 - grid.settings.alpha) * 100.0);
    format!(
        "A run is a sample; cells are medians ± coefficient of variation. change is the Hodges-Lehmann ratio, its interval holds with at least \
         {sure} % unless it says less; p is of the exact two-sided Mann-Whitney test, corrected by Holm within the throughput figures, the \
         latencies and the costs of a row, so each of these families raises a false alarm in at most {} % of comparisons; detects is the \
         smallest rise, or fall by the same ratio, that these runs would have shown 4 times out of 5 had nothing else changed (simulated \
         with the noise seen).",
        rounded(grid.settings.alpha * 100.0)
    )
}

fn unique(sentences: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    sentences.filter(|sentence| seen.insert(sentence.clone())).collect()
}

/// Figures one below the other, for terminals that are too narrow for a table.
fn stacked(section: &Section, columns_max: usize) -> String {
    let mut lines = String::new();
    for line in &section.lines {
        lines.push_str(&wrapped("", &line.label, columns_max));
        for (name, cell) in section.names.iter().zip(&line.sides).filter(|(name, _)| !name.is_empty()) {
            lines.push_str(&wrapped("", &format!("  {name}: {}", cell.plain()), columns_max));
        }
        if !line.change.is_empty() {
            lines.push_str(&wrapped("", &format!("  change {} [{}]", line.change, line.interval), columns_max));
        }
        let facts = [("p", &line.p), ("n", &line.n), ("detects", &line.detects)];
        let facts: Vec<String> =
            facts.iter().filter(|(_, fact)| !fact.is_empty()).map(|(word, fact)| format!("{word} {fact}")).collect();
        let facts = [facts.join(", "), line.verdict.clone()].into_iter().filter(|part| !part.is_empty());
        lines.push_str(&wrapped("", &format!("  {}", facts.collect::<Vec<_>>().join(": ")), columns_max));
    }
    lines
}

/// A word and a sentence behind it, continued under itself. A word that is longer than a line is cut into lines.
fn wrapped(word: &str, sentence: &str, columns_max: usize) -> String {
    let indent =
        if word.is_empty() { sentence.chars().take_while(|letter| *letter == ' ').count() } else { WORD_COLUMNS };
    let room = columns_max.saturating_sub(indent).max(8);
    let mut lines: Vec<String> = vec![String::new()];
    let parts =
        sentence.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|part| !part.is_empty());
    for part in parts {
        let letters: Vec<char> = part.chars().collect();
        for piece in letters.chunks(room) {
            let piece: String = piece.iter().collect();
            let line = lines.last_mut().expect("there is a line");
            if line.is_empty() {
                line.push_str(&piece);
            } else if line.chars().count() + 1 + piece.chars().count() <= room {
                line.push(' ');
                line.push_str(&piece);
            } else {
                lines.push(piece);
            }
        }
    }
    let heads = std::iter::once(format!("{word:indent$}")).chain(std::iter::repeat(" ".repeat(indent)));
    let mut text = String::new();
    for (head, line) in heads.zip(lines) {
        text.push_str(format!("{head}{line}").trim_end());
        text.push('\n');
    }
    text
}

/// Text that is no markup in a pull request.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '~' | '[' | '*' | '`' => escaped.extend(['\\', letter]),
            // Lines are made by the page, never by what it quotes.
            letter if letter.is_control() && letter != '\n' => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn painted(lines: &str, word: &str, colour: Colour) -> String {
    let code = match word {
        "WORSE" => "31",
        "BETTER" => "32",
        _ => "33",
    };
    match colour {
        Colour::Plain => lines.to_owned(),
        Colour::Ansi => lines.replacen(word, &format!("\u{1b}[1;{code}m{word}\u{1b}[0m"), 1),
    }
}

/// Colours the verdict at the end of a table's line.
fn painted_verdict(line: &str, colour: Colour) -> String {
    let paint = |word: &str, code: &str| {
        line.strip_suffix(word)
            .filter(|_| colour == Colour::Ansi)
            .map(|head| format!("{head}\u{1b}[1;{code}m{word}\u{1b}[0m"))
    };
    paint("WORSE", "31").or_else(|| paint(" better", "32")).unwrap_or_else(|| line.to_owned())
}
