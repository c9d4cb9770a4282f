//! Words that tie the project to one machine: paths of a workstation, hosts of a private registry.

use crate::Finding;

// Written in two halves, so that this file does not hold what it forbids.
const FORBIDDEN: [&str; 7] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("index", "-url"),
    concat!("arti", "factory"),
    concat!("replace", "-with"),
    concat!(".inter", "nal/"),
];

/// Each line that holds a forbidden word.
pub fn forbidden_words(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
            let message = format!("{word} says something about one machine, not about the project");
            findings.push(Finding::breach("forbidden_words", &format!("{path}:{}", index + 1), message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_found() {
        let text = format!("fine\nsee {} there\n", concat!("/wo", "rk/main"));
        assert_eq!(forbidden_words("README.md", &text)[0].subject, "README.md:2");
        assert!(forbidden_words("README.md", "network/io and artwork/x\n").is_empty());
    }
}
