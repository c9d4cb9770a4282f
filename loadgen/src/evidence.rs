//! Everything that a run found out, as far as it got; a second of it is what the progress line shows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::agent::AgentsAccount;
use crate::cluster::Topic;
use crate::collector::Collector;
use crate::crew::Reports;
use crate::error::Error;
use crate::integrity::Tally;
use crate::probe::Probe;
use crate::progress::{Achieved, Snapshot};
use crate::result::FaultEvent;
use crate::timeline::{SECOND_NS, Timeline};
use crate::usage::UsageMeter;
use crate::workload::{Mode, Workload};

/// What a run found out.
#[derive(Debug)]
pub struct Evidence {
    /// What was asked.
    pub workload: Workload,
    /// Wall clock at the start.
    pub started: SystemTime,
    /// Tag of this run's records and part of its topic's name.
    pub run: u32,
    /// Where the clients went first.
    pub bootstrap: Option<String>,
    /// The broker came with the run.
    pub embedded: bool,
    /// Where its data lay.
    pub data_directory: Option<PathBuf>,
    /// The topic once it was there.
    pub topic: Option<Topic>,
    /// Settings of broker and topic, as far as the broker tells them.
    pub target_config: BTreeMap<String, String>,
    /// The phases once they began.
    pub timeline: Option<Timeline>,
    /// The measured seconds.
    pub collector: Option<Collector>,
    /// What the clients knew; those of a prefill and of a read-back included.
    pub reports: Reports,
    /// Every partition was read up to its end.
    pub verified: bool,
    /// When the run ended early.
    pub stopped_ns: Option<u64>,
    /// When consuming was done, in a run that only consumes.
    pub consumed_all_ns: Option<u64>,
    /// From the last send to the last delivery.
    pub drain: Option<Duration>,
    /// The consumers are members of groups at the broker.
    pub joins_groups: bool,
    /// Records that were there before the clock started.
    pub backlog_records: u64,
    /// What the processes used.
    pub usage: Option<UsageMeter>,
    /// The machine before the run...
    pub probe_before: Option<Probe>,
    /// ...and after it.
    pub probe_after: Option<Probe>,
    /// What was done on purpose.
    pub faults: Vec<FaultEvent>,
    /// The judgement over what earlier runs had written to the topic.
    pub earlier: Option<Earlier>,
    /// The agents that took part.
    pub agents: AgentsAccount,
    /// Why the run ended early.
    pub error: Option<Error>,
}

/// What became of records that runs before this one had written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// How many runs.
    pub runs: usize,
    /// The account of all of them.
    pub tally: Tally,
    /// The first records that are missing, in words.
    pub missing_first: Option<String>,
}

impl Evidence {
    /// Before the start.
    pub fn new(workload: Workload, embedded: bool) -> Self {
        let run = rand::random::<u32>();
        Self {
            workload,
            started: SystemTime::now(),
            run,
            bootstrap: None,
            embedded,
            data_directory: None,
            topic: None,
            target_config: BTreeMap::new(),
            timeline: None,
            collector: None,
            reports: Reports::default(),
            verified: false,
            stopped_ns: None,
            consumed_all_ns: None,
            drain: None,
            joins_groups: false,
            backlog_records: 0,
            usage: None,
            probe_before: None,
            probe_after: None,
            faults: Vec::new(),
            earlier: None,
            agents: AgentsAccount::default(),
            error: None,
        }
    }

    /// Where the run stands; nothing before the first second has passed, nor of a drain that is over at once. `faults` were found by its consumers.
    pub fn snapshot(&self, now_ns: u64, faults: u64) -> Option<Snapshot> {
        let (timeline, rows) = (self.timeline?, self.collector.as_ref()?.rows());
        let (phase, from_ns, to_ns) = match now_ns {
            now_ns if now_ns < timeline.measure_ns => ("warmup", timeline.start_ns, timeline.measure_ns),
            now_ns if now_ns < timeline.end_ns => ("measure", timeline.measure_ns, timeline.end_ns),
            _ => ("drain", timeline.end_ns, timeline.end_ns),
        };
        let (mut acked, mut consumed, mut failed, mut hidden) = (0, 0, 0, 0);
        for row in rows {
            acked += row.counts.acked_records;
            consumed += row.counts.consumed_records;
            hidden += self.workload.hidden_records(&row.counts);
            failed += row.counts.failed_records;
        }
        if phase == "drain" && now_ns < to_ns + SECOND_NS {
            return None;
        }
        let (workload, last) = (&self.workload, rows.last()?);
        let groups = u64::from(workload.groups);
        let records =
            if workload.mode == Mode::Consume { last.counts.consumed_records } else { last.counts.acked_records };
        let records_per_s = records as f64 / timeline.covered_secs(last.second).max(1e-3);
        let payload_bytes = workload.records.payload_bytes_mean();
        // In the drain nothing is offered any more, and the last second's rates would be news of yesterday.
        let achieved = (phase != "drain").then_some(Achieved {
            offered_bytes_per_s: (!workload.is_closed_loop())
                .then(|| workload.offered_per_s(&timeline, last.second) * payload_bytes),
            bytes_per_s: records_per_s * payload_bytes,
            records_per_s,
            response_p50_ns: last.response.p50_ns,
            response_p99_ns: last.response.p99_ns,
            end_to_end_p50_ns: last.end_to_end.p50_ns,
            end_to_end_p99_ns: last.end_to_end.p99_ns,
        });
        let (broker, loadgen) = self.usage.as_ref().map_or((None, None), UsageMeter::last_second);
        Some(Snapshot {
            run: self.run,
            phase,
            elapsed_secs: now_ns.saturating_sub(from_ns) / SECOND_NS,
            planned_secs: (to_ns - from_ns) / SECOND_NS,
            achieved,
            unread_records: match workload.mode {
                Mode::Both => Some((acked * groups).saturating_sub(consumed + hidden * groups)),
                Mode::Drain => Some(((self.backlog_records + acked) * groups).saturating_sub(consumed)),
                Mode::Produce | Mode::Consume => None,
            },
            errors: failed,
            integrity_faults: (workload.mode != Mode::Produce).then_some(faults),
            broker,
            loadgen,
        })
    }
}
