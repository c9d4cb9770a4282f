//! The tree keeps the rules of the house. What fails here says what to do; `ratchet.toml` holds today's exceptions.

use std::path::{Path, PathBuf};

use tidy::tree::Tree;
use tidy::{Finding, imports, names, ratchet, readme, safety, size, words};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the tree").to_owned()
}

fn findings(endings: &[&str], rule: impl Fn(&str, &str) -> Vec<Finding>) -> Vec<Finding> {
    Tree::of(&root()).findings(endings, rule)
}

fn expect_none(found: &[Finding]) {
    let lines: Vec<String> =
        found.iter().map(|one| format!("{}: {} [{}]", one.subject, one.message, one.rule)).collect();
    assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn lengths_and_limits_do_not_grow_beyond_the_ratchet() {
    let found = ratchet::measured(&Tree::of(&root()));
    let text = std::fs::read_to_string(root().join("tidy/ratchet.toml")).expect("the ratchet is committed");
    let entries = ratchet::parse(&text).expect("the ratchet is well formed");
    let complaints = ratchet::apply(&entries, &found);
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn no_file_is_longer_than_the_hard_limit() {
    let mut found = findings(&ratchet::SIZED, size::file_length);
    found.retain(|one| one.rule == "file_lines_hard");
    expect_none(&found);
}

#[test]
fn unsafe_code_lives_in_io_and_gives_its_reason() {
    expect_none(&findings(&[".rs"], safety::unsafe_sites));
}

#[test]
fn imports_point_down() {
    expect_none(&findings(&["/Cargo.toml"], imports::manifest));
    expect_none(&findings(&[".rs"], imports::engine_stages));
}

#[test]
fn nothing_is_named_after_a_drawer() {
    expect_none(&findings(&[], |path, _| names::drawers(path)));
}

#[test]
fn no_file_speaks_of_one_machine() {
    expect_none(&findings(&[], words::forbidden_words));
}

#[test]
fn the_commands_of_the_readme_exist() {
    expect_none(&findings(&["README.md"], |path, text| readme::missing(&root(), path, text)));
}
