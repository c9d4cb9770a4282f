//! What a producer does when a connection goes away although the run is to go on: planned faults bring that about.

use mio::{Registry, Token};

use super::Producer;
use super::link::Link;
use crate::connection;
use crate::error::Error;

impl Producer {
    /// Opens lost connections again when their time has come, and closes all when main says so. Call it before `fill`.
    pub fn recover(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        if !self.settings.workload.survives_losses() {
            return Ok(());
        }
        let cuts = self.settings.signals.cuts();
        let is_cut = std::mem::replace(&mut self.cuts, cuts) != cuts;
        if is_cut {
            self.lose_coordinator(now_ns);
        }
        for broker in 0..self.links.len() {
            if is_cut && !self.links[broker].outage.is_down() {
                self.links[broker].sender.shut();
                self.lose(broker);
            }
            let token = Token(self.first_token + broker);
            let Link { outage, sender, .. } = &mut self.links[broker];
            let receiver = &mut self.receivers[broker];
            outage.keep_trying(now_ns, || connection::reopen(sender, receiver, registry, token))?;
        }
        Ok(())
    }

    /// A lost connection ends the run, unless losses are planned.
    pub(super) fn endure(&mut self, broker: usize, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Err(Error::Io { .. }) if self.settings.workload.survives_losses() => {
                self.lose(broker);
                Ok(())
            }
            other => other,
        }
    }

    fn lose(&mut self, broker: usize) {
        let now_ns = self.settings.clock.now_ns();
        self.settings.signals.note_trouble(now_ns);
        let link = &mut self.links[broker];
        let is_numbered = self.identity.is_some();
        if is_numbered {
            self.report.resent_batches += link.unanswered_batches();
        }
        for request in link.lose(now_ns, is_numbered) {
            self.report.note_lost(&request);
            link.give_spare(request);
        }
    }
}
