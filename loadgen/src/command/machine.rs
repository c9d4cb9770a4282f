//! `loadgen machine`: what every result will say about this machine, and what to do about it before measuring.

use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::command::{Exit, refuse};
use crate::host::advice::{Advice, Noise, advice};
use crate::host::{self, SystemReading};
use crate::options::parse_endpoint;
use crate::probe::Probe;
use crate::report::facts_of;
use crate::result::{HostEnvironment, HostRole, LoadgenBuild, NoiseProbe};

/// Between the two looks: long enough for a kernel tick of steal to show.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Longer lines of a list are continued under themselves.
const COLUMNS_MAX: usize = 100;

/// The options of `loadgen machine`.
#[derive(Debug, Clone, Args)]
pub struct MachineOptions {
    /// Where the broker would keep its data: its disk is described and probed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub data_dir: PathBuf,
    /// A broker whose way is described: interface, speed, packet size.
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_endpoint)]
    pub bootstrap: Option<String>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// How the facts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned lines.
    Text,
    /// One object.
    Json,
}

/// What is known.
#[derive(Debug, Serialize)]
struct Machine {
    env: HostEnvironment,
    loadgen: LoadgenBuild,
    noise: Noise,
    advice: Vec<Advice>,
}

/// Looks, and prints what was found.
pub fn execute(options: &MachineOptions) -> Exit {
    if !options.data_dir.is_dir() {
        let shown = options.data_dir.display();
        return refuse(format_args!("--data-dir {shown} is no directory: give one that exists"), Exit::InvalidRun);
    }
    let machine = look(options);
    let text = match options.format {
        Format::Text => machine.text(stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()),
        Format::Json => match serde_json::to_string_pretty(&machine) {
            Ok(json) => json + "\n",
            Err(error) => return refuse(error, Exit::ToolError),
        },
    };
    // Who closed the pipe has read enough.
    let _ = stdout().write_all(text.as_bytes());
    Exit::Fine
}

fn look(options: &MachineOptions) -> Machine {
    let (before, reading) = (Probe::take(Some(&options.data_dir)), SystemReading::now());
    std::thread::sleep(BETWEEN_LOOKS);
    let pressure = SystemReading::now().pressure_since(&reading);
    let after = Probe::take(Some(&options.data_dir));
    let flushes = before.fdatasync_ns.zip(after.fdatasync_ns);
    let noise = Noise {
        cpu_probe: NoiseProbe { before_ns: before.cpu_ns, after_ns: after.cpu_ns },
        fdatasync_probe: flushes.map(|(before_ns, after_ns)| NoiseProbe { before_ns, after_ns }),
        pressure,
    };
    let role = if options.bootstrap.is_some() { HostRole::Loadgen } else { HostRole::Colocated };
    let env = HostEnvironment {
        network: options.bootstrap.as_deref().and_then(host::network::towards),
        ..host::environment(role, Some(&options.data_dir))
    };
    let loadgen = LoadgenBuild::of_this_program();
    let advice = advice(&env, &noise, &loadgen);
    Machine { env, loadgen, noise, advice }
}

impl Machine {
    fn text(&self, bold: bool) -> String {
        let sections = [
            ("machine", facts_of(&self.env)),
            ("load generator", facts_of(&self.loadgen)),
            ("noise", facts_of(&self.noise)),
        ];
        let names = sections.iter().flat_map(|(_, facts)| facts).map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or(0) + 2;
        let mut text = String::new();
        for (heading, facts) in &sections {
            push_heading(&mut text, heading, bold);
            for (name, value) in facts {
                push_wrapped(&mut text, &format!("  {name:width$}"), value);
            }
        }
        push_heading(&mut text, "before measuring", bold);
        if self.advice.is_empty() {
            text.push_str("  nothing speaks against figures of this machine\n");
        }
        for advice in &self.advice {
            push_wrapped(&mut text, "  - ", &advice.what);
            push_wrapped(&mut text, "    ", &format!("to do: {}", advice.remedy));
        }
        text
    }
}

fn push_heading(text: &mut String, heading: &str, bold: bool) {
    if !text.is_empty() {
        text.push('\n');
    }
    let (on, off) = if bold { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    text.extend([on, heading, off, "\n"]);
}

fn push_wrapped(text: &mut String, start: &str, sentence: &str) {
    let indent = start.chars().count();
    let (mut line, mut columns) = (start.to_owned(), indent);
    for (index, word) in sentence.split_whitespace().enumerate() {
        let letters = word.chars().count();
        if index > 0 && columns + 1 + letters > COLUMNS_MAX {
            text.push_str(line.trim_end());
            text.push('\n');
            (line, columns) = (" ".repeat(indent), indent);
        } else if index > 0 {
            line.push(' ');
            columns += 1;
        }
        // Other programs named the devices; their control characters stay away from the terminal.
        line.extend(word.chars().filter(|letter| !letter.is_control()));
        columns += letters;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(directory: &std::path::Path) -> MachineOptions {
        MachineOptions { data_dir: directory.to_owned(), bootstrap: None, format: Format::Text }
    }

    #[test]
    fn people_and_programs_are_told_the_same_facts() {
        let directory = tempfile::tempdir().expect("a directory");
        let machine = look(&options(directory.path()));
        assert!(machine.noise.cpu_probe.before_ns > 0 && machine.noise.fdatasync_probe.is_some());
        let json = serde_json::to_value(&machine).expect("plain values");
        assert_eq!(json["env"]["kernel"], machine.env.kernel);
        let text = machine.text(false);
        for section in ["machine\n", "load generator\n", "noise\n", "before measuring\n"] {
            assert!(text.contains(section), "{section} in {text}");
        }
        assert!(text.contains(&machine.env.kernel) && !text.contains('\u{1b}'));
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS_MAX || !line.trim().contains(' ')), "{text}");
    }

    #[test]
    fn values_stand_below_one_another() {
        let directory = tempfile::tempdir().expect("a directory");
        let text = look(&options(directory.path())).text(false);
        let column = |name: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name)).expect("a fact of this name");
            let value = line[2 + name.len()..].trim_start();
            line.chars().count() - value.chars().count()
        };
        assert_eq!(column("kernel "), column("architecture "));
        assert_eq!(column("kernel "), column("build profile "));
    }

    #[test]
    fn a_long_fact_is_continued_under_itself() {
        let mut text = String::new();
        push_wrapped(&mut text, "  name  ", &"word ".repeat(30));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  name  word") && lines[1].starts_with("        word") && lines[0].len() <= 100);
    }
}
