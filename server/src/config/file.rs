//! Reads keys as they are written: in a TOML file, and on the command line.

use std::path::Path;

use super::{ConfigError, KeyValue};

/// Reads a TOML file to keys: `a.b = 1`, `"a.b" = 1` and tables mean the same, arrays become lists with commas.
pub fn read_file(path: &Path) -> Result<Vec<KeyValue>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
    let table: toml::Table =
        text.parse().map_err(|error| ConfigError::Syntax { path: path.to_owned(), error: Box::new(error) })?;
    let mut keys = Vec::new();
    flatten("", &table, &mut keys);
    Ok(keys)
}

/// Reads `key=value` of the command line.
pub fn read_pair(pair: &str) -> Result<KeyValue, ConfigError> {
    let (name, value) = pair.split_once('=').ok_or_else(|| ConfigError::Pair(pair.to_owned()))?;
    Ok(KeyValue { name: name.trim().to_owned(), value: value.trim().to_owned() })
}

fn flatten(prefix: &str, table: &toml::Table, keys: &mut Vec<KeyValue>) {
    for (name, value) in table {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, keys),
            toml::Value::Array(items) => {
                let value = items.iter().map(plain_text).collect::<Vec<_>>().join(",");
                keys.push(KeyValue { name, value });
            }
            single => keys.push(KeyValue { name, value: plain_text(single) }),
        }
    }
}

fn plain_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
