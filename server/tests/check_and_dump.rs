//! `check` and `dump` say of a stopped directory what is whole and what is damaged, and change nothing.

mod broker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use broker::{Broker, batch};

fn posthaste(arguments: &[&str], path: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthaste"));
    let Output { status, stdout, stderr } = command.args(arguments).arg(path).output().expect("it runs");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        } else {
            found.insert(entry.path(), std::fs::read(entry.path()).expect("a file"));
        }
    }
    found
}

/// The segment file that holds these bytes, and where.
fn find(data: &Path, needle: &[u8]) -> (PathBuf, usize) {
    let files = contents(data);
    let mut places = files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "segment"));
    let found = places.find_map(|(path, content)| {
        content.windows(needle.len()).position(|window| window == needle).map(|at| (path.clone(), at))
    });
    found.expect("the record is on the disk")
}

#[test]
fn a_stopped_directory_is_checked_and_a_flipped_bit_is_named() {
    let mut broker = Broker::start(&["posthaste.segment.bytes=262144"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("letters", 1, &[]), 0);
    let long = "y".repeat(20_000);
    for at in 0..60 {
        assert_eq!(client.produce("letters", 0, &batch(&[&format!("letter-{at}-"), &long])).0, 0);
    }
    assert_eq!(posthaste(&["check", "--data"], broker.data()).0, Some(4), "a running broker holds the lock");
    assert_eq!(broker.terminate().code(), Some(0));

    let before = contents(broker.data());
    let (code, said) = posthaste(&["check", "--data"], broker.data());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("everything is what was written"), "{said}");
    assert!(contents(broker.data()) == before, "a check changes nothing");

    // An early record, far behind what a start looks at.
    let (segment, place) = find(broker.data(), b"letter-3-");
    let (code, said) = posthaste(&["dump"], &segment);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Batch log") && said.contains("offsets 6..=7 records 2"), "{said}");
    let mut content = before[&segment].clone();
    content[place] ^= 1;
    std::fs::write(&segment, content).expect("written");

    let (code, said) = posthaste(&["check", "--data"], broker.data());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("damaged: ") && said.contains("at offset 6"), "{said}");
    let (code, said) = posthaste(&["dump"], &segment);
    assert_eq!(code, Some(1), "{said}");
    let line = said.lines().find(|line| line.contains("offsets 6..=7")).expect("the batch");
    assert!(line.contains("DAMAGED"), "{line}");
}

#[test]
fn what_is_no_data_directory_is_refused_and_left_alone() {
    let directory = broker::directory();
    let (code, said) = posthaste(&["check", "--data"], directory.path());
    assert_eq!(code, Some(4), "{said}");
    assert!(contents(directory.path()).is_empty());
    let (code, said) = posthaste(&["check", "--data"], &directory.path().join("missing"));
    assert_eq!(code, Some(4), "{said}");
    let (code, said) = posthaste(&["dump"], &directory.path().join("missing"));
    assert_eq!(code, Some(4), "{said}");
}
