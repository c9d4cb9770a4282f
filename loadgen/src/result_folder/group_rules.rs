//! Rules over several files: ids are unique, repeats are of one series, what is published has enough of them.

use std::collections::BTreeMap;

use super::file_rules::has_tag;
use super::{Finding, ResultFile, Rule};

/// Fewer repeats cannot tell a difference from chance: 4 v 4 reach p = 0.029 at best and leave none to lose.
const PUBLISHED_REPEATS_MIN: usize = 5;

/// What is remembered of the files.
#[derive(Default)]
pub(super) struct Groups {
    ids: BTreeMap<String, String>,
    groups: BTreeMap<String, Group>,
}

#[derive(Default)]
struct Group {
    /// Series key and path of each.
    series: Vec<(String, String)>,
    published: usize,
}

impl Groups {
    /// Remembers a file, and adds what can be said at once.
    pub fn add(&mut self, file: &ResultFile, findings: &mut Vec<Finding>) {
        let (path, result) = (&file.place.path, &file.result);
        if let Some(first) = self.ids.insert(result.id.clone(), path.clone()) {
            let what = format!("{:?} is that of {first} too: a file was copied or rewritten", result.id);
            findings.push(Finding::new(Rule::Id, path, "id", what));
        }
        // Files from before the key are held together by what the key would be.
        let mut key = result.series_key.clone();
        if key.is_empty() {
            let what = "is absent: the file is older than the key, or was written by another program";
            findings.push(Finding::new(Rule::SeriesKey, path, "series_key", what));
            let mut keyed = result.clone();
            keyed.set_series_key();
            key = keyed.series_key;
        }
        if let (Some(repeat), Some(number)) = (result.repeat, file.place.repeat)
            && repeat.index != number
        {
            let what = format!("is {}, the file is named {number}", repeat.index);
            findings.push(Finding::new(Rule::Layout, path, "repeat.index", what));
        }
        let group = self.groups.entry(file.place.group.clone()).or_default();
        group.series.push((key, path.clone()));
        group.published += usize::from(has_tag(result, "published") && !has_tag(result, "retracted"));
    }

    /// Adds what only all files together tell.
    pub fn check(&self, findings: &mut Vec<Finding>) {
        for group in self.groups.values() {
            let Some((first_key, first)) = group.series.first() else { continue };
            for (key, path) in group.series.iter().filter(|(key, _)| key != first_key) {
                let what = format!("is {key}, that of {first} is {first_key}: these are no repeats of one another");
                findings.push(Finding::new(Rule::SeriesKey, path, "series_key", what));
            }
            if (1..PUBLISHED_REPEATS_MIN).contains(&group.published) {
                let what = format!("{} are published, at least {PUBLISHED_REPEATS_MIN} are needed", group.published);
                findings.push(Finding::new(Rule::Repeats, first, "tags", what));
            }
        }
    }
}
