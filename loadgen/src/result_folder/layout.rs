//! Where a file lies: `<suite>/<target>/<date>-<commit>/<machine>/r01.json`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Finding, ResultFile, Rule};
use crate::result::parse_utc_timestamp;

/// A campaign that begins on the day of its folder ends within a week.
const CAMPAIGN_MAX: Duration = Duration::from_secs(7 * 86_400);

/// A path taken apart.
pub(super) struct Place {
    /// Below the folder, with forward slashes.
    pub path: String,
    /// The path without the number of the repeat: equal for repeats of one series.
    pub group: String,
    /// The number of the repeat, from `r01.json` or `main-r01.json`.
    pub repeat: Option<u32>,
}

impl Place {
    pub fn of(path: &str) -> Self {
        let stem = path.strip_suffix(".json").unwrap_or(path);
        let (group, number) = stem.rsplit_once('r').unwrap_or((stem, ""));
        let begins_there = group.is_empty() || group.ends_with(['/', '-']);
        let repeat = number.parse().ok().filter(|_| begins_there && number.bytes().all(|byte| byte.is_ascii_digit()));
        let group = if repeat.is_some() { group } else { stem };
        Self { path: path.into(), group: group.into(), repeat }
    }
}

/// Adds what lies elsewhere. `machines` are the names of the described ones.
pub(super) fn check(file: &ResultFile, machines: &BTreeSet<String>, findings: &mut Vec<Finding>) {
    let path = &file.place.path;
    let mut found = |rule, key: &str, what: String| findings.push(Finding::new(rule, path, key, what));
    let parts: Vec<&str> = path.split('/').collect();
    let [suite, _target, campaign, machine, _file] = parts[..] else {
        let what = "lies elsewhere than <suite>/<target>/<date>-<commit>/<machine>/r01.json";
        return found(Rule::Layout, "", what.into());
    };
    if file.place.repeat.is_none() {
        found(Rule::Layout, "", "is not named r01.json, r02.json and so on".into());
    }
    if file.result.suite.as_ref().is_some_and(|named| named != suite) {
        let what = format!("is {:?}, the folder is {suite:?}", file.result.suite.as_deref().unwrap_or_default());
        found(Rule::Layout, "suite", what);
    }
    if !machines.contains(machine) {
        let what = format!("there is no machines/{machine}.json: make it with `loadgen certify`");
        found(Rule::Layout, "", what);
    }
    let Some(date) = campaign_date(campaign) else {
        let what = format!("{campaign:?} is not a date and a commit, as in 20261125-1a2b3c4");
        return found(Rule::Layout, "", what);
    };
    let started = parse_utc_timestamp(&file.result.started_utc);
    if started.is_some_and(|started| started < date || started > date + CAMPAIGN_MAX) {
        let what = format!("{} is not within a week of the folder {campaign}", file.result.started_utc);
        found(Rule::Dates, "started_utc", what);
    }
}

/// Midnight of `20261125-1a2b3c4`, whose second part is seven or more digits of a commit.
fn campaign_date(name: &str) -> Option<Duration> {
    let (date, commit) = name.split_once('-')?;
    let is_commit = (7..=40).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (year, month, day) = (date.get(0..4)?, date.get(4..6)?, date.get(6..8)?);
    let midnight = parse_utc_timestamp(&format!("{year}-{month}-{day}T00:00:00Z"))?;
    (is_commit && date.len() == 8).then_some(midnight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_of_a_side_are_one_group_and_other_names_are_their_own() {
        let of = |path: &str| {
            let place = Place::of(path);
            (place.group, place.repeat)
        };
        assert_eq!(of("a/b/r01.json"), ("a/b/".into(), Some(1)));
        assert_eq!(of("a/kafka-r12.json"), ("a/kafka-".into(), Some(12)));
        assert_eq!(of("a/other.json"), ("a/other".into(), None));
        assert_eq!(of("a/bar12.json"), ("a/bar12".into(), None), "the r belongs to a word");
    }

    #[test]
    fn a_campaign_is_named_by_a_real_day_and_a_commit() {
        assert_eq!(campaign_date("19700102-f71ac70"), Some(Duration::from_secs(86_400)));
        for wrong in ["20260230-f71ac70", "20261125", "20261125-xyz", "2026-11-25", "é0261125-f71ac70"] {
            assert_eq!(campaign_date(wrong), None, "{wrong}");
        }
    }
}
