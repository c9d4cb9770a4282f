//! Subscriptions by regular expression: what a pattern may be, and which topics it means now. A pattern matches whole names, as in Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use super::topics::TopicsView;
use crate::limits::{
    GROUP_REGEX_BYTES_MAX, GROUP_REGEX_NESTING_MAX, GROUP_REGEX_PROGRAM_BYTES_MAX, GROUP_REGEX_REFRESH_INTERVAL_MS,
};

/// Reads a pattern, which matches whole names.
///
/// # Errors
///
/// Says why it is none.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > GROUP_REGEX_BYTES_MAX {
        return Err(format!("it is longer than {GROUP_REGEX_BYTES_MAX} bytes"));
    }
    // Alone first: a parenthesis that it lacks must not be found in what stands around it. Names of topics are ASCII, and classes
    // are small without Unicode; patterns that ask for Unicode are read with it.
    let ascii = build(pattern, false).is_ok();
    build(pattern, !ascii)?;
    build(&format!(r"\A(?:{pattern})\z"), !ascii)
}

fn build(pattern: &str, unicode: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .unicode(unicode)
        .size_limit(GROUP_REGEX_PROGRAM_BYTES_MAX)
        .dfa_size_limit(GROUP_REGEX_PROGRAM_BYTES_MAX)
        .nest_limit(GROUP_REGEX_NESTING_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The last line says what is wrong; those before it draw where.
            error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        })
}

/// The topics that a group's patterns mean.
#[derive(Debug, Default)]
pub(super) struct ResolvedRegexes {
    topics: BTreeMap<String, Arc<BTreeSet<String>>>,
    view: u64,
    refreshed_ms: i64,
}

impl ResolvedRegexes {
    /// What a pattern means; nothing before it was resolved.
    pub(super) fn topics(&self, pattern: &str) -> Option<&Arc<BTreeSet<String>>> {
        self.topics.get(pattern)
    }

    /// Resolves patterns that are new, and all of them after topics came or went, but not at every change of many.
    pub(super) fn refresh<'a>(&mut self, patterns: impl Iterator<Item = &'a str>, view: &TopicsView, now_ms: i64) {
        let wanted: BTreeSet<&str> = patterns.collect();
        self.topics.retain(|pattern, _| wanted.contains(pattern.as_str()));
        let is_due = now_ms.saturating_sub(self.refreshed_ms) >= GROUP_REGEX_REFRESH_INTERVAL_MS;
        if self.view != view.number && (is_due || self.topics.is_empty()) {
            self.topics.clear();
            (self.view, self.refreshed_ms) = (view.number, now_ms);
        }
        for pattern in wanted {
            if !self.topics.contains_key(pattern) {
                self.topics.insert(pattern.to_owned(), Arc::new(resolve(pattern, view)));
            }
        }
    }

    /// Whether it knows all topics of a view.
    pub(super) fn knows(&self, view: &TopicsView) -> bool {
        self.topics.is_empty() || self.view == view.number
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let names =
            |topics: &BTreeSet<String>| topics.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>();
        self.topics.iter().map(|(pattern, topics)| pattern.len() + names(topics)).sum()
    }
}

fn resolve(pattern: &str, view: &TopicsView) -> BTreeSet<String> {
    // It was checked when it came; one that this version does not read, after a restart, matches nothing.
    let Ok(regex) = compile(pattern) else { return BTreeSet::new() };
    let matching = view.catalog.topics().filter(|topic| regex.is_match(topic.name.as_bytes()));
    matching.map(|topic| topic.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| compile(pattern).unwrap().is_match(name.as_bytes());
        assert!(matches("orders.*", "orders-2024"));
        assert!(!matches("orders", "orders-2024"));
        assert!(matches("a|bc", "bc") && !matches("a|bc", "ab"));
        assert!(matches(r"\d+", "42") && matches(r"[\w.]{1,3}", "a.b"));
        assert!(matches(r"\pL+", "abc"), "with the classes of Unicode");
        assert!(matches("(?i)ABC", "abc"));
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused() {
        for wrong in ["(", "a)(b", "[", "*", r"\1", "(?=a)", "a{2000}{2000}"] {
            assert!(compile(wrong).is_err(), "{wrong}");
        }
        assert!(compile(&"a".repeat(GROUP_REGEX_BYTES_MAX + 1)).is_err());
        assert!(compile(&"(".repeat(2_000)).is_err());
    }
}
