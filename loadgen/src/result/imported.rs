//! A result that was read from another tool's output: what the source does not tell is absent from the file.
//!
//! The types ask for a value of every setting. In memory such a field holds a placeholder and its path stands in
//! [`Imported::unknown`]; in the file it is not there. A reader asks [`RunResult::knows`] before it shows a figure.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{Kind, RunResult, SCHEMA_VERSION};

/// Where an imported result comes from and what its source leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// The tool that measured: `openmessaging-benchmark`, `kafka-producer-perf-test`.
    pub tool: String,
    /// Its version, when the output tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// FNV-1a hash of the bytes that were read, 16 hex digits.
    pub source_hash: String,
    /// Version of the program that read them.
    pub importer_version: String,
    /// Paths of the fields that the source does not tell, and that are therefore absent from the file.
    pub unknown: Vec<String>,
}

/// The latencies that a stream may have.
const LATENCIES: [&str; 4] = ["response", "service", "lag", "end_to_end"];

impl RunResult {
    /// Whether the field at `path` (`workload.producers`) holds what was measured or set, and not the placeholder
    /// of something that an imported source does not tell.
    pub fn knows(&self, path: &str) -> bool {
        self.imported.as_ref().is_none_or(|imported| imported.unknown.iter().all(|unknown| unknown != path))
    }

    /// The result that has only the fields of `known`, an object; the rest is unknown.
    pub fn from_known(mut known: Value, mut imported: Imported) -> Result<Self, serde_json::Error> {
        let mut unknown = Vec::new();
        let template = placeholders(&known);
        complete(&mut known, &template, "", &mut unknown);
        imported.unknown = unknown;
        known["schema_version"] = json!(SCHEMA_VERSION);
        known["kind"] = json!(Kind::Imported);
        known["workload_id"] = json!("");
        known["imported"] = serde_json::to_value(imported)?;
        let mut result = Self::deserialize(known)?;
        result.workload_id = result.workload.id();
        result.set_series_key();
        Ok(result)
    }
}

impl Serialize for RunResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(imported) = &self.imported else { return Self::serialize(self, serializer) };
        let mut value = Self::serialize(self, serde_json::value::Serializer).map_err(S::Error::custom)?;
        for path in &imported.unknown {
            remove(&mut value, path);
        }
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RunResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if value["kind"] == "imported" {
            fill(&mut value).map_err(D::Error::custom)?;
        }
        Self::deserialize(value).map_err(D::Error::custom)
    }
}

/// Puts placeholders where the file says that it does not know; what is missing without being named is an error.
fn fill(value: &mut Value) -> Result<(), String> {
    let unknown: Vec<String> = serde_json::from_value(value["imported"]["unknown"].clone())
        .map_err(|_| "an imported result needs imported.unknown, the list of what its source does not tell")?;
    let mut missing = Vec::new();
    let template = placeholders(value);
    complete(value, &template, "", &mut missing);
    if let Some(path) = missing.iter().find(|path| !unknown.contains(path)) {
        return Err(format!("missing field {path}, which imported.unknown does not name"));
    }
    match unknown.iter().find(|path| !missing.contains(path)) {
        Some(path) => Err(format!("imported.unknown names {path}, which may not be absent or is there")),
        None => Ok(()),
    }
}

/// Adds what `value` lacks of `template` and notes the paths.
fn complete(value: &mut Value, template: &Value, path: &str, missing: &mut Vec<String>) {
    let (Some(fields), Some(wanted)) = (value.as_object_mut(), template.as_object()) else { return };
    for (name, placeholder) in wanted {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if placeholder.is_object() {
            complete(fields.entry(name).or_insert_with(|| json!({})), placeholder, &path, missing);
        } else if !fields.contains_key(name) {
            fields.insert(name.clone(), placeholder.clone());
            missing.push(path);
        }
    }
}

/// Takes the field at `path` away, and what is empty without it.
fn remove(value: &mut Value, path: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    match path.split_once('.') {
        None => {
            fields.remove(path);
        }
        Some((name, rest)) => {
            let Some(inner) = fields.get_mut(name) else { return };
            remove(inner, rest);
            if inner.as_object().is_some_and(Map::is_empty) {
                fields.remove(name);
            }
        }
    }
}

/// Every field that an imported result may lack, with the value that stands for it in memory. Streams and
/// latencies may lack fields only where they are there themselves.
fn placeholders(value: &Value) -> Value {
    let mut template = fixed_placeholders();
    for stream in ["produce", "consume"] {
        let Some(there) = value["summary"][stream].as_object() else { continue };
        let mut placeholder = json!({"records": 0, "bytes": 0, "retries": 0, "timeouts": 0});
        for latency in LATENCIES {
            if there.get("latency").is_some_and(|all| all[latency].is_object()) {
                placeholder["latency"][latency] = json!({"n": 0});
            }
        }
        template["summary"][stream] = placeholder;
    }
    template
}

fn fixed_placeholders() -> Value {
    json!({
        "command": [], "started_utc": "", "ended_utc": "", "env": [],
        "loadgen": {"version": "", "build_profile": ""},
        "workload": {
            "topics": 0, "partitions": 0, "replication_factor": 0, "producers": 0, "consumers": 0, "record_bytes": 0,
            "arrival": {"kind": "closed-loop"}, "phases": [], "acks": "0", "linger_ms": 0.0, "batch_bytes_max": 0,
            "inflight_requests_max": 0, "idempotence": false, "compression": "none", "overload_policy": "queue",
            "client_mode": "modelled", "integrity": "off", "seed": 0,
        },
        "target": {
            "product": "", "bootstrap": "", "embedded": false, "nodes": 0,
            // The weakest promise: what is not known to be kept is not ranked with what is.
            "durability": {"acks": "0", "fsync": "unknown", "replication_factor": 0},
        },
        "summary": {"measured_secs": 0.0},
        "integrity": {
            "mode": "off", "produced": 0, "acked": 0, "consumed": 0, "missing": 0, "duplicate": 0, "out_of_order": 0,
            "corrupt": 0, "phantom": 0, "unacked_seen": 0, "verdict": "not-checked",
        },
        "quality": {"client_limited": false, "saturated": false, "noisy": false, "closed_loop": false},
    })
}

