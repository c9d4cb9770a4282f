//! Everything that is needed to repeat a run: command, load, target, integrity account and machine, as tables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::markup::Markup;
use super::units::{binary_bytes, count, decimal};
use crate::result::RunResult;

/// The sections below the charts.
pub(super) fn push_facts(page: &mut Markup, result: &RunResult) {
    page.raw("<section><h2>Command</h2><pre>").text(shell_line(&result.command)).raw("</pre></section>\n");
    page.raw("<div class=\"facts\">");
    push_section(page, "Load", &facts_of(&known_part(result, "workload", &result.workload)));
    push_section(page, "Target", &facts_of(&known_part(result, "target", &result.target)));
    push_section(page, "Integrity", &facts_of(&known_part(result, "integrity", &result.integrity)));
    for host in &result.env {
        push_section(page, "Machine", &facts_of(host));
    }
    page.raw("</div>\n");
}

/// A part of a result without what its source does not tell.
pub(super) fn known_part(result: &RunResult, name: &str, part: &impl serde::Serialize) -> Value {
    match &result.imported {
        None => serde_json::to_value(part).unwrap_or_default(),
        // Written whole, a result leaves out what it does not know.
        Some(_) => serde_json::to_value(result).map(|mut whole| whole[name].take()).unwrap_or_default(),
    }
}

/// The command as a shell would take it again.
pub(super) fn shell_line(command: &[String]) -> String {
    let is_plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c));
    let quoted: Vec<String> = command
        .iter()
        .map(|word| if is_plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) })
        .collect();
    quoted.join(" ")
}

fn push_section(page: &mut Markup, heading: &'static str, facts: &[(String, String)]) {
    page.raw("<section><h2>").raw(heading).raw("</h2><table><tbody>");
    for (name, value) in facts {
        page.raw("<tr><th scope=\"row\">").text(name).raw("</th><td>").text(value).raw("</td></tr>");
    }
    page.raw("</tbody></table></section>\n");
}

/// The fields of a part of the result as names and values, so that no page can omit one that the file has.
pub fn facts_of(part: &impl serde::Serialize) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    if let Ok(value) = serde_json::to_value(part) {
        push_value(&mut facts, "", &value);
    }
    facts
}

fn push_value(facts: &mut Vec<(String, String)>, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name} {field}") };
                push_value(facts, &name, value);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_object) => {
            for item in items {
                push_item(facts, name, item);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| scalar("", item)).collect();
            facts.push((readable(name), items.join(", ")));
        }
        scalar_value => facts.push((readable(name), scalar(name, scalar_value))),
    }
}

/// One of several parts, told apart by its own name.
fn push_item(facts: &mut Vec<(String, String)>, name: &str, item: &Value) {
    let own_name = item.get("name").and_then(Value::as_str).unwrap_or_default();
    for (field, value) in item.as_object().into_iter().flatten().filter(|(field, _)| *field != "name") {
        push_value(facts, &format!("{name} {own_name} {field}"), value);
    }
}

/// The leaves of a part of a result under readable names: `storage file system`.
pub(super) fn flattened(part: &impl serde::Serialize) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    if let Ok(value) = serde_json::to_value(part) {
        push_leaves(&mut leaves, "", &value);
    }
    leaves
}

fn push_leaves(leaves: &mut BTreeMap<String, Value>, name: &str, value: &Value) {
    let under = |field: &str| if name.is_empty() { field.to_owned() } else { format!("{name} {field}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, value)| push_leaves(leaves, &under(field), value)),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let own_name =
                    item.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned);
                for (field, value) in item.as_object().into_iter().flatten().filter(|(field, _)| *field != "name") {
                    push_leaves(leaves, &under(&format!("{own_name} {field}")), value);
                }
            }
        }
        leaf => {
            leaves.insert(readable(name), leaf.clone());
        }
    }
}

/// A leaf as people read it.
pub(super) fn leaf_text(name: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| scalar(name, item)).collect::<Vec<_>>().join(", "),
        other => scalar(name, other),
    }
}

fn readable(name: &str) -> String {
    name.replace('_', " ")
}

fn scalar(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => (if *flag { "yes" } else { "no" }).into(),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(number), _) if name.contains("bytes") && number >= 1 << 20 => binary_bytes(number),
            (Some(number), _) if name.contains("bytes") => {
                format!("{} B", count(number))
            }
            (Some(number), _) if name == "seed" => number.to_string(),
            (Some(number), _) => count(number),
            (None, Some(number)) => decimal(number),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_can_be_pasted_into_a_shell() {
        let command = ["loadgen", "run", "--name", "it's $HOME; rm", ""].map(str::to_owned);
        assert_eq!(shell_line(&command), r"loadgen run --name 'it'\''s $HOME; rm' ''");
    }

    #[test]
    fn every_field_of_a_part_is_a_fact_with_its_unit() {
        let part = serde_json::json!({
            "memory_bytes": 8_589_934_592_u64, "record_bytes": 1000, "on": true,
            "storage": {"file_system": "ext4"}, "seed": 12_345, "phases": [{"name": "warmup", "secs": 5.0}],
        });
        let facts = facts_of(&part);
        let has = |name: &str, value: &str| {
            assert!(facts.contains(&(name.into(), value.into())), "{name} {value} in {facts:?}");
        };
        has("memory bytes", "8.00 GiB");
        has("record bytes", "1,000 B");
        has("on", "yes");
        has("storage file system", "ext4");
        has("seed", "12345");
        has("phases warmup secs", "5.00");
    }
}
