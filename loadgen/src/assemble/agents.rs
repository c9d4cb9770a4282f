//! What a reader must know of a run whose load came from several hosts.

use crate::evidence::Evidence;
use crate::result::{Latency, Percentile, Summary};

/// Remarks on agents and their clocks.
pub(super) fn notes(evidence: &Evidence, summary: &Summary) -> Vec<String> {
    let agents = &evidence.agents;
    let mut notes = Vec::new();
    if agents.resources.is_empty() {
        return notes;
    }
    if agents.workers > 0 {
        notes.push(format!(
            "The load came from {} agents; processor use and memory of the load generator are theirs and the coordinator's added up, \
             each agent's as of up to half a second before.",
            agents.workers
        ));
    }
    let consume = summary.consume.as_ref();
    let end_to_end = consume.and_then(|consume| consume.latency.end_to_end.as_ref());
    if let Some((end_to_end, resolution_ns)) = end_to_end.zip(resolution_ns(evidence)) {
        notes.push(format!("End-to-end times between hosts are known to {} us either way.", micros(resolution_ns)));
        let below = below(end_to_end, resolution_ns);
        if !below.is_empty() {
            notes.push(format!("End to end, {} are below that and say no more than that they are.", below.join(", ")));
        }
    }
    let negative = consume.map_or(0, |consume| consume.end_to_end_negative_records);
    if negative > 0 {
        notes.push(format!(
            "{negative} records seem to have been delivered before they were due: the clocks of the hosts differ by more than \
             their way took. They count as 0."
        ));
    }
    for clock in agents.clocks.iter().filter(|clock| clock.clock_offset.jumps > 0) {
        notes.push(format!("The clock of agent {} jumped against the coordinator's.", clock.agent));
    }
    notes.extend(agents.lost.iter().map(|lost| format!("An agent went away before the end: {lost}.")));
    let lost = evidence.reports.lost_producers.len();
    if lost > 0 {
        notes.push(format!(
            "{lost} producers went away with their agent: their records are not judged, nor are the partitions that it read."
        ));
    }
    notes
}

/// Producer and consumer may be at the two agents whose clocks are known worst; at one agent there is no question of clocks.
fn resolution_ns(evidence: &Evidence) -> Option<u64> {
    let agents = &evidence.agents;
    let mut errors: Vec<u64> = agents.clocks.iter().map(|clock| clock.clock_offset.err_ns).collect();
    errors.sort_unstable();
    let worst: Vec<u64> = errors.into_iter().rev().take(2).collect();
    (agents.workers > 1 && worst.len() > 1).then(|| worst.iter().sum())
}

fn below(latency: &Latency, resolution_ns: u64) -> Vec<&'static str> {
    let is_below = |percentile| latency.at(percentile).is_some_and(|ns| ns < resolution_ns);
    Percentile::NAMED.into_iter().filter(|&(_, percentile)| is_below(percentile)).map(|(name, _)| name).collect()
}

fn micros(ns: u64) -> u64 {
    ns.div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_below_the_resolution_are_named() {
        let latency =
            Latency { p50_ns: Some(80_000), p75_ns: Some(99_999), p99_ns: Some(100_000), ..Latency::default() };
        assert_eq!(below(&latency, 100_000), ["p50", "p75"]);
        assert_eq!(micros(100_001), 101);
    }
}
