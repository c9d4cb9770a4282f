//! Bounds of memory, time and number live in limits.rs, where their reasons and relations stand together.

use crate::Finding;
use crate::masked::masked;

/// The crates that have a limits.rs: what bounds a broker.
pub const FOLDERS: [&str; 2] = ["engine/src/", "server/src/"];

/// Constants with the name of a bound outside limits.rs; the ratchet counts them by file.
pub fn misplaced_limits(path: &str, text: &str) -> Vec<Finding> {
    if !FOLDERS.iter().any(|folder| path.starts_with(folder)) || path.ends_with("/limits.rs") {
        return Vec::new();
    }
    let code = masked(text);
    let names: Vec<&str> = code.lines().filter_map(constant_name).filter(|name| is_bound(name)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let message = format!("{} belong in limits.rs, with the reason", names.join(", "));
    vec![Finding { rule: "misplaced_limits", subject: path.to_owned(), measure: names.len(), message }]
}

/// The name of the constant that a line declares.
fn constant_name(line: &str) -> Option<&str> {
    let mut tokens = line.split_whitespace().skip_while(|token| token.starts_with("pub"));
    (tokens.next()? == "const").then_some(())?;
    tokens.next()?.strip_suffix(':')
}

fn is_bound(name: &str) -> bool {
    ["_MAX", "_LIMIT"].iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_outside_limits_is_counted() {
        let text = "pub(crate) const QUEUE_BYTES_MAX: usize = 1;\nconst A_LIMIT: u8 = 2;\nconst WIDTH: u8 = 3;\n// const B_MAX: u8 = 1;\n";
        let findings = misplaced_limits("engine/src/tail.rs", text);
        assert_eq!(findings[0].measure, 2);
        assert!(misplaced_limits("engine/src/limits.rs", text).is_empty());
        assert!(misplaced_limits("loadgen/src/client.rs", text).is_empty());
    }
}
