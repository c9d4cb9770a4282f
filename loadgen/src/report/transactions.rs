//! Transactions in lines for the table and as a section of the page.

use super::markup::Markup;
use super::table::percentile_text;
use super::units::{count, decimal, duration_ns};
use crate::result::{Percentile, RunResult};

/// What became of transactions, in sentences behind words; nothing without any.
pub(super) fn lines(result: &RunResult) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let reads_committed = result.workload.isolation.is_some();
    if let Some(transactions) = &result.summary.transactions {
        let mut line = format!("{} committed", count(transactions.committed));
        if transactions.aborted > 0 {
            let records = count(transactions.aborted_records);
            let seen = match (reads_committed, result.integrity.aborted_seen) {
                (true, 0) => "none of which a reader saw".into(),
                (true, seen) => format!("OF WHICH READERS SAW {}", count(seen)),
                (false, _) => "which readers of everything see".into(),
            };
            line = format!("{line}, {} aborted with {records} records, {seen}", count(transactions.aborted));
        }
        lines.push(("transactions", line));
        let commit = &transactions.commit;
        let mut line = match commit.max_ns {
            None => "none in the measured window".into(),
            Some(max_ns) => format!(
                "{} answered in {} (p50), {} (p99), {} (max)",
                count(commit.n),
                percentile_text(commit, Percentile::P50),
                percentile_text(commit, Percentile::P99),
                duration_ns(max_ns as f64)
            ),
        };
        if !transactions.retries.is_empty() {
            let retries = transactions.retries.iter().map(|(code, requests)| format!("{code} {}", count(*requests)));
            line = format!("{line}; asked again: {}", retries.collect::<Vec<_>>().join(", "));
        }
        lines.push(("transaction commits", line));
    }
    if let Some(how) = &result.workload.transactions {
        let records = how.records_max.map(|records| format!("{} records or ", count(records))).unwrap_or_default();
        let aborts = match how.abort_share {
            share if share > 0.0 => format!(", {} % of them to abort", decimal(share * 100.0)),
            _ => String::new(),
        };
        let age = duration_ns(how.duration_max_ms * 1e6);
        lines.push(("transactions end", format!("with {records}at the age of {age}{aborts}")));
    }
    if reads_committed {
        lines.push(("isolation", "read committed: end-to-end contains the wait for the commit".into()));
    }
    lines
}

/// The same as a section.
pub(super) fn push_section(page: &mut Markup, result: &RunResult) {
    let lines = lines(result);
    if lines.is_empty() {
        return;
    }
    page.raw("<section><h2>Transactions</h2>");
    for (word, sentence) in lines {
        page.raw("<div><b>").raw(word).raw("</b>: ").text(sentence).raw("</div>");
    }
    page.raw("</section>\n");
}
