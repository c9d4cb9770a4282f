//! Lengths: a file of 400 lines asks for a reason, 600 is the end; a function fits on a screen.

use crate::Finding;
use crate::masked::{line_of, masked, words};

/// Beyond this a file needs an entry in the ratchet.
pub const FILE_LINES: usize = 400;
/// Beyond this no entry helps.
pub const FILE_LINES_HARD: usize = 600;
/// Beyond this a function needs an entry in the ratchet.
pub const FUNCTION_LINES: usize = 70;

/// The file's own length.
pub fn file_length(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines > FILE_LINES_HARD {
        let message = format!("{lines} lines: split it, {FILE_LINES_HARD} is the end");
        return vec![Finding::breach("file_lines_hard", path, message)];
    }
    if lines <= FILE_LINES {
        return Vec::new();
    }
    let message = format!("{lines} lines, more than {FILE_LINES}: split it by subject");
    vec![Finding { rule: "file_lines", subject: path.to_owned(), measure: lines, message }]
}

/// Every function of a Rust file that does not fit on a screen.
pub fn function_lengths(path: &str, text: &str) -> Vec<Finding> {
    let code = masked(text);
    let mut findings = Vec::new();
    for at in words(&code, "fn") {
        let Some((name, end)) = function(&code, at) else { continue };
        let lines = line_of(&code, end) - line_of(&code, at) + 1;
        if lines > FUNCTION_LINES {
            let message = format!("function of {lines} lines, more than {FUNCTION_LINES}: push plain work down");
            let subject = format!("{path}::{name}");
            findings.push(Finding { rule: "function_lines", subject, measure: lines, message });
        }
    }
    findings
}

/// Name and closing brace of the function whose `fn` is at this position; none for types and for functions without body.
fn function(code: &str, at: usize) -> Option<(&str, usize)> {
    let rest = code[at + 2..].trim_start();
    let name_bytes = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    if name_bytes == 0 {
        return None;
    }
    let mut depth = 0_usize;
    let mut body = false;
    for (offset, letter) in code[at..].char_indices() {
        match letter {
            '(' | '[' if !body => depth += 1,
            ')' | ']' if !body => depth = depth.checked_sub(1)?,
            ';' if !body && depth == 0 => return None,
            '{' if body || depth == 0 => {
                body = true;
                depth += 1;
            }
            '}' if body => {
                depth -= 1;
                if depth == 0 {
                    return Some((&rest[..name_bytes], at + offset));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_asks_and_a_very_long_one_fails() {
        assert!(file_length("a.rs", &"x\n".repeat(400)).is_empty());
        assert_eq!(file_length("a.rs", &"x\n".repeat(401))[0].measure, 401);
        assert_eq!(file_length("a.rs", &"x\n".repeat(601))[0].rule, "file_lines_hard");
    }

    #[test]
    fn a_long_function_is_found_by_name_whatever_its_text_holds() {
        let long = format!("fn short() {{}}\nfn long(a: [u8; 2]) {{\n{}}}\n", "let s = \"}\"; // }\n".repeat(70));
        let findings = function_lengths("a.rs", &long);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].subject.as_str(), findings[0].measure), ("a.rs::long", 72));
        assert!(function_lengths("a.rs", "trait T { fn f(); }\ntype F = fn(u8) -> u8;\n").is_empty());
    }
}