/// Lets the schema allow for imported results what [`fill`] allows, and for them alone.
pub(super) fn relax(schema: &mut Value) {
    let latencies: Map<String, Value> = LATENCIES.map(|name| (name.into(), json!({}))).into_iter().collect();
    let every = json!({"summary": {
        "produce": {"latency": latencies}, "consume": {"latency": latencies},
    }});
    let mut otherwise = json!({});
    let template = placeholders(&every);
    let root = schema.clone();
    require(&root, &root, &template, &mut otherwise);
    drop_required(&root, "", &template, schema);
    if let (Some(fields), Some(rest)) = (schema.as_object_mut(), otherwise.as_object()) {
        fields.insert("if".into(), json!({"properties": {"kind": {"const": "imported"}}}));
        fields.insert("then".into(), json!({"required": ["imported"]}));
        fields.insert("else".into(), Value::Object(rest.clone()));
    }
}

/// Writes into `out` which fields of the template the strict schema requires.
fn require(root: &Value, node: &Value, template: &Value, out: &mut Value) {
    let Some(fields) = template.as_object() else { return };
    let required = node["required"].as_array().cloned().unwrap_or_default();
    let names: Vec<&Value> = required.iter().filter(|name| may_lack(fields, name)).collect();
    if !names.is_empty() {
        out["required"] = json!(names);
    }
    for (name, inner) in fields.iter().filter(|(_, inner)| inner.is_object()) {
        let mut below = json!({});
        require(root, resolve(root, &node["properties"][name]).1, inner, &mut below);
        if below != json!({}) {
            out["properties"][name] = below;
        }
    }
}

/// Takes the fields of the template from the `required` lists of the definitions that hold them.
fn drop_required(root: &Value, pointer: &str, template: &Value, schema: &mut Value) {
    let Some(fields) = template.as_object() else { return };
    if let Some(required) = schema.pointer_mut(&format!("{pointer}/required")).and_then(Value::as_array_mut) {
        required.retain(|name| !may_lack(fields, name));
    }
    for (name, inner) in fields.iter().filter(|(_, inner)| inner.is_object()) {
        if let Some(node) = root.pointer(&format!("{pointer}/properties/{name}")) {
            drop_required(root, &resolve(root, node).0, inner, schema);
        }
    }
}

fn may_lack(fields: &Map<String, Value>, name: &Value) -> bool {
    name.as_str().is_some_and(|name| fields.contains_key(name))
}

/// The definition that a property refers to, directly or as one of several, and where it lies.
fn resolve<'a>(root: &'a Value, node: &'a Value) -> (String, &'a Value) {
    let direct = node["$ref"].as_str();
    let reference = direct.or_else(|| node["anyOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str()));
    let pointer = reference.unwrap_or_default().trim_start_matches('#').to_owned();
    let target = root.pointer(&pointer).unwrap_or(node);
    (pointer, target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported() -> RunResult {
        let known = json!({
            "id": "imported-0123456789abcdef",
            "workload": {"record_bytes": 100},
            "summary": {"produce": {
                "achieved": {"records_per_s": 10.0, "bytes_per_s": 1000.0},
                "goodput": {"records_per_s": 10.0, "bytes_per_s": 1000.0},
                "latency": {"service": {"p50_ns": 5}},
            }},
        });
        let source = Imported { tool: "test".into(), source_hash: "0123456789abcdef".into(), ..Imported::default() };
        RunResult::from_known(known, source).expect("everything else may be unknown")
    }

    #[test]
    fn what_a_source_does_not_tell_is_absent_from_the_file_and_known_to_be_unknown() {
        let result = imported();
        assert!(result.knows("workload.record_bytes"));
        assert!(!result.knows("workload.producers") && !result.knows("summary.produce.latency.service.n"));
        let file = serde_json::to_value(&result).expect("a plain struct");
        assert_eq!(file["workload"], json!({"record_bytes": 100}));
        assert_eq!(file["summary"]["produce"]["latency"]["service"], json!({"p50_ns": 5}));
        assert_eq!(file.get("integrity"), None);
        assert_eq!(serde_json::from_value::<RunResult>(file).expect("own file"), result);
    }

    #[test]
    fn a_field_that_is_missing_without_being_named_is_refused() {
        let mut file = serde_json::to_value(imported()).expect("a plain struct");
        file["workload"] = json!({});
        let error = serde_json::from_value::<RunResult>(file.clone()).expect_err("record_bytes is gone");
        assert!(error.to_string().contains("missing field workload.record_bytes"), "{error}");
        file["workload"] = json!({"record_bytes": 100, "seed": 3});
        let error = serde_json::from_value::<RunResult>(file).expect_err("the seed is there");
        assert!(error.to_string().contains("names workload.seed"), "{error}");
    }

    #[test]
    fn a_run_of_our_own_may_lack_nothing() {
        let mut file = serde_json::to_value(imported()).expect("a plain struct");
        file["kind"] = json!("run");
        let error = serde_json::from_value::<RunResult>(file).expect_err("no run has so little");
        assert!(error.to_string().contains("missing field"), "{error}");
    }
}
