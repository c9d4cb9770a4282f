//! The picture of a second: a few rows that fit the terminal, the ones that matter least left out first.

mod row;

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::line::{HORIZONTAL, THICK_HORIZONTAL};
use ratatui::widgets::{LineGauge, Sparkline, Widget};

use super::{Achieved, ProcessUse, Snapshot};
use crate::report::{binary_bytes, count, decimal, duration_ns, megabytes_per_s};
use crate::sustained::ACHIEVED_SHARE_MIN;
use row::{Part, Picture, Row};

/// Longer lines are harder to read; the rest of a wide terminal stays free.
const COLUMNS_MAX: u16 = 110;

/// Seconds that a sparkline shows at most: one a column.
const HISTORY_MAX: usize = COLUMNS_MAX as usize;

/// What the runs of one command look like while they work.
#[derive(Debug, Default)]
pub(super) struct View {
    colour: bool,
    title: String,
    snapshot: Option<Snapshot>,
    /// Achieved bytes/s of the last seconds.
    rates: VecDeque<Option<u64>>,
    /// 99th percentiles of the response in the last seconds, nanoseconds.
    p99s: VecDeque<Option<u64>>,
}

impl View {
    /// Before the first second. Without colour, words and weight carry everything.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour, ..Self::default() }
    }

    /// What the first row says.
    pub(super) fn set_title(&mut self, title: &str) {
        title.clone_into(&mut self.title);
        self.snapshot = None;
    }

    /// Takes in a second.
    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        if self.snapshot.as_ref().is_none_or(|before| before.run != snapshot.run) {
            self.rates.clear();
            self.p99s.clear();
        }
        if let Some(achieved) = &snapshot.achieved {
            push(&mut self.rates, Some(achieved.bytes_per_s.max(0.0) as u64));
            push(&mut self.p99s, achieved.response_p99_ns);
        }
        self.snapshot = Some(snapshot.clone());
    }

    /// The picture for a terminal of this size: one column and one row less, so that nothing scrolls or wraps.
    pub(super) fn draw(&self, columns: u16, rows: u16) -> Buffer {
        let columns = columns.saturating_sub(1).clamp(1, COLUMNS_MAX);
        let mut shown = self.rows();
        let height = |shown: &[Row]| shown.iter().map(|row| row.height(columns)).sum::<u16>();
        while height(&shown) > rows.saturating_sub(1) {
            let least = shown.iter().enumerate().max_by_key(|(_, row)| row.rank).map(|(index, _)| index);
            let Some(least) = least else { break };
            shown.remove(least);
        }
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, height(&shown)));
        let mut top = 0;
        for row in &shown {
            let place = row.draw(top, &mut buffer);
            self.draw_picture(row.picture, place, &mut buffer);
            top += row.height(columns);
        }
        buffer
    }

    fn draw_picture(&self, picture: Picture, place: Rect, buffer: &mut Buffer) {
        let style = self.style(Color::Cyan);
        let spark = |values: &VecDeque<Option<u64>>, buffer: &mut Buffer| {
            let first = values.len().saturating_sub(usize::from(place.width));
            let values: Vec<Option<u64>> = values.iter().skip(first).copied().collect();
            Sparkline::default().data(values).absent_value_symbol(" ").style(style).render(place, buffer);
        };
        match picture {
            Picture::None => {}
            Picture::Passed(share) => LineGauge::default()
                .ratio(share)
                .label("")
                .filled_symbol(THICK_HORIZONTAL)
                .unfilled_symbol(HORIZONTAL)
                .filled_style(style)
                .unfilled_style(Style::new().add_modifier(Modifier::DIM))
                .render(place, buffer),
            Picture::Rates => spark(&self.rates, buffer),
            Picture::Percentiles => spark(&self.p99s, buffer),
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if !self.title.is_empty() {
            let title = Part { text: self.title.clone(), style: Style::new().add_modifier(Modifier::BOLD) };
            rows.push(Row { name: "", parts: vec![title], picture: Picture::None, rank: 2 });
        }
        let Some(snapshot) = &self.snapshot else { return rows };
        rows.push(phase_row(snapshot));
        if let Some(achieved) = &snapshot.achieved {
            rows.push(self.rate_row(achieved));
            let latency = |name, p50_ns: Option<u64>, p99_ns: Option<u64>, picture, rank| {
                let told = [("p50", p50_ns), ("p99", p99_ns)];
                let parts = told.into_iter().filter_map(|(name, ns)| Some((name, duration_ns(ns? as f64))));
                let parts: Vec<Part> = parts.map(|(name, ns)| plain(format!("{name} {ns:>7}"))).collect();
                (!parts.is_empty()).then_some(Row { name, parts, picture, rank })
            };
            let response = (achieved.response_p50_ns, achieved.response_p99_ns);
            rows.extend(latency("response", response.0, response.1, Picture::Percentiles, 3));
            let delivery = (achieved.end_to_end_p50_ns, achieved.end_to_end_p99_ns);
            rows.extend(latency("end to end", delivery.0, delivery.1, Picture::None, 4));
        }
        rows.push(self.records_row(snapshot));
        let used = [("broker", snapshot.broker), ("loadgen", snapshot.loadgen)];
        let parts: Vec<Part> = used.into_iter().filter_map(|(name, used)| Some(process_part(name, used?))).collect();
        if !parts.is_empty() {
            rows.push(Row { name: "processes", parts, picture: Picture::None, rank: 5 });
        }
        rows
    }

    fn rate_row(&self, achieved: &Achieved) -> Row {
        let rate = match achieved.offered_bytes_per_s {
            Some(offered) => {
                let behind = achieved.bytes_per_s < offered * ACHIEVED_SHARE_MIN;
                let style = if behind { self.style(Color::Yellow).add_modifier(Modifier::BOLD) } else { Style::new() };
                let text = format!("{} of {} offered", decimal(achieved.bytes_per_s / 1e6), megabytes_per_s(offered));
                Part { text, style }
            }
            None => plain(megabytes_per_s(achieved.bytes_per_s)),
        };
        let records = format!("{} records/s", count(achieved.records_per_s.max(0.0).round() as u64));
        Row { name: "achieved", parts: vec![rate, plain(records)], picture: Picture::Rates, rank: 1 }
    }

    fn records_row(&self, snapshot: &Snapshot) -> Row {
        let bad = |number: u64, what: &str| match number {
            0 => Part { text: format!("no {what}"), style: self.style(Color::Green) },
            number => Part {
                text: format!("{} {}", count(number), what.to_uppercase()),
                style: self.style(Color::Red).add_modifier(Modifier::BOLD),
            },
        };
        let mut parts = vec![bad(snapshot.errors, "errors")];
        parts.extend(snapshot.integrity_faults.map(|number| bad(number, "integrity faults")));
        parts.extend(snapshot.unread_records.map(|number| plain(format!("{} unread", count(number)))));
        Row { name: "records", parts, picture: Picture::None, rank: 0 }
    }

    fn style(&self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }
}

fn phase_row(snapshot: &Snapshot) -> Row {
    let (elapsed, planned) = (snapshot.elapsed_secs, snapshot.planned_secs);
    let (passed, picture) = if planned == 0 {
        (format!("{elapsed} s, waiting for the rest"), Picture::None)
    } else {
        let width = planned.to_string().len();
        let share = (elapsed as f64 / planned as f64).min(1.0);
        (format!("{elapsed:>width$} of {planned} s"), Picture::Passed(share))
    };
    let part = Part { text: passed, style: Style::new().add_modifier(Modifier::BOLD) };
    Row { name: snapshot.phase, parts: vec![part], picture, rank: 0 }
}

fn process_part(name: &str, used: ProcessUse) -> Part {
    plain(format!("{name} {:.2} cores {}", used.cpu_cores, binary_bytes(used.rss_bytes)))
}

fn plain(text: String) -> Part {
    Part { text, style: Style::new() }
}

fn push(history: &mut VecDeque<Option<u64>>, value: Option<u64>) {
    if history.len() == HISTORY_MAX {
        history.pop_front();
    }
    history.push_back(value);
}

#[cfg(test)]
mod tests;
