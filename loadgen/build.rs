//! Tells the program from which commit, by which compiler and how it was built, so that every result can say it.
//!
//! What cannot be found out is not set: sources without git have no commit.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the program is made of; a change elsewhere does not make it another program.
const SOURCES: [&str; 6] = ["Cargo.toml", "Cargo.lock", "engine", "loadgen", "protocol", "server"];

fn main() {
    for name in ["LOADGEN_GIT_SHA", "CARGO_PROFILE_RELEASE_LTO"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".into());
    let root = Path::new(&manifest).join("..");
    // A package is built from an archive whose maker knows the commit.
    let commit = env::var("LOADGEN_GIT_SHA").ok().filter(|commit| !commit.is_empty()).or_else(|| commit(&root));
    set("LOADGEN_GIT_SHA", commit);
    let compiler = env::var("RUSTC").ok();
    set("LOADGEN_RUSTC", compiler.and_then(|rustc| output(Command::new(rustc).arg("--version"))));
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    set("LOADGEN_TARGET_CPU", Some(target_cpu(&flags)));
    set("LOADGEN_LTO", Some(lto(&root)));
}

fn set(name: &str, value: Option<String>) {
    if let Some(value) = value {
        println!("cargo:rustc-env={name}={value}");
    }
}

/// The commit, with `-dirty` behind it when a source differs from it.
fn commit(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(root).args(arguments));
    // An archive that was unpacked inside of another project is not of that project's commit.
    git(&["ls-files", "loadgen/build.rs"])?;
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // The log of HEAD grows with every commit and checkout; the sources decide whether the tree is dirty.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", file]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let changes = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["status", "--porcelain", "--untracked-files=no", "--"])
        .args(SOURCES)
        .output()
        .ok()?;
    Some(if changes.stdout.is_empty() { commit } else { commit + "-dirty" })
}

/// The last `-C target-cpu` wins, as the compiler has it. Flags are apart by a unit separator, a flag and its value too.
fn target_cpu(flags: &str) -> String {
    let last =
        flags.split('\u{1f}').filter_map(|flag| flag.trim_start_matches("-C").strip_prefix("target-cpu=")).next_back();
    last.unwrap_or("generic").to_owned()
}

/// Cargo does not tell it, so the profile of the manifest is asked, as Cargo does: the environment first.
fn lto(root: &Path) -> String {
    let asked = if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        env::var("CARGO_PROFILE_RELEASE_LTO").ok().or_else(|| {
            let manifest = fs::read_to_string(root.join("Cargo.toml")).ok()?.parse::<toml::Table>().ok()?;
            let lto = manifest.get("profile")?.get("release")?.get("lto")?;
            Some(lto.as_str().map_or_else(|| lto.to_string(), str::to_owned))
        })
    } else {
        None
    };
    match asked.as_deref() {
        Some("thin") => "thin",
        Some("fat" | "true") => "fat",
        _ => "off",
    }
    .to_owned()
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
