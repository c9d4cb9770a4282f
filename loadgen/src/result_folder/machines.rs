//! `machines/<id>.json`: a named machine, its environment and its noise floor, as `loadgen certify` writes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{COMMITTED_BYTES_MAX, FILES_MAX, Finding, Rule};
use crate::exchange::{Refusal, read_bounded};
use crate::result::HostEnvironment;

const FOLDER: &str = "machines";

/// The names of the machines that are described; adds what is wrong with a description.
pub(super) fn check(folder: &Path, findings: &mut Vec<Finding>) -> Result<BTreeSet<String>, Refusal> {
    let directory = folder.join(FOLDER);
    if !directory.exists() {
        return Ok(BTreeSet::new());
    }
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&directory)?.take(FILES_MAX) {
        let path = entry?.path();
        if let (Some(stem), Some("json")) =
            (path.file_stem().and_then(|stem| stem.to_str()), path.extension().and_then(|ending| ending.to_str()))
        {
            names.insert(stem.to_owned());
        }
    }
    for name in &names {
        let file = format!("{FOLDER}/{name}.json");
        let mut found = |key: &str, what: String| findings.push(Finding::new(Rule::Environment, &file, key, what));
        let read = read_bounded(&folder.join(&file), COMMITTED_BYTES_MAX)
            .and_then(|bytes| Ok(serde_json::from_slice::<Value>(&bytes)?));
        match read {
            Ok(machine) => describe(name, &machine, &mut found),
            Err(error) => found("", error.to_string()),
        }
    }
    Ok(names)
}

fn describe(name: &str, machine: &Value, found: &mut impl FnMut(&str, String)) {
    if machine["id"] != name {
        found("id", format!("is not {name:?}, the name of the file"));
    }
    let hosts: Result<Vec<HostEnvironment>, _> = serde_json::from_value(machine["env"].clone());
    match hosts {
        Ok(hosts) if hosts.is_empty() => found("env", "is empty: the machine is not described".into()),
        Ok(_) => {}
        Err(error) => found("env", format!("is no list of machines as a result has it: {error}")),
    }
    if machine["noise_floor"].as_object().is_none_or(serde_json::Map::is_empty) {
        found("noise_floor", "is absent: without it nobody can tell a difference from noise".into());
    }
}
