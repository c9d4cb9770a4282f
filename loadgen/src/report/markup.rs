//! HTML and SVG text that cannot be injected into: only literals go in as they are, everything else is escaped.

use std::fmt::{Display, Write};

/// Growing markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// A literal of this program, tags included.
    pub(super) fn raw(&mut self, literal: &'static str) -> &mut Self {
        self.0.push_str(literal);
        self
    }

    /// Any text, escaped for content and for double-quoted attributes.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        for character in text.to_string().chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Control characters are not allowed in a page, escaped or not.
                control if control.is_control() && control != '\n' && control != '\t' => {
                    self.0.push('\u{fffd}');
                }
                character => self.0.push(character),
            }
        }
        self
    }

    /// A coordinate. What is no number would make the whole path vanish, so it becomes 0.
    pub(super) fn number(&mut self, number: f64) -> &mut Self {
        let number = if number.is_finite() { number } else { 0.0 };
        write!(self.0, "{number:.1}").expect("a string takes every write");
        self
    }

    /// Other markup.
    pub(super) fn append(&mut self, markup: &Self) -> &mut Self {
        self.0.push_str(&markup.0);
        self
    }

    /// The finished text.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_open_a_tag_or_leave_an_attribute() {
        let mut markup = Markup::default();
        markup.raw("<b title=\"").text("\"><script>'&\u{1b}").raw("\">");
        assert_eq!(markup.into_string(), "<b title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\u{fffd}\">");
    }

    #[test]
    fn coordinates_are_always_numbers() {
        let mut markup = Markup::default();
        markup.number(f64::NAN).raw(" ").number(f64::INFINITY).raw(" ").number(12.345);
        assert_eq!(markup.into_string(), "0.0 0.0 12.3");
    }
}
