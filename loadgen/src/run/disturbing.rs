//! The part of a run that disturbs it on purpose.

use std::time::Duration;

use super::{LOOK, Session};
use crate::cluster::{self, Topic};
use crate::disturbance::Hands;
use crate::error::Error;
use crate::result::Acks;

impl Session<'_> {
    /// Until the next look, or until a fault begins or ends.
    pub(super) fn pause(&self) -> Duration {
        let edge_ns = self.disturber.next_edge_ns().unwrap_or(u64::MAX);
        LOOK.min(Duration::from_nanos(edge_ns.saturating_sub(self.clock.now_ns())))
    }

    /// Begins and ends the planned faults that are due.
    pub(super) fn disturb(&mut self, now_ns: u64) -> Result<(), Error> {
        let before = self.broker_pid;
        let mut hands = Hands {
            embedded: self.broker.as_mut(),
            started: self.started.as_mut(),
            bootstrap: self.evidence.bootstrap.as_deref().unwrap_or_default(),
            pid: &mut self.broker_pid,
            signals: &self.control.signals,
        };
        self.disturber.act(now_ns, &mut hands)?;
        if let (Some(pid), Some(usage)) = (self.broker_pid, &mut self.evidence.usage)
            && before != Some(pid)
        {
            usage.follow(pid);
        }
        Ok(())
    }

    pub(super) fn end_offsets(&self, topic: &Topic) -> Result<Vec<i64>, Error> {
        if self.evidence.workload.survives_losses() {
            cluster::end_offsets_of_returning(topic)
        } else if self.evidence.workload.acks == Acks::Leader {
            // What was acknowledged before it was safe is shown when it is.
            self.quiet_ends(topic)
        } else {
            cluster::end_offsets(topic)
        }
    }
}
