//! A load from several sources: the defaults, then a preset, then a workload file, then the command line.
//!
//! A setting has one name everywhere: `record_bytes` in a file, `record-bytes` in a sweep, `--record-bytes` on the line.

use std::fs;
use std::path::Path;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::options::LoadOptions;

/// Far beyond any workload; a path to something else must not fill the memory.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What says where settings come from, and therefore is none itself.
const SOURCES: [&str; 2] = ["preset", "workload"];

/// Why settings are refused: what, where, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSetting(String);

impl InvalidSetting {
    /// Settings that contradict each other.
    pub fn new(what: String) -> Self {
        Self(what)
    }
}

/// One setting by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As in `--key`.
    pub key: String,
    /// As on the command line.
    pub value: String,
}

impl Setting {
    /// A setting whose key may be spelt as in a file or as on the line.
    pub fn new(key: &str, value: impl Into<String>) -> Self {
        Self { key: key.trim().replace('_', "-"), value: value.into() }
    }
}

impl LoadOptions {
    /// Fills in what the command line left open: first the preset, then the workload file.
    pub fn complete(&mut self, line: &ArgMatches) -> Result<(), InvalidSetting> {
        self.complete_over(Vec::new(), line)
    }

    /// The same for a command with defaults of its own.
    pub fn complete_over(&mut self, defaults: Vec<Setting>, line: &ArgMatches) -> Result<(), InvalidSetting> {
        let preset = self.preset.iter().flat_map(|preset| preset.settings());
        let mut settings = defaults;
        settings.extend(preset.map(|&(key, value)| Setting::new(key, value)));
        if let Some(file) = &self.workload {
            settings.extend(read_file(file)?);
        }
        for setting in settings {
            let is_on_line = |key: &str| line.value_source(&key.replace('-', "_")) == Some(ValueSource::CommandLine);
            if !is_on_line(&setting.key) && !rival(&setting.key).is_some_and(is_on_line) {
                self.set(&setting)?;
            }
        }
        Ok(())
    }

    /// Changes one setting; an unknown key or a value out of bounds is refused.
    pub fn set(&mut self, setting: &Setting) -> Result<(), InvalidSetting> {
        let known = keys();
        if !known.contains(&setting.key) {
            return Err(InvalidSetting(format!("unknown setting {:?}; known are {}", setting.key, known.join(", "))));
        }
        // Defaults would be given anew to everything that is not named.
        let command = Self::augment_args_for_update(Command::new("loadgen").no_binary_name(true))
            .mut_args(|argument| argument.default_value(Resettable::Reset));
        let matches = command.try_get_matches_from([format!("--{}={}", setting.key, setting.value)]);
        let outcome = matches.and_then(|matches| self.update_from_arg_matches(&matches));
        outcome.map_err(|error| InvalidSetting(without_usage(&error)))?;
        if rival(&setting.key) == Some("sizes") {
            self.sizes = None;
        }
        Ok(())
    }
}

/// The other way to say the same: what is set last counts.
fn rival(key: &str) -> Option<&'static str> {
    match key {
        "record-bytes" => Some("sizes"),
        "sizes" => Some("record-bytes"),
        _ => None,
    }
}

/// What is wrong with options, in one line: clap's own words without the usage behind them.
pub fn without_usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let said: Vec<&str> = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    said.join(" ").trim_start_matches("error: ").to_owned()
}

/// Every setting of a load.
pub fn keys() -> Vec<String> {
    let command = LoadOptions::augment_args(Command::new("loadgen"));
    let names = command.get_arguments().filter_map(|argument| argument.get_long());
    names.filter(|name| !SOURCES.contains(name)).map(str::to_owned).collect()
}

