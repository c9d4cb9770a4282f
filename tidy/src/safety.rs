//! Unsafe code lives in one folder, and each site says which invariant makes it sound and who keeps it.

use crate::Finding;
use crate::masked::{line_of, masked, words};

/// The only folder with unsafe code.
pub const UNSAFE_FOLDER: &str = "engine/src/io";

/// Unsafe code elsewhere, and unsafe code without its reason.
pub fn unsafe_sites(path: &str, text: &str) -> Vec<Finding> {
    let code = masked(text);
    let code_lines: Vec<&str> = code.lines().collect();
    let text_lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for at in words(&code, "unsafe") {
        let line = line_of(&code, at);
        let subject = format!("{path}:{line}");
        if path != format!("{UNSAFE_FOLDER}.rs") && !path.starts_with(&format!("{UNSAFE_FOLDER}/")) {
            findings.push(Finding::breach("unsafe_folder", &subject, format!("unsafe lives in {UNSAFE_FOLDER} alone")));
        } else if !is_reasoned(&code_lines, &text_lines, line - 1) {
            findings.push(Finding::breach("safety_line", &subject, "a `SAFETY:` line above it names the invariant"));
        }
    }
    findings
}

/// Whether the comment on this line or above its statement speaks of safety.
fn is_reasoned(code: &[&str], text: &[&str], line: usize) -> bool {
    let speaks = |line: usize| text[line].contains("SAFETY:") || text[line].contains("# Safety");
    if speaks(line) {
        return true;
    }
    for above in (0..line).rev() {
        let is_comment = code[above].trim().is_empty() && !text[above].trim().is_empty();
        if is_comment && speaks(above) {
            return true;
        }
        let is_attribute = code[above].trim_start().starts_with("#[");
        let ends_before = text[above].trim().is_empty() || code[above].trim_end().ends_with([';', '{', '}', ',']);
        if !is_comment && !is_attribute && ends_before {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_outside_its_folder_and_without_a_reason_is_found() {
        let reasoned =
            "fn f() {\n    // SAFETY: the caller holds the buffer.\n    let x =\n        unsafe { g() };\n}\n";
        assert!(unsafe_sites("engine/src/io/ring.rs", reasoned).is_empty());
        assert_eq!(unsafe_sites("server/src/main.rs", reasoned)[0].rule, "unsafe_folder");
        let bare = "// SAFETY: of something else.\nlet a = 1;\nunsafe { g() };\n";
        assert_eq!(unsafe_sites("engine/src/io/ring.rs", bare)[0].rule, "safety_line");
        assert!(unsafe_sites("server/src/lib.rs", "#![forbid(unsafe_code)] // no unsafe\n").is_empty());
    }
}
