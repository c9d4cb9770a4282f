//! A side of a comparison: what is tested, and how its load differs from the common one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::builder::Resettable;
use clap::{Args, Command, FromArgMatches};
use serde::Deserialize;

use crate::options::{LoadOptions, TargetOptions};
use crate::settings::{InvalidSetting, Setting, value_text, without_usage};

/// Far beyond any description of a side.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What is tested, how, and what it is called.
#[derive(Debug, Clone)]
pub struct Side {
    /// What the comparison calls it.
    pub label: String,
    /// Where it is or how it is started.
    pub target: TargetOptions,
    /// The common load with this side's changes.
    pub load: LoadOptions,
}

/// A side as a file tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SideFile {
    name: Option<String>,
    #[serde(default)]
    target: toml::Table,
    #[serde(default)]
    load: toml::Table,
}

impl Side {
    /// Reads `[NAME=]SPEC`, where SPEC is `embedded`, an endpoint, a server binary, or a TOML file with `name`, `[target]` and `[load]`.
    pub fn parse(text: &str, target: &TargetOptions, load: &LoadOptions) -> Result<Self, InvalidSetting> {
        let (name, spec) = match text.split_once('=') {
            Some((name, spec)) if !name.is_empty() && !name.contains('/') => (Some(name.to_owned()), spec),
            _ => (None, text),
        };
        let path = Path::new(spec);
        let mut side = Self { label: spec.to_owned(), target: target.clone(), load: load.clone() };
        if spec == "embedded" {
            side.target.bootstrap = None;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            side.label = path.file_stem().map_or_else(|| spec.to_owned(), |stem| stem.to_string_lossy().into_owned());
            side.read(path)?;
        } else if is_program(path) {
            side.label = path.file_name().map_or_else(|| spec.to_owned(), |name| name.to_string_lossy().into_owned());
            side.target.broker = Some(path.to_path_buf());
        } else if crate::options::parse_endpoint(spec).is_ok() {
            side.target.bootstrap = Some(spec.to_owned());
        } else {
            return Err(InvalidSetting::new(format!(
                "side {spec:?} is neither embedded, nor HOST:PORT, nor a program, nor a .toml file"
            )));
        }
        if let Some(name) = name {
            side.label = name;
        }
        Ok(side)
    }

    fn read(&mut self, path: &Path) -> Result<(), InvalidSetting> {
        let failed = |what: String| InvalidSetting::new(format!("side {}: {what}", path.display()));
        let length = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(failed(format!("{length} bytes are more than the {FILE_BYTES_MAX} that a side may have")));
        }
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let file: SideFile = toml::from_str(&text).map_err(|error| failed(error.message().to_owned()))?;
        if let Some(name) = file.name {
            self.label = name;
        }
        for (key, value) in &file.load {
            let value = value_text(value).ok_or_else(|| failed(format!("load.{key} is no single value")))?;
            self.load.set(&Setting::new(key, value)).map_err(|error| failed(error.to_string()))?;
        }
        set_target(&mut self.target, &file.target).map_err(failed)
    }
}

/// Sets options of the target by the names that they have on the line; `broker_set` is a table of settings.
pub(crate) fn set_target(target: &mut TargetOptions, table: &toml::Table) -> Result<(), String> {
    let mut words = Vec::new();
    for (key, value) in table {
        let name = key.replace('_', "-");
        match value {
            toml::Value::Table(settings) if name == "broker-set" => {
                let settings: BTreeMap<_, _> = settings.iter().collect();
                for (setting, value) in settings {
                    let value =
                        value_text(value).ok_or_else(|| format!("target.{key}.{setting} is no single value"))?;
                    words.push(format!("--broker-set={setting}={value}"));
                }
            }
            _ => {
                let value = value_text(value).ok_or_else(|| format!("target.{key} is no single value"))?;
                words.push(format!("--{name}={value}"));
            }
        }
    }
    let command = TargetOptions::augment_args_for_update(Command::new("loadgen").no_binary_name(true))
        .mut_args(|argument| argument.default_value(Resettable::Reset));
    let matches = command.try_get_matches_from(words);
    let outcome = matches.and_then(|matches| target.update_from_arg_matches(&matches));
    outcome.map_err(|error| without_usage(&error))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        run: crate::options::RunOptions,
    }

    fn side(text: &str) -> Result<Side, InvalidSetting> {
        let run = <Line as clap::Parser>::parse_from(["loadgen"]).run;
        Side::parse(text, &run.target, &run.load)
    }

    #[test]
    fn a_side_is_an_endpoint_a_program_the_embedded_broker_or_a_file() {
        assert!(side("embedded").is_ok_and(|side| side.target.bootstrap.is_none() && side.label == "embedded"));
        let endpoint = side("kafka=localhost:9092").expect("an endpoint");
        assert_eq!((endpoint.label.as_str(), endpoint.target.bootstrap.as_deref()), ("kafka", Some("localhost:9092")));
        let program = side("/bin/sh").expect("a program");
        assert_eq!((program.label.as_str(), program.target.broker.as_deref()), ("sh", Some(Path::new("/bin/sh"))));
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("tuned.toml");
        let text =
            "[target]\nbroker = \"/bin/sh\"\n[target.broker_set]\n\"num.partitions\" = 8\n[load]\nlinger = \"1ms\"\n";
        fs::write(&file, text).expect("written");
        let tuned = side(&file.display().to_string()).expect("a file");
        assert_eq!((tuned.label.as_str(), tuned.load.linger.as_millis()), ("tuned", 1));
        assert_eq!(tuned.target.broker_settings, ["num.partitions=8"]);
    }

    #[test]
    fn a_side_that_makes_no_sense_is_refused_with_its_name() {
        assert!(side("nowhere").is_err_and(|error| error.to_string().contains("nowhere")));
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("wrong.toml");
        for (text, says) in [
            ("[load]\nlingr = 1\n", "lingr"),
            ("[target]\nbootstrapp = \"a:1\"\n", "bootstrapp"),
            ("[targets]\n", "targets"),
            ("[target]\nstart = \"true\"\n", "bootstrap"),
        ] {
            fs::write(&file, text).expect("written");
            let error = side(&file.display().to_string()).expect_err(text).to_string();
            assert!(error.contains(says) && error.contains("wrong.toml"), "{error}");
        }
    }
}