/// Reads a workload file: flat TOML, a key for each option.
pub fn read_file(path: &Path) -> Result<Vec<Setting>, InvalidSetting> {
    let failed = |what: String| InvalidSetting(format!("workload file {}: {what}", path.display()));
    let length = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed(format!("{length} bytes are more than the {FILE_BYTES_MAX} that a workload may have")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| failed(error.message().to_owned()))?;
    let known = keys();
    table
        .iter()
        .map(|(key, value)| {
            let setting =
                Setting::new(key, value_text(value).ok_or_else(|| failed(format!("{key} is no single value")))?);
            if known.contains(&setting.key) {
                return Ok(setting);
            }
            Err(failed(format!("unknown key {key:?}; known are {}", known.join(", ").replace('-', "_"))))
        })
        .collect()
}

/// A TOML value as it would stand on the command line.
pub fn value_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The load of a line, completed as the program does it.
    fn load(line: &str) -> Result<LoadOptions, InvalidSetting> {
        let command = LoadOptions::augment_args(Command::new("loadgen").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace()).expect("a valid line");
        let mut load = LoadOptions::from_arg_matches(&matches).expect("matches");
        load.complete(&matches)?;
        Ok(load)
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    #[test]
    fn the_line_wins_over_the_file_and_the_file_over_the_preset() {
        let file = file("rate = \"5MB/s\"\nrecord_bytes = 500\nidempotent = true\npartitions = 3\n");
        let load = load(&format!("--preset quick --workload {} --partitions 7", file.path().display())).expect("valid");
        assert_eq!((load.partitions, load.record_bytes, load.idempotent), (7, 500, true));
        assert_eq!(load.rate, crate::quantity::Rate::Bytes(5e6));
        assert_eq!(load.duration.as_secs(), 105, "from the preset");
    }

    #[test]
    fn a_file_may_plan_several_faults_in_one_key() {
        let file = file("fault = \"cut@1s, pause@2s:100ms\"\n");
        let load = load(&format!("--workload {}", file.path().display())).expect("valid");
        assert_eq!(load.fault.iter().map(ToString::to_string).collect::<Vec<_>>(), ["cut@1s", "pause@2s:0.1s"]);
    }

    #[test]
    fn unknown_keys_and_bad_values_name_the_file_and_the_key() {
        let unknown = file("partitons = 4\n");
        let error = load(&format!("--workload {}", unknown.path().display())).expect_err("a typing error").to_string();
        assert!(error.contains("partitons") && error.contains("record_bytes"), "{error}");
        let bad = file("partitions = 0\n");
        let error = load(&format!("--workload {}", bad.path().display())).expect_err("out of bounds").to_string();
        assert!(error.contains("--partitions"), "{error}");
        let nested = file("[producer]\nrate = 5\n");
        assert!(load(&format!("--workload {}", nested.path().display())).is_err());
        assert!(load("--workload /nowhere").is_err_and(|error| error.to_string().contains("/nowhere")));
    }

    #[test]
    fn of_one_size_and_several_the_last_word_counts() {
        let mixed = file("sizes = \"100:1,300:1\"\n");
        let path = mixed.path().display();
        let mut from_file = load(&format!("--workload {path}")).expect("valid");
        assert!((from_file.sizes().mean_bytes() - 200.0).abs() < 1e-9);
        from_file.set(&Setting::new("record_bytes", "500")).expect("valid");
        assert!(from_file.sizes().is_fixed() && from_file.sizes().max_bytes() == 500);
        from_file.set(&Setting::new("sizes", "100:1,300:1")).expect("valid");
        assert!(!from_file.sizes().is_fixed());
        let line = load(&format!("--workload {path} --record-bytes 400")).expect("valid");
        assert_eq!(line.sizes().max_bytes(), 400);
        let fixed = file("record_bytes = 500\n");
        let line = load(&format!("--workload {} --sizes 100:1,300:1", fixed.path().display())).expect("valid");
        assert!(!line.sizes().is_fixed());
    }

    #[test]
    fn every_preset_is_a_valid_load() {
        for preset in ["smoke", "quick", "standard", "soak"] {
            let load = load(&format!("--preset {preset}")).expect("known keys");
            assert!(crate::workload::Workload::from_options(&load).is_ok(), "{preset}");
        }
    }
}
