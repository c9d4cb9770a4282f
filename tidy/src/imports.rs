//! Imports point down: between crates by their manifests, within the engine by the order of its stages.

use crate::Finding;
use crate::masked::{line_of, masked};

/// Which of our crates a crate may depend on, its tests included.
const CRATES: [(&str, &[&str]); 7] = [
    ("engine", &[]),
    ("protocol", &[]),
    ("server", &["engine", "protocol"]),
    ("simulation", &["engine", "protocol", "server"]),
    ("loadgen", &["protocol", "server"]),
    ("benches", &["engine", "loadgen", "protocol", "server"]),
    ("tidy", &[]),
];

/// The stages of the engine's data path: each may name those before it, and its neighbour in the same row.
const ENGINE_STAGES: [&[&str]; 13] = [
    &["limits"],
    &["memory"],
    &["offset"],
    &["error"],
    &["batch"],
    &["io"],
    &["ledger", "latency"],
    &["journal"],
    &["tail"],
    &["partition"],
    &["cleaner"],
    // An open error names the case of the recovery table that refused.
    &["data_directory", "recovery"],
    &["shard"],
];

/// Dependencies of a manifest that point up.
pub fn manifest(path: &str, text: &str) -> Vec<Finding> {
    let Some(name) = path.strip_suffix("/Cargo.toml") else { return Vec::new() };
    let Some((_, allowed)) = CRATES.iter().find(|(ours, _)| *ours == name) else { return Vec::new() };
    let Ok(parsed) = text.parse::<toml::Table>() else {
        return vec![Finding::breach("imports", path, "not valid TOML")];
    };
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let named = sections.iter().filter_map(|section| parsed.get(*section)?.as_table()).flat_map(toml::Table::keys);
    named
        .filter(|one| CRATES.iter().any(|(ours, _)| ours == one) && !allowed.contains(&one.as_str()))
        .map(|one| Finding::breach("imports", path, format!("{name} may not depend on {one}")))
        .collect()
}

/// Paths in a file of the engine that name a later stage.
pub fn engine_stages(path: &str, text: &str) -> Vec<Finding> {
    let Some(inner) = path.strip_prefix("engine/src/") else { return Vec::new() };
    let stage = inner.split(['/', '.']).next().unwrap_or(inner);
    if stage == "lib" {
        return Vec::new();
    }
    let Some(own) = position(stage) else {
        return vec![Finding::breach(
            "imports",
            path,
            format!("{stage} has no place in ENGINE_STAGES of tidy/src/imports.rs"),
        )];
    };
    let code = masked(text);
    let mut findings = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        for named in named_stages(&code[at + found.len()..]) {
            if position(named).is_some_and(|other| other > own) {
                let subject = format!("{path}:{}", line_of(&code, at));
                findings.push(Finding::breach(
                    "imports",
                    &subject,
                    format!("{stage} may not name {named}, a later stage"),
                ));
            }
        }
    }
    findings
}

fn position(stage: &str) -> Option<usize> {
    ENGINE_STAGES.iter().position(|row| row.contains(&stage))
}

/// The first names after `crate::`, one, or several in braces.
fn named_stages(rest: &str) -> Vec<&str> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let Some(list) = rest.strip_prefix('{') else {
        return rest.split(|letter| !is_name(letter)).take(1).collect();
    };
    let (mut depth, mut names, mut start) = (1, Vec::new(), 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == ',') {
            names.push(list[start..at].trim().split(|letter| !is_name(letter)).next().unwrap_or_default());
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_points_up_is_found() {
        assert_eq!(manifest("engine/Cargo.toml", "[dev-dependencies]\nprotocol.workspace = true\n").len(), 1);
        assert_eq!(manifest("server/Cargo.toml", "[dependencies]\nloadgen.workspace = true\nengine = {}\n").len(), 1);
        assert!(
            manifest("loadgen/Cargo.toml", "[dependencies]\nprotocol.workspace = true\nbytes = \"1\"\n").is_empty()
        );
    }

    #[test]
    fn a_stage_that_names_a_later_one_is_found() {
        assert_eq!(engine_stages("engine/src/io/ring.rs", "use crate::journal::Writer;\n").len(), 1);
        assert_eq!(engine_stages("engine/src/journal/mod.rs", "use crate::{io::Io, shard::{self, Core}};\n").len(), 1);
        assert!(engine_stages("engine/src/shard/core.rs", "use crate::journal;\n// crate::later\n").is_empty());
        assert_eq!(engine_stages("engine/src/surprise.rs", "").len(), 1);
    }
}
