//! Settings, versions and machines that differ between runs, so that nobody takes them for the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::key::{ABSENT, plain_text};
use crate::result::RunResult;

/// Keys whose values change from run to run without anybody's doing.
const VOLATILE: [&str; 3] = ["workload.seed", "target.bootstrap", "free_bytes"];

/// A setting with unlike values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Path, as in `workload.linger_ms` or `env.colocated.kernel`.
    pub key: String,
    /// Values of the earlier side.
    pub a: Vec<String>,
    /// Values of the later side.
    pub b: Vec<String>,
}

impl Difference {
    /// Whether it is the machine that differs.
    pub fn is_environment(&self) -> bool {
        self.key.starts_with("env.")
    }
}

/// Everything that should be equal for runs to be repeats of one another, by path: load, target, generator, machines.
pub fn settings_of(run: &RunResult) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut add = |prefix: &str, part: serde_json::Result<Value>| {
        flatten(&mut settings, prefix, &part.unwrap_or(Value::Null));
    };
    add("workload", serde_json::to_value(&run.workload));
    add("target", serde_json::to_value(&run.target));
    add("loadgen", serde_json::to_value(&run.loadgen));
    for host in &run.env {
        let value = serde_json::to_value(host);
        let role = value.as_ref().ok().and_then(|host| host.get("role")?.as_str()).unwrap_or("host").to_owned();
        add(&format!("env.{role}"), value);
    }
    // What an imported source does not tell has a placeholder, which is no value.
    settings.retain(|key, _| run.knows(key) && !VOLATILE.iter().any(|volatile| key.ends_with(volatile)));
    settings
}

fn flatten(settings: &mut BTreeMap<String, String>, path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(settings, &format!("{path}.{name}"), value);
            }
        }
        Value::Null => {}
        other => {
            settings.insert(path.to_owned(), plain_text(other));
        }
    }
}

/// The values of each setting over some runs.
pub(super) fn values_of(runs: &[&RunResult]) -> BTreeMap<String, BTreeSet<String>> {
    let settings: Vec<BTreeMap<String, String>> = runs.iter().map(|run| settings_of(run)).collect();
    let keys: BTreeSet<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
    let value = |of: &BTreeMap<String, String>, key| of.get(key).cloned().unwrap_or_else(|| ABSENT.into());
    keys.into_iter().map(|key| (key.clone(), settings.iter().map(|of| value(of, key)).collect())).collect()
}

/// The settings in which two sides are not the same.
pub(super) fn differences(a: &[&RunResult], b: &[&RunResult]) -> Vec<Difference> {
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    let (a, b) = (values_of(a), values_of(b));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let values = |of: &BTreeMap<String, BTreeSet<String>>, key: &str| {
        of.get(key).map_or_else(|| vec![ABSENT.into()], |values| values.iter().cloned().collect::<Vec<_>>())
    };
    let difference = |key: &String| Difference { key: key.clone(), a: values(&a, key), b: values(&b, key) };
    keys.into_iter().map(difference).filter(|difference| difference.a != difference.b).collect()
}
