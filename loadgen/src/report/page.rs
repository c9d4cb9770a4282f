//! The page around the sections: head, style, script, licence. It loads nothing, so it can be mailed, archived and
//! diffed; its policy lets the browser run these two scripts and no other, whatever a result file says.

use super::markup::Markup;
use super::plot::Plot;

const STYLE: &str = include_str!("style.css");
const LIBRARY: &str = include_str!("vendor/uPlot.iife.min.js");
const LIBRARY_STYLE: &str = include_str!("vendor/uPlot.min.css");
const LIBRARY_LICENCE: &str = include_str!("vendor/uPlot.LICENSE.txt");
const SCRIPT: &str = concat!(
    include_str!("script/state.js"),
    include_str!("script/figures.js"),
    include_str!("script/charts.js"),
    include_str!("script/page.js")
);
/// Base64 of the SHA-256 of the two scripts; a test compares.
const LIBRARY_HASH: &str = "GcjUxq2Ikpp59K5J1vcWFWbf0Lo9FcxJXpdPeH63jx8=";
/// See [`LIBRARY_HASH`].
const SCRIPT_HASH: &str = "kPZw5ZSEbVR2pK7Bqfx4Er16q0ePTWOp+ZZ6Xuiwt6Q=";

/// A page that grows from top to bottom.
pub(super) struct Page {
    html: Markup,
    plots: Vec<serde_json::Value>,
}

impl Page {
    /// Opens the page. A page of a saturated run greys its latencies: they are those of a queue.
    pub(super) fn new(title: &str, is_queue: bool) -> Self {
        let mut html = Markup::default();
        html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-");
        html.raw(LIBRARY_HASH).raw("' 'sha256-").raw(SCRIPT_HASH).raw("'; base-uri 'none'; form-action 'none'\">");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>").text(title);
        html.raw("</title><style>\n").raw(LIBRARY_STYLE).raw("\n").raw(STYLE).raw("</style></head>\n");
        html.raw(if is_queue { "<body class=\"queue\">" } else { "<body>" });
        html.raw("<div id=\"tools\" hidden><button id=\"unzoom\" hidden>Whole range</button><button id=\"theme\">Theme</button></div>");
        html.raw("<main>\n");
        Self { html, plots: Vec::new() }
    }

    /// Where sections are written.
    pub(super) fn html(&mut self) -> &mut Markup {
        &mut self.html
    }

    /// A chart with its section.
    pub(super) fn push_plot(&mut self, plot: &Plot) {
        self.html.append(&plot.section(self.plots.len()));
        self.plots.push(plot.data());
    }

    /// Charts side by side, and behind them other sections.
    pub(super) fn push_grid(&mut self, plots: &[Plot], sections: &[Markup]) {
        if plots.is_empty() && sections.is_empty() {
            return;
        }
        self.html.raw("<div class=\"charts\">");
        for plot in plots {
            self.push_plot(plot);
        }
        for section in sections {
            self.html.append(section);
        }
        self.html.raw("</div>\n");
    }

    /// Closes the page; `footer` says where its figures come from.
    pub(super) fn finish(mut self, footer: &str) -> String {
        let html = &mut self.html;
        html.raw("<footer>").text(footer);
        html.raw("<details><summary>Charts are drawn by uPlot 1.6.32, MIT licence</summary><pre>");
        html.text(LIBRARY_LICENCE)
            .raw("</pre></details></footer>\n</main>\n<script type=\"application/json\" id=\"plots\">");
        html.json(&serde_json::Value::Array(self.plots))
            .raw("</script>\n<script>")
            .raw(LIBRARY)
            .raw("</script>\n<script>");
        html.raw(SCRIPT).raw("</script>\n</body></html>\n");
        self.html.into_string()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn policy_names_the_scripts_that_the_page_carries() {
        for (script, hash) in [(LIBRARY, LIBRARY_HASH), (SCRIPT, SCRIPT_HASH)] {
            assert_eq!(STANDARD.encode(Sha256::digest(script)), hash, "put this hash into page.rs");
            assert!(!script.contains("</script"), "the script would end itself");
        }
    }
}
