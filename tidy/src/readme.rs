//! The commands of the README exist: packages, programs, scripts, files, and the flags of what is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Finding;

/// One line of a shell block, in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// Without prompt and comment.
    pub words: Vec<String>,
}

/// The commands of all shell blocks; a trailing backslash joins lines.
pub fn commands(text: &str) -> Vec<Line> {
    let (mut lines, mut inside, mut open) = (Vec::<Line>::new(), false, false);
    for (index, line) in text.lines().enumerate() {
        if let Some(fence) = line.trim().strip_prefix("```") {
            inside = !inside && matches!(fence.trim(), "sh" | "bash" | "shell" | "console");
            continue;
        }
        if !inside {
            continue;
        }
        let code = line.trim().trim_start_matches("$ ").split(" #").next().unwrap_or_default();
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        let words = code.trim_end_matches('\\').split_whitespace().map(str::to_owned);
        match lines.last_mut() {
            Some(last) if open => last.words.extend(words),
            _ => lines.push(Line { number: index + 1, words: words.collect() }),
        }
        open = code.ends_with('\\');
    }
    lines
}

/// What a command names of ours: the program, its subcommand and its flags.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Package or program.
    pub program: String,
    /// The words after the program.
    pub arguments: Vec<String>,
}

/// `cargo run -p X -- ...` and `target/release/X ...`.
pub fn invocation(words: &[String]) -> Option<Invocation> {
    let first = words.first()?;
    if let Some(program) = ["target/release/", "./target/release/"].iter().find_map(|folder| first.strip_prefix(folder))
    {
        return Some(Invocation { program: program.to_owned(), arguments: words[1..].to_vec() });
    }
    if first != "cargo" || words.get(1)? != "run" {
        return None;
    }
    let own = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let package = words[..own].iter().position(|word| word == "-p" || word == "--bin")?;
    let arguments = words.get(own + 1..).unwrap_or_default().to_vec();
    Some(Invocation { program: words.get(package + 1)?.clone(), arguments })
}

/// Each thing that a command names and that the tree lacks.
pub fn missing(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in commands(text) {
        let subject = format!("{path}:{}", line.number);
        let mut lacks = |what: String| findings.push(Finding::breach("readme", &subject, what));
        for (position, word) in line.words.iter().enumerate() {
            check_path(root, word, position == 0, &mut lacks);
        }
        for package in packages(&line.words) {
            if !is_program(root, package) {
                lacks(format!("no package or program {package}"));
            }
        }
        if let Some(invocation) = invocation(&line.words) {
            check_flags(root, &invocation, &mut lacks);
        }
    }
    findings
}

/// A word that looks like a path of the tree must be one; the first must be executable.
fn check_path(root: &Path, word: &str, is_program: bool, lacks: &mut impl FnMut(String)) {
    use std::os::unix::fs::PermissionsExt;

    let is_ours = word.contains('/')
        && !word.starts_with(['/', '-', '~', '$', '<'])
        && !word.contains([':', '=', '*'])
        && !word.trim_start_matches("./").starts_with("target/");
    if !is_ours || word.ends_with("MB/s") {
        return;
    }
    match std::fs::metadata(root.join(word)) {
        Err(_) => lacks(format!("{word} does not exist")),
        Ok(metadata) if is_program && metadata.permissions().mode() & 0o111 == 0 => {
            lacks(format!("{word} is not executable"));
        }
        Ok(_) => {}
    }
}

fn packages(words: &[String]) -> Vec<&str> {
    if words.first().is_none_or(|first| first != "cargo") {
        return Vec::new();
    }
    let own = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let named = words[..own].windows(2).filter(|pair| matches!(pair[0].as_str(), "-p" | "--package" | "--bin"));
    named.map(|pair| pair[1].as_str()).collect()
}

/// A member of the workspace, or a binary that a member's manifest names.
fn is_program(root: &Path, name: &str) -> bool {
    let manifest = |path: &Path| std::fs::read_to_string(path.join("Cargo.toml")).ok()?.parse::<toml::Table>().ok();
    let Some(workspace) = manifest(root) else { return false };
    let members = workspace.get("workspace").and_then(|table| table.get("members")).and_then(toml::Value::as_array);
    members.into_iter().flatten().filter_map(toml::Value::as_str).any(|member| {
        let binaries = manifest(&root.join(member))
            .and_then(|table| table.get("bin").and_then(toml::Value::as_array).cloned())
            .unwrap_or_default();
        member == name || binaries.iter().any(|one| one.get("name").and_then(toml::Value::as_str) == Some(name))
    })
}

/// Asks the program itself, when it is built, whether it knows the subcommand and its flags.
fn check_flags(root: &Path, invocation: &Invocation, lacks: &mut impl FnMut(String)) {
    let Some(program) = newest_build(root, &invocation.program) else { return };
    let subcommand: Vec<&String> =
        invocation.arguments.iter().take_while(|word| !word.starts_with('-')).take(1).collect();
    let Ok(help) = Command::new(&program).args(&subcommand).arg("--help").output() else { return };
    if !help.status.success() {
        lacks(format!("{} does not know {subcommand:?}", invocation.program));
        return;
    }
    let help = String::from_utf8_lossy(&help.stdout);
    for flag in unknown_flags(&help, &invocation.arguments) {
        lacks(format!("{} has no {flag}", invocation.program));
    }
}

/// The long flags that a help text does not name.
pub fn unknown_flags<'a>(help: &str, arguments: &'a [String]) -> Vec<&'a str> {
    let known: Vec<&str> = help.split(|letter: char| letter.is_whitespace() || "=[],<>".contains(letter)).collect();
    let flags = arguments.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    flags.map(|word| word.split('=').next().unwrap_or(word)).filter(|flag| !known.contains(flag)).collect()
}

fn newest_build(root: &Path, program: &str) -> Option<PathBuf> {
    let built = ["debug", "release"].iter().map(|profile| root.join("target").join(profile).join(program));
    let age = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    built.filter(|path| path.is_file()).max_by_key(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn only_shell_blocks_are_commands_and_backslashes_join() {
        let text = "```sh\n$ cargo run \\\n  -p loadgen # why\n# note\n```\n```json\n{}\n```\n```sh\n.ci/run\n```\n";
        let found: Vec<String> = commands(text).iter().map(|line| line.words.join(" ")).collect();
        assert_eq!(found, ["cargo run -p loadgen", ".ci/run"]);
    }

    #[test]
    fn the_program_and_its_own_flags_are_told_from_those_of_cargo() {
        let found = invocation(&words("cargo run --release -p loadgen -- run --rate 0")).expect("it is one");
        assert_eq!((found.program.as_str(), found.arguments.join(" ")), ("loadgen", "run --rate 0".to_owned()));
        assert_eq!(unknown_flags("  --rate <RATE>  [default: 1]\n", &words("run --rate=0 --speed 1")), ["--speed"]);
    }

    #[test]
    fn missing_packages_and_scripts_are_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text =
            "```sh\ncargo run -p nowhere -- run\n./clients/no-such-script\ncargo test -p tidy\nCargo.toml\n```\n";
        let found: Vec<String> = missing(&root, "README.md", text).into_iter().map(|one| one.message).collect();
        assert_eq!(found, ["no package or program nowhere", "./clients/no-such-script does not exist"]);
    }
}
