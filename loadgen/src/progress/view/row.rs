//! A row of the view: a name, parts that wrap where the terminal is narrow, and a picture in the room that they leave.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

/// Where the parts begin: behind the longest name and a blank.
const NAME_COLUMNS: u16 = 12;

/// Pictures begin here at the earliest, so that they stand below one another.
const PICTURE_FROM: u16 = 64;

/// A narrower picture says nothing.
const PICTURE_COLUMNS_MIN: u16 = 8;

/// Between parts of a row.
const SEPARATOR: &str = " · ";

/// What is drawn beside the words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Picture {
    None,
    /// A bar of this share.
    Passed(f64),
    /// The last seconds' rates.
    Rates,
    /// The last seconds' 99th percentiles.
    Percentiles,
}

/// A piece of text that is not broken.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) style: Style,
}

/// A row and how dispensable it is: the highest rank goes first where the terminal is low.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) parts: Vec<Part>,
    pub(super) picture: Picture,
    pub(super) rank: u8,
}

impl Row {
    /// Lines that it takes.
    pub(super) fn height(&self, columns: u16) -> u16 {
        self.places(columns).last().map_or(1, |(_, line)| line + 1)
    }

    /// Draws the words from line `top` on; the room for the picture.
    pub(super) fn draw(&self, top: u16, buffer: &mut Buffer) -> Rect {
        let columns = buffer.area.width;
        let dim = Style::new().add_modifier(Modifier::DIM);
        buffer.set_span(0, top, &Span::styled(self.name, dim), columns);
        let mut end = 0;
        let places = self.places(columns);
        for (index, (part, &(column, line))) in self.parts.iter().zip(&places).enumerate() {
            let room = columns.saturating_sub(column);
            (end, _) = buffer.set_span(column, top + line, &Span::styled(&*part.text, part.style), room);
            if places.get(index + 1).is_some_and(|next| next.1 == line) {
                buffer.set_span(end, top + line, &Span::styled(SEPARATOR, dim), columns.saturating_sub(end));
            }
        }
        self.place_of_picture(end, top + self.height(columns) - 1, columns)
    }

    /// Column and line of each part.
    fn places(&self, columns: u16) -> Vec<(u16, u16)> {
        let first_column = if self.name.is_empty() { 0 } else { NAME_COLUMNS };
        let (mut column, mut line) = (first_column, 0);
        let mut places = Vec::with_capacity(self.parts.len());
        for (index, part) in self.parts.iter().enumerate() {
            let width = Span::raw(&*part.text).width() as u16;
            if index > 0 {
                column += Span::raw(SEPARATOR).width() as u16;
                if column.saturating_add(width) > columns {
                    (column, line) = (first_column, line + 1);
                }
            }
            places.push((column, line));
            column = column.saturating_add(width);
        }
        places
    }

    /// The bar follows its words; sparklines stand below one another, or follow theirs where the terminal is narrow.
    fn place_of_picture(&self, end: u16, line: u16, columns: u16) -> Rect {
        let from = match self.picture {
            // The bar leaves a blank itself, where its own label would be.
            Picture::Passed(_) => end,
            _ if columns >= PICTURE_FROM + PICTURE_COLUMNS_MIN => PICTURE_FROM.max(end + 2),
            _ => end + 2,
        };
        let width = columns.saturating_sub(from);
        let width = if width < PICTURE_COLUMNS_MIN { 0 } else { width };
        Rect::new(from.min(columns), line, width, u16::from(width > 0))
    }
}
