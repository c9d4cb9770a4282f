//! Consumer groups at the broker: what they went through, in lines for the table and as a section of the page.

use super::markup::Markup;
use super::table::percentile_text;
use super::units::{count, decimal, duration_ns};
use crate::result::{GroupSummary, Percentile, RunResult};

/// Rebalances that the page lists; the file has all.
const ROWS_MAX: usize = 100;

/// What the groups went through, in sentences behind words; nothing where the broker knew of no group.
pub(super) fn lines(result: &RunResult) -> Vec<(&'static str, String)> {
    let Some(groups) = &result.summary.groups else { return Vec::new() };
    let mut membership = format!("joined in {} s", decimal(groups.join_secs));
    if let Some(how) = &result.workload.group_membership {
        membership = format!("{} protocol, {} assignor, {membership}", how.protocol, how.assignor);
        if let Some(churn) = &how.churn {
            let departure = if churn.departure == "die" { "dies" } else { "leaves" };
            let interval = duration_ns(churn.interval_ms * 1e6);
            membership = format!("{membership}; a member {departure} every {interval} and returns");
        }
    }
    vec![("groups", membership), ("rebalances", rebalances(groups, result)), ("commits", commits(groups))]
}

fn rebalances(groups: &GroupSummary, result: &RunResult) -> String {
    let lengths = match (groups.rebalance_secs_mean, groups.rebalance_secs_max) {
        (Some(mean), Some(max)) => {
            format!(", {} on average, {} at most", duration_ns(mean * 1e9), duration_ns(max * 1e9))
        }
        _ => String::new(),
    };
    let redelivered = match result.integrity.redelivered {
        0 => "no record read again".into(),
        1 => "1 record read again, which a rebalance allows".into(),
        records => format!("{} records read again, which a rebalance allows", count(records)),
    };
    format!("{}{lengths}; {redelivered}", count(groups.rebalances))
}

fn commits(groups: &GroupSummary) -> String {
    let commit = &groups.commit;
    let mut line = count(commit.n);
    if let Some(max_ns) = commit.max_ns {
        line = format!(
            "{line}, answered in {} (p50), {} (p99), {} (max)",
            percentile_text(commit, Percentile::P50),
            percentile_text(commit, Percentile::P99),
            duration_ns(max_ns as f64)
        );
    }
    if !groups.refused_commits.is_empty() {
        let refused = groups.refused_commits.iter().map(|(code, commits)| format!("{code} {}", count(*commits)));
        line = format!("{line}; refused: {}", refused.collect::<Vec<_>>().join(", "));
    }
    line
}

/// The same with the rebalances one by one.
pub(super) fn push_section(page: &mut Markup, result: &RunResult) {
    let lines = lines(result);
    if lines.is_empty() {
        return;
    }
    page.raw("<section><h2>Consumer groups</h2>");
    for (word, sentence) in lines {
        page.raw("<div><b>").raw(word).raw("</b>: ").text(sentence).raw("</div>");
    }
    if !result.rebalances.is_empty() {
        page.raw("<div class=\"scroll\"><table><thead><tr>");
        for heading in ["rebalance at", "group", "generation", "members", "took", "after", "since then"] {
            page.raw("<th scope=\"col\">").raw(heading).raw("</th>");
        }
        page.raw("</tr></thead><tbody>");
    }
    for rebalance in result.rebalances.iter().take(ROWS_MAX) {
        let causes = if rebalance.causes.is_empty() { "-".into() } else { rebalance.causes.join(", ") };
        let since = rebalance.since_cause_secs.map_or_else(|| "-".into(), |secs| duration_ns(secs * 1e9));
        page.raw("<tr><th scope=\"row\">").text(decimal(rebalance.t_secs)).raw(" s</th>");
        for cell in [
            rebalance.group.to_string(),
            rebalance.generation.to_string(),
            rebalance.members.to_string(),
            duration_ns(rebalance.duration_secs * 1e9),
            causes,
            since,
        ] {
            page.raw("<td>").text(cell).raw("</td>");
        }
        page.raw("</tr>");
    }
    if !result.rebalances.is_empty() {
        page.raw("</tbody></table></div>");
    }
    if result.rebalances.len() > ROWS_MAX {
        page.raw("<p class=\"note\">The first ").text(ROWS_MAX).raw(" are listed.</p>");
    }
    page.raw("</section>\n");
}
