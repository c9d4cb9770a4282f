//! `exceptions.toml`: files that break a rule and stay, each with a date and a reason. An exception that excuses
//! nothing is a finding, so that the list can only shrink.

use std::path::Path;

use serde::Deserialize;

use super::{Finding, Rule};
use crate::exchange::{Refusal, read_bounded};

/// Name of the file in the folder.
const FILE: &str = "exceptions.toml";
/// Longest list; a list as long as this says that the rules are wrong.
const BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    rule: Rule,
    /// Beginning of the paths.
    files: String,
    /// When it was made: `2026-11-25`.
    added: String,
    reason: String,
    #[serde(skip)]
    excused: usize,
}

/// The list of the folder; without the file there are none.
pub(super) fn read(folder: &Path) -> Result<Exceptions, Refusal> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(Exceptions::default());
    }
    let refused = |error: String| Refusal::new(format!("{FILE}: {error}"));
    let bytes = read_bounded(&path, BYTES_MAX).map_err(|error| refused(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| refused(error.to_string()))?;
    let exceptions: Exceptions = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
    for one in &exceptions.exception {
        let midnight = format!("{}T00:00:00Z", one.added);
        let is_dated = crate::result::parse_utc_timestamp(&midnight).is_some();
        if !is_dated || one.reason.trim().is_empty() || one.files.trim_matches('/').is_empty() {
            let what = format!("the exception of {:?} needs files, a date such as 2026-11-25, and a reason", one.files);
            return Err(refused(what));
        }
    }
    Ok(exceptions)
}

impl Exceptions {
    /// Whether some exception covers the finding.
    pub fn excuse(&mut self, finding: &Finding) -> bool {
        let covers = |one: &&mut Exception| one.rule == finding.rule && finding.file.starts_with(&one.files);
        match self.exception.iter_mut().find(covers) {
            Some(one) => {
                one.excused += 1;
                true
            }
            None => false,
        }
    }

    /// Those that covered none.
    pub fn report_unused(&self, findings: &mut Vec<Finding>) {
        for one in self.exception.iter().filter(|one| one.excused == 0) {
            let what = format!("nothing in {:?} breaks {:?} any more: delete it", one.files, one.rule.name());
            findings.push(Finding::new(Rule::Exception, FILE, "exception", what));
        }
    }
}
