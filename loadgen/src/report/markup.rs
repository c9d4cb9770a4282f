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
        let tenths = if number.is_finite() { (number * 10.0).round() } else { 0.0 };
        self.tenths(tenths as i64)
    }

    /// A coordinate in whole tenths, without the zero that nobody needs: a page has many thousands of them.
    pub(super) fn tenths(&mut self, tenths: i64) -> &mut Self {
        let sign = if tenths < 0 { "-" } else { "" };
        let (whole, rest) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
        let written = if rest == 0 { write!(self.0, "{sign}{whole}") } else { write!(self.0, "{sign}{whole}.{rest}") };
        written.expect("a string takes every write");
        self
    }

    /// Data for the page's script, inside a script element that is not one: nothing in it can end the element.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> &mut Self {
        for character in value.to_string().chars() {
            match character {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    write!(self.0, "\\u{:04x}", u32::from(character)).expect("a string takes every write");
                }
                character => self.0.push(character),
            }
        }
        self
    }

    /// Other markup.
    pub(super) fn append(&mut self, markup: &Self) -> &mut Self {
        self.0.push_str(&markup.0);
        self
    }

    /// Whether nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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
    fn data_cannot_end_its_element() {
        let mut markup = Markup::default();
        let value = serde_json::json!({ "name": "</script><!--&\u{2028}" });
        let text = markup.json(&value).clone().into_string();
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("still JSON"), value);
    }

    #[test]
    fn coordinates_are_always_numbers() {
        let mut markup = Markup::default();
        markup.number(f64::NAN).raw(" ").number(f64::INFINITY).raw(" ").number(12.345).raw(" ").number(-0.04);
        markup.raw(" ").number(-3.25);
        assert_eq!(markup.into_string(), "0 0 12.3 0 -3.3");
    }
}
