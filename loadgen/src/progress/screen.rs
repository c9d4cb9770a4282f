//! Lines at the bottom of a terminal that are drawn over in place; what was there before stays above them.
//!
//! The cursor only moves relative to itself. Ratatui's own inline viewport asks the terminal where the cursor is: the question
//! goes to standard output, which may be the pipe that a result is written to, and the answer needs the terminal in raw
//! mode, where Ctrl-C is a mere character. Here no mode of the terminal is changed, so that there is none to restore.

use std::io::{Stderr, Write, stderr};

use ratatui::backend::IntoCrossterm;
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::Command;
use ratatui::crossterm::cursor::MoveToPreviousLine;
use ratatui::crossterm::terminal::{Clear, ClearType};
use ratatui::style::{Color, Style};

/// What a terminal has that does not tell its size.
const COLUMNS_UNTOLD: u16 = 80;
const ROWS_UNTOLD: u16 = 24;

/// Columns and rows of the terminal behind standard error.
pub(super) fn size() -> (u16, u16) {
    let told = rustix::termios::tcgetwinsize(stderr()).ok();
    let told = told.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or((COLUMNS_UNTOLD, ROWS_UNTOLD), |size| (size.ws_col, size.ws_row))
}

/// The lines on the screen. A terminal that is gone loses them and stops nothing.
#[derive(Debug)]
pub(super) struct Screen<W: Write = Stderr> {
    out: W,
    /// Width of each line that is drawn, the cursor being at the start of the line below.
    shown: Vec<u16>,
}

impl<W: Write> Screen<W> {
    /// Nothing is drawn yet.
    pub(super) fn new(out: W) -> Self {
        Self { out, shown: Vec::new() }
    }

    /// Draws the lines of a buffer over those of before, on a terminal of so many columns. It must be lower than the terminal.
    pub(super) fn draw(&mut self, drawn: &Buffer, columns: u16) {
        let area = drawn.area;
        let mut text = self.erasure(columns);
        let lines = (area.top()..area.bottom()).map(|y| (area.left()..area.right()).map(move |x| &drawn[(x, y)]));
        self.shown = lines.map(|cells| push_line(&mut text, &cells.collect::<Vec<_>>())).collect();
        self.write(&text);
    }

    /// Prints a line that stays. The view must be drawn again below it. Control characters of foreign text are dropped, so
    /// that it cannot move the cursor.
    pub(super) fn say(&mut self, line: &str, columns: u16) {
        let line: String = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let text = self.erasure(columns) + &line + "\r\n";
        self.shown.clear();
        self.write(&text);
    }

    /// Takes the lines away.
    pub(super) fn erase(&mut self, columns: u16) {
        let text = self.erasure(columns);
        self.shown.clear();
        self.write(&text);
    }

    /// The lines are not where they were: the next ones are drawn below.
    pub(super) fn forget(&mut self) {
        self.shown.clear();
    }

    /// Moves to the first line and clears from there. A terminal that became narrower has broken the lines in two.
    fn erasure(&self, columns: u16) -> String {
        let rows: u16 = self.shown.iter().map(|&width| width.div_ceil(columns.max(1)).max(1)).sum();
        if rows == 0 { String::new() } else { ansi(MoveToPreviousLine(rows)) + &ansi(Clear(ClearType::FromCursorDown)) }
    }

    /// One write, so that no half of a picture is seen.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// A line without the blanks at its end; its width.
fn push_line(text: &mut String, cells: &[&Cell]) -> u16 {
    let blank = |cell: &&&Cell| cell.symbol() == " " && cell.modifier.is_empty();
    let width = cells.len() - cells.iter().rev().take_while(blank).count();
    for run in cells[..width].chunk_by(|a, b| style_of(a) == style_of(b)) {
        let letters: String = run.iter().map(|cell| cell.symbol()).collect();
        text.push_str(&style_of(run[0]).into_crossterm().apply(letters).to_string());
    }
    text.push_str("\r\n");
    width as u16
}

/// What of a cell's style is not the terminal's own.
fn style_of(cell: &Cell) -> Style {
    let style = Style::new().add_modifier(cell.modifier);
    if cell.fg == Color::Reset { style } else { style.fg(cell.fg) }
}

fn ansi(command: impl Command) -> String {
    let mut text = String::new();
    // A string takes every write.
    let _ = command.write_ansi(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: u16 = 20;

    fn buffer(lines: &[&str]) -> Buffer {
        Buffer::with_lines(lines.iter().copied())
    }

    /// What a terminal of 20 columns and 6 rows shows after `work`.
    fn shown(work: impl FnOnce(&mut Screen<&mut vt100::Parser>)) -> Vec<String> {
        let mut terminal = vt100::Parser::new(6, COLUMNS, 100);
        work(&mut Screen::new(&mut terminal));
        let mut rows: Vec<String> = terminal.screen().rows(0, COLUMNS).map(|row| row.trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    #[test]
    fn lines_are_drawn_over_in_place_and_what_was_said_stays_above() {
        let rows = shown(|screen| {
            screen.say("starting", COLUMNS);
            screen.draw(&buffer(&["one", "two", "three"]), COLUMNS);
            screen.draw(&buffer(&["1", "2"]), COLUMNS);
            screen.say("half way", COLUMNS);
            screen.draw(&buffer(&["3", "4"]), COLUMNS);
        });
        assert_eq!(rows, ["starting", "half way", "3", "4"]);
    }

    #[test]
    fn nothing_is_left_after_the_end() {
        let rows = shown(|screen| {
            screen.say("starting", COLUMNS);
            screen.draw(&buffer(&["one", "two"]), COLUMNS);
            screen.erase(COLUMNS);
            screen.erase(COLUMNS);
        });
        assert_eq!(rows, ["starting"]);
    }

    #[test]
    fn a_full_screen_scrolls_and_keeps_one_picture() {
        let rows = shown(|screen| {
            for line in ["a", "b", "c", "d"] {
                screen.say(line, COLUMNS);
                screen.draw(&buffer(&["one", "two", "three"]), COLUMNS);
            }
        });
        assert_eq!(rows, ["c", "d", "one", "two", "three"]);
    }

    #[test]
    fn a_terminal_that_became_narrower_has_no_rest_of_the_lines_that_it_broke() {
        let rows = shown(|screen| {
            screen.say("starting", COLUMNS);
            // So a terminal of ten columns shows lines of twelve and of five that were drawn before it shrank.
            screen.say("twelve lett", COLUMNS);
            screen.say("er", COLUMNS);
            screen.say("five5", COLUMNS);
            screen.shown = vec![12, 5];
            screen.draw(&buffer(&["new"]), 10);
        });
        assert_eq!(rows, ["starting", "new"]);
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        let rows = shown(|screen| screen.say("bad\u{1b}[2J\rtopic", COLUMNS));
        assert_eq!(rows, ["bad [2J topic"]);
    }

    #[test]
    fn styles_end_with_their_words() {
        let mut drawn = buffer(&["ab cd"]);
        drawn.set_style(ratatui::layout::Rect::new(0, 0, 2, 1), Style::new().fg(Color::Red));
        let mut terminal = vt100::Parser::new(2, COLUMNS, 0);
        Screen::new(&mut terminal).draw(&drawn, COLUMNS);
        let colour = |column| terminal.screen().cell(0, column).map(vt100::Cell::fgcolor);
        assert_eq!((colour(1), colour(3)), (Some(vt100::Color::Idx(1)), Some(vt100::Color::Default)));
    }
}
