//! What the coordinator knows of one agent in one phase. Everything that an agent says is held against what it was told to do.

use std::sync::atomic::Ordering;

use crate::agent::assignment::Assignment;
use crate::agent::message::{Report, SecondReport, Side};
use crate::consumer::Reader;
use crate::crew::Reports;
use crate::integrity::PartitionSeen;
use crate::producer::ProducerReport;
use crate::recorder::{Outlet, Second};
use crate::timeline::Timeline;
use crate::worker::Control;

/// Counts of records beyond this are no counts.
const RECORDS_MAX: u64 = 1 << 48;

/// One agent in one phase.
#[derive(Debug)]
pub struct Phase {
    assignment: Assignment,
    timeline: Option<Timeline>,
    producers: Part,
    consumers: Part,
    is_connected: bool,
    is_finished: bool,
    reports: Reports,
}

/// Clients of one kind.
#[derive(Debug)]
struct Part {
    /// To the collector, until they have ended.
    outlet: Option<Outlet>,
    last_second: i64,
    is_at_work: bool,
    error: Option<String>,
}

impl Part {
    fn new(outlet: Option<Outlet>) -> Self {
        Self { is_at_work: outlet.is_some(), outlet, last_second: i64::MIN, error: None }
    }
}

impl Phase {
    /// Before the agent has connected its clients; a kind of clients that it has needs an outlet.
    pub fn new(assignment: Assignment, producers: Option<Outlet>, consumers: Option<Outlet>) -> Self {
        assert_eq!(assignment.producers.is_empty(), producers.is_none(), "producers have an outlet");
        assert_eq!(assignment.readers.is_empty(), consumers.is_none(), "consumers have an outlet");
        Self {
            assignment,
            timeline: None,
            producers: Part::new(producers),
            consumers: Part::new(consumers),
            is_connected: false,
            is_finished: false,
            reports: Reports::default(),
        }
    }

    /// What the agent was told to do.
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// Its clients work from now on.
    pub fn start(&mut self, timeline: Timeline) {
        self.timeline = Some(timeline);
    }

    /// Whether its clients are connected.
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Whether it has told all that it knows.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Whether its clients of this kind have not ended yet.
    pub fn is_at_work(&self, side: Side) -> bool {
        self.part(side).is_at_work
    }

    /// Why the clients of this kind ended early.
    pub fn error(&self, side: Side) -> Option<&str> {
        self.part(side).error.as_deref()
    }

    /// What its clients knew. Producers whose account did not come are lost.
    pub fn into_reports(mut self) -> Reports {
        let untold = self.assignment.producers.filter(|index| !self.reports.producers.contains_key(index));
        self.reports.lost_producers.extend(untold);
        self.reports
    }

    /// Takes in what the agent says, or tells why that cannot be. The error of clients that could not be connected is in `error`.
    pub fn take(&mut self, report: Report, control: &Control) -> Result<(), String> {
        match report {
            Report::Connected => self.is_connected = true,
            Report::Failed(what) => {
                for part in [&mut self.producers, &mut self.consumers] {
                    *part = Part { outlet: None, is_at_work: false, error: Some(what.clone()), ..Part::new(None) };
                }
            }
            Report::Second(second) => return self.take_second(&second),
            Report::Faults(faults) => drop(control.faults.fetch_add(faults, Ordering::Relaxed)),
            Report::Ended(side, error) => {
                let part = self.part_mut(side);
                *part = Part { outlet: None, is_at_work: false, error, last_second: part.last_second };
            }
            Report::Producer(report) => return self.take_producer(*report),
            Report::Seen(reader, seen) => return self.take_seen(reader, *seen),
            Report::Finished(finished_ns) => {
                self.reports.finished_ns = finished_ns;
                self.is_finished = true;
            }
            Report::Pong { .. } | Report::Usage(_) => {}
        }
        Ok(())
    }

    fn take_second(&mut self, report: &SecondReport) -> Result<(), String> {
        let timeline = self.timeline.ok_or("it told of a second before the start")?;
        let (first, last) = (timeline.second(timeline.start_ns), timeline.second(timeline.end_ns));
        let part = self.part_mut(report.side);
        let outlet = part.outlet.as_ref().ok_or("it told of a second of clients that it does not have")?;
        if report.second <= part.last_second || !(first..=last).contains(&report.second) {
            return Err(format!("it told of second {}, which is not due", report.second));
        }
        let histograms = report.histograms().map_err(|error| format!("its histogram is none: {error}"))?;
        let mut second = outlet.recycled.try_recv().unwrap_or_else(|_| Second::empty(outlet.thread, report.second));
        (second.index, second.counts, second.histograms) = (report.second, report.counts, histograms);
        // A collector that has gone is a run that has failed; there is nobody left to tell.
        let _ = outlet.full.send(second);
        part.last_second = report.second;
        Ok(())
    }

