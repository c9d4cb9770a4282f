//! What consumer groups went through.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::error::error_name;
use crate::evidence::Evidence;
use crate::group::RebalanceSpan;
use crate::recorder::Histograms;
use crate::result::{GroupSummary, Latency, Rebalance};
use crate::timeline::Timeline;

/// The figures of all groups together; absent where there was none at the broker.
pub(super) fn summary(evidence: &Evidence) -> Option<GroupSummary> {
    let (groups, timeline) = (&evidence.reports.groups, evidence.timeline?);
    if groups.is_empty() {
        return None;
    }
    let joins = groups.iter().flat_map(|group| &group.rebalances).filter(|span| is_join(span, &timeline));
    let (from_ns, to_ns) =
        joins.fold((u64::MAX, 0), |(from_ns, to_ns), span| (from_ns.min(span.began_ns), to_ns.max(span.ended_ns)));
    let lengths: Vec<f64> = rebalances(evidence).iter().map(|rebalance| rebalance.duration_secs).collect();
    let untold: u64 = groups.iter().map(|group| group.rebalances_untold).sum();
    let mut refused_commits = BTreeMap::new();
    for (&code, commits) in groups.iter().flat_map(|group| &group.refused_commits) {
        *refused_commits.entry(error_name(code)).or_default() += commits;
    }
    Some(GroupSummary {
        join_secs: to_ns.saturating_sub(from_ns) as f64 / 1e9,
        rebalances: lengths.len() as u64 + untold,
        rebalance_secs_mean: (!lengths.is_empty()).then(|| lengths.iter().sum::<f64>() / lengths.len() as f64),
        rebalance_secs_max: lengths.iter().copied().reduce(f64::max),
        commit: Latency::from_histogram(&commits(evidence), None),
        refused_commits,
    })
}

/// The commits of all groups.
pub(super) fn commits(evidence: &Evidence) -> Histogram<u64> {
    let mut sum = Histograms::empty().response;
    for group in &evidence.reports.groups {
        sum.add(&group.commits).expect("all histograms have the same bounds");
    }
    sum
}

/// Rebalances that a result tells one by one; with more, the file would be too large to keep.
const TOLD_MAX: usize = 500;

/// The rebalances that the result tells one by one.
pub(super) fn told(evidence: &Evidence) -> Vec<Rebalance> {
    let mut told = rebalances(evidence);
    told.truncate(TOLD_MAX);
    told
}

/// The rebalances of all groups since the load began, in the order of their begin.
fn rebalances(evidence: &Evidence) -> Vec<Rebalance> {
    let Some(timeline) = evidence.timeline else { return Vec::new() };
    let secs = |ns: u64| ns as f64 / 1e9;
    let spans =
        evidence.reports.groups.iter().flat_map(|group| group.rebalances.iter().map(|span| (group.group, span)));
    let told = spans.filter(|(_, span)| !is_join(span, &timeline)).map(|(group, span)| Rebalance {
        t_secs: secs(span.began_ns.saturating_sub(timeline.start_ns)),
        group,
        generation: span.generation,
        members: span.members,
        duration_secs: secs(span.ended_ns.saturating_sub(span.began_ns)),
        causes: span.causes.iter().map(|cause| cause.1.to_owned()).collect(),
        since_cause_secs: span.causes.first().map(|cause| secs(span.ended_ns.saturating_sub(cause.0))),
    });
    let mut told: Vec<Rebalance> = told.collect();
    told.sort_by(|a, b| a.t_secs.total_cmp(&b.t_secs));
    told
}

/// The groups came together before the load began.
fn is_join(span: &RebalanceSpan, timeline: &Timeline) -> bool {
    span.began_ns < timeline.start_ns
}
