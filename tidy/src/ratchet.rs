//! Today's exceptions, committed: none may grow, and one that shrank must be lowered, so that debt only falls.

use std::collections::BTreeMap;

use crate::tree::Tree;
use crate::{Finding, bounds, size};

/// The endings of files whose length counts.
pub const SIZED: [&str; 3] = [".rs", ".py", ".java"];
/// The rules that have exceptions.
pub const RULES: [&str; 3] = ["file_lines", "function_lines", "misplaced_limits"];

/// `rule -> subject -> largest measure allowed`, as in `ratchet.toml`.
pub type Ratchet = BTreeMap<String, BTreeMap<String, usize>>;

/// Reads the file; sections other than those of [`RULES`] are refused.
pub fn parse(text: &str) -> Result<Ratchet, String> {
    let ratchet: Ratchet = toml::from_str(text).map_err(|error| error.to_string())?;
    match ratchet.keys().find(|rule| !RULES.contains(&rule.as_str())) {
        Some(unknown) => Err(format!("[{unknown}] has no exceptions")),
        None => Ok(ratchet),
    }
}

/// Everything in the tree that an entry may excuse.
pub fn measured(tree: &Tree) -> Vec<Finding> {
    let mut found = tree.findings(&SIZED, size::file_length);
    found.retain(|one| RULES.contains(&one.rule));
    found.extend(tree.findings(&[".rs"], size::function_lengths));
    found.extend(tree.findings(&[".rs"], bounds::misplaced_limits));
    found
}

/// The file that excuses exactly these findings.
pub fn render(findings: &[Finding]) -> String {
    let mut text = String::from(
        "# Exceptions of today: rule -> subject -> largest measure allowed. They are lowered or deleted, never raised.\n",
    );
    for rule in RULES {
        let of_rule = findings.iter().filter(|one| one.rule == rule);
        let lines: Vec<String> = of_rule.map(|one| format!("\"{}\" = {}\n", one.subject, one.measure)).collect();
        if !lines.is_empty() {
            text.extend(["\n[", rule, "]\n", &lines.concat()]);
        }
    }
    text
}

/// What remains to be done: findings that no entry covers, and entries that are larger than what they cover.
pub fn apply(ratchet: &Ratchet, findings: &[Finding]) -> Vec<String> {
    let mut complaints = Vec::new();
    for finding in findings {
        let allowed = ratchet.get(finding.rule).and_then(|entries| entries.get(&finding.subject));
        match allowed {
            Some(allowed) if finding.measure < *allowed => complaints.push(format!(
                "tidy/ratchet.toml [{}]: lower \"{}\" from {allowed} to {}",
                finding.rule, finding.subject, finding.measure
            )),
            Some(allowed) if finding.measure == *allowed => {}
            Some(allowed) => {
                complaints.push(format!("{}: {} (the ratchet allows {allowed})", finding.subject, finding.message));
            }
            None => complaints.push(format!("{}: {} [{}]", finding.subject, finding.message, finding.rule)),
        }
    }
    for (rule, entries) in ratchet {
        for subject in entries.keys() {
            if !findings.iter().any(|finding| finding.rule == rule && finding.subject == *subject) {
                complaints.push(format!("tidy/ratchet.toml [{rule}]: delete \"{subject}\", it is paid off"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(measure: usize) -> Finding {
        Finding { rule: "file_lines", subject: "a.rs".to_owned(), measure, message: "long".to_owned() }
    }

    #[test]
    fn growth_fails_shrinking_asks_for_a_lower_entry_and_payment_for_its_deletion() {
        let ratchet = parse("[file_lines]\n\"a.rs\" = 450\n").expect("it is well formed");
        assert!(apply(&ratchet, &[finding(450)]).is_empty());
        assert!(apply(&ratchet, &[finding(451)])[0].contains("the ratchet allows 450"));
        assert!(apply(&ratchet, &[finding(449)])[0].contains("from 450 to 449"));
        assert!(apply(&ratchet, &[])[0].contains("delete"));
        assert_eq!(apply(&Ratchet::new(), &[finding(450)]).len(), 1);
        let written = parse(&render(&[finding(450)])).expect("it reads what it writes");
        assert!(apply(&written, &[finding(450)]).is_empty());
    }

    #[test]
    fn a_rule_without_exceptions_cannot_be_given_one() {
        assert!(parse("[drawers]\n\"util.rs\" = 1\n").is_err());
    }
}