    fn take_producer(&mut self, report: ProducerReport) -> Result<(), String> {
        let is_ours = self.assignment.producers.contains(&report.index);
        let counts = [report.offered_records, report.unsent_records, report.timeouts];
        let counts = counts.iter().chain(report.errors.values()).chain(report.retried.values());
        let consistent = report.ledgers.len() == self.assignment.topic.leaders.len()
            && report.ledgers.iter().all(crate::integrity::AckLedger::is_consistent)
            && counts.copied().all(|count| count <= RECORDS_MAX);
        if !is_ours || !consistent {
            return Err(format!("its account of producer {} cannot be true", report.index));
        }
        self.reports.producers.insert(report.index, report);
        Ok(())
    }

    fn take_seen(&mut self, reader: Reader, seen: PartitionSeen) -> Result<(), String> {
        let Assignment { readers, run, workload, .. } = &self.assignment;
        let (group, partition) = reader;
        let is_ours = readers.iter().any(|one| one.group == group && one.partitions.contains(&partition));
        if !is_ours || !seen.is_consistent(*run, partition, workload.producers_in_all() as usize) {
            return Err(format!("its account of partition {partition} in group {group} cannot be true"));
        }
        self.reports.seen.insert(reader, seen);
        Ok(())
    }

    fn part(&self, side: Side) -> &Part {
        match side {
            Side::Producers => &self.producers,
            Side::Consumers => &self.consumers,
        }
    }

    fn part_mut(&mut self, side: Side) -> &mut Part {
        match side {
            Side::Producers => &mut self.producers,
            Side::Consumers => &mut self.consumers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::assignment::tests::roles;
    use crate::collector::{Collector, Merged};
    use crate::consumer;
    use crate::integrity::AckLedger;
    use crate::recorder::{Counts, Histograms};

    /// Producer 0 and the reader of partitions 1 and 3, of two producers and two readers.
    fn phase() -> (Collector, Phase) {
        let part = Assignment::deal(&roles("--producers 2 --consumers 2 --partitions 4"), 5, 2).swap_remove(0);
        let reader = consumer::Assignment { group: 0, partitions: vec![1, 3] };
        assert_eq!((part.producers.clone(), part.readers.clone()), (0..1, vec![reader]));
        let (collector, mut outlets) = Collector::new(2);
        (collector, Phase::new(part, outlets.pop(), outlets.pop()))
    }

    fn second(second: i64) -> Report {
        let mut merged = Merged { second, counts: Counts::default(), histograms: Histograms::empty() };
        merged.counts.acked_records = 7;
        Report::Second(SecondReport::of(Side::Producers, &merged).expect("small"))
    }

    fn account(index: u32, acked: &str) -> Report {
        let ledger: AckLedger =
            serde_json::from_str(&format!(r#"{{"produced": 9, "acked": {acked}}}"#)).expect("ranges");
        let ledgers = vec![ledger; 4];
        Report::Producer(Box::new(ProducerReport { index, ledgers, ..ProducerReport::default() }))
    }

    #[test]
    fn an_agent_is_believed_only_in_what_it_was_told_to_do() {
        let believed = |reports: Vec<Report>| {
            let (_collector, mut phase) = phase();
            phase.start(Timeline { start_ns: 1, measure_ns: 1_000_000_001, end_ns: 3_000_000_001 });
            reports.into_iter().all(|report| phase.take(report, &Control::default()).is_ok())
        };
        assert!(believed(vec![second(-1), second(0), second(1)]));
        assert!(!believed(vec![second(0), second(0)]), "twice the same");
        assert!(!believed(vec![second(2)]), "after the end");
        assert!(!believed(vec![Report::Ended(Side::Producers, None), second(0)]), "of clients that have ended");
        assert!(believed(vec![account(0, "[[0, 9]]")]));
        assert!(!believed(vec![account(1, "[[0, 9]]")]), "another agent's producer");
        assert!(!believed(vec![account(0, "[[0, 10]]")]), "more acknowledged than produced");
        let seen =
            |group, partition| Report::Seen((group, partition), Box::new(PartitionSeen::new(&[1], partition, 2)));
        assert!(believed(vec![seen(0, 3)]));
        assert!(!believed(vec![seen(0, 2)]), "another agent's partition");
        assert!(!believed(vec![seen(1, 3)]), "a group that there is not");
        let (_collector, mut early) = phase();
        assert!(early.take(second(0), &Control::default()).is_err(), "before the start");
    }

    #[test]
    fn seconds_of_agents_become_rows_and_untold_producers_are_lost() {
        let (mut collector, mut phase) = phase();
        phase.start(Timeline { start_ns: 1, measure_ns: 1_000_000_001, end_ns: 3_000_000_001 });
        for report in [second(-1), second(0)] {
            phase.take(report, &Control::default()).expect("due");
        }
        assert!(phase.is_at_work(Side::Producers));
        for side in [Side::Producers, Side::Consumers] {
            phase.take(Report::Ended(side, None), &Control::default()).expect("ended");
        }
        assert!(!phase.is_at_work(Side::Producers));
        while collector.collect(std::time::Duration::ZERO) {}
        let rows: Vec<(i64, u64)> = collector.rows().iter().map(|row| (row.second, row.counts.acked_records)).collect();
        assert_eq!(rows, [(-1, 7), (0, 7)]);
        assert_eq!(phase.into_reports().lost_producers.into_iter().collect::<Vec<_>>(), [0]);
    }
}
