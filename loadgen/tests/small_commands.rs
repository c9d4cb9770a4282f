//! The commands beside the runs: machine, completions, man.

use std::process::{Command, Output, Stdio};

fn loadgen(options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(options).stdin(Stdio::null()).output().expect("the program starts")
}

#[test]
fn machine_tells_programs_one_object_with_the_environment_of_a_result() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().to_str().expect("a plain path");
    let output = loadgen(&["machine", "--format", "json", "--data-dir", directory]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    let env: loadgen::result::HostEnvironment = serde_json::from_value(json["env"].clone()).expect("an environment");
    assert!(env.cores >= 1 && env.storage.is_some() && env.boot_id_hash.is_some());
    assert!(json["advice"].as_array().is_some_and(|list| list.iter().all(|one| one["remedy"].is_string())));
}

#[test]
fn what_cannot_be_done_is_one_clear_line_and_an_exit_code() {
    for (options, complaint) in [
        (&["machine", "--data-dir", "/nowhere"][..], "loadgen: --data-dir /nowhere is no directory"),
        (&["man", "nonsense"], "loadgen: there is no command nonsense"),
    ] {
        let output = loadgen(options);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{complained}");
        assert!(complained.starts_with(complaint) && complained.lines().count() == 1, "{complained}");
    }
}

#[test]
fn pages_are_written_one_a_command() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = loadgen(&["man", "--out", directory.path().to_str().expect("a plain path")]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for file in ["loadgen.1", "loadgen-run.1", "loadgen-find-max.1", "loadgen-machine.1"] {
        let page = std::fs::read(directory.path().join(file)).expect("written");
        assert!(page.starts_with(b".ie") && page.len() > 500, "{file}");
    }
    assert_eq!(
        loadgen(&["man", "run"]).stdout,
        std::fs::read(directory.path().join("loadgen-run.1")).expect("written")
    );
}
