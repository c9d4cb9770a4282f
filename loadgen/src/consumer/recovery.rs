//! What a consumer does when a connection goes away or a leader is not ready, although the run is to go on: planned faults
//! bring that about. Reading goes on where the last whole answer ended, so nothing is read twice,
//! but by members of a group, which go on where the last commit was.

use std::collections::BTreeMap;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;

use super::{Consumer, ConsumerSettings, Lane, Link, Reading};
use crate::client::refuse_error;
use crate::connection;
use crate::error::Error;
use crate::outage::Outage;
use crate::signals::Signals;

/// Kafka's `retry.backoff.ms`.
const RETRY_BACKOFF_NS: u64 = 100_000_000;

impl Consumer {
    /// Opens lost connections again when their time has come, and closes all when main says so. Call it before `poll`.
    pub fn recover(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        if !self.settings.survives_losses || self.is_away() {
            return Ok(());
        }
        let cuts = self.settings.signals.cuts();
        let is_cut = std::mem::replace(&mut self.cuts, cuts) != cuts;
        if is_cut {
            self.lose_coordinator(now_ns);
        }
        for broker in 0..self.links.len() {
            if is_cut && !self.links[broker].reading.outage.is_down() {
                self.links[broker].reading.sender.shut();
                self.lose(broker);
            }
            let token = Token(self.first_token + broker);
            let Link { reading: Reading { outage, sender, .. }, receiver, .. } = &mut self.links[broker];
            outage.keep_trying(now_ns, || connection::reopen(sender, receiver, registry, token))?;
        }
        Ok(())
    }

    /// A lost connection ends the run, unless losses are planned.
    pub(super) fn endure(&mut self, broker: usize, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Err(Error::Io { .. }) if self.settings.survives_losses => {
                self.lose(broker);
                Ok(())
            }
            other => other,
        }
    }

    fn lose(&mut self, broker: usize) {
        let now_ns = self.settings.clock.now_ns();
        self.settings.signals.note_trouble(now_ns);
        let reading = &mut self.links[broker].reading;
        reading.outage.note_loss(now_ns);
        reading.forget_question();
    }
}

impl Reading {
    /// Reads other partitions from now on. What an open question brings is of the old ones and not looked at.
    pub(super) fn change_lanes(&mut self, lanes: BTreeMap<u32, Lane>) {
        self.order = lanes.keys().copied().collect();
        self.lanes = lanes;
        self.is_stale = self.in_flight;
    }

    /// Closes the connection on purpose.
    pub(super) fn hang_up(&mut self) {
        self.sender.shut();
        self.outage = Outage::default();
        self.forget_question();
    }

    /// The connection is gone, and with it the answer to the open question.
    fn forget_question(&mut self) {
        (self.in_flight, self.is_stale) = (false, false);
        self.request.clear();
        self.written_bytes = 0;
    }

    /// Whether there is a socket, and neither a refusal nor an order to rest holds the next question back.
    pub(super) fn may_ask(&self, now_ns: u64, signals: &Signals) -> bool {
        !self.outage.is_down() && now_ns >= self.ask_at_ns && now_ns >= signals.rest_until_ns()
    }

    /// Whether `code` is a refusal that passes where losses are planned; any other refusal is an error.
    pub(super) fn waits_for_refusal(
        &mut self,
        code: i16,
        now_ns: u64,
        settings: &ConsumerSettings,
    ) -> Result<bool, Error> {
        let passes = settings.survives_losses && ErrorCode::from_code(code).is_some_and(ErrorCode::is_retriable);
        if passes {
            self.ask_at_ns = now_ns + RETRY_BACKOFF_NS;
            settings.signals.note_trouble(now_ns);
            return Ok(true);
        }
        refuse_error(ApiKey::Fetch, code)?;
        Ok(false)
    }
}
