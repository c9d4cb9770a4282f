//! The connection to one leader: what is being built for it, what is on the wire, what has to go again.
//!
//! A refusal that passes (no leader for now, say) sends the request and every one behind it again, as they were and on
//! the same connection, once all have been answered: go-back-N. Numbered batches make that safe, since the broker knows
//! what it has already. A partition that moves to another broker is not followed: its refusals last, and end the run.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::clock::Clock;
use crate::cluster::CALL_TIMEOUT;
use crate::connection::Sender;
use crate::error::Error;
use crate::outage::Outage;
use crate::request::Request;

/// Pieces of requests handed to the kernel in one call.
const SLICES_MAX: usize = 64;

/// Kafka's `retry.backoff.ms`.
const RETRY_BACKOFF_NS: u64 = 100_000_000;

/// A request goes again for as long as one may stay unanswered.
const RETRIES_MAX: u32 = (CALL_TIMEOUT.as_nanos() as u64 / RETRY_BACKOFF_NS) as u32;

/// The connection to one leader.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) sender: Sender,
    pub(super) outage: Outage,
    pub(super) open: Option<Request>,
    /// Sent or waiting for the socket, oldest first.
    in_flight: VecDeque<Request>,
    /// Answered, and to go again in this order.
    refused: VecDeque<Request>,
    resend_at_ns: u64,
    /// Requests of `in_flight` that the kernel has taken whole.
    written: usize,
    /// Bytes of the next one that it has taken.
    written_bytes: usize,
    spare: Vec<Request>,
    correlation_id: i32,
}

impl Link {
    pub(super) fn new(sender: Sender) -> Self {
        Self {
            sender,
            outage: Outage::default(),
            open: None,
            in_flight: VecDeque::new(),
            refused: VecDeque::new(),
            resend_at_ns: 0,
            written: 0,
            written_bytes: 0,
            spare: Vec::new(),
            correlation_id: 0,
        }
    }

    /// Whether one more request may be sent; nothing new passes what has to go again, and nothing goes without a socket.
    pub(super) fn has_room(&self, in_flight_max: usize) -> bool {
        !self.outage.is_down() && self.refused.is_empty() && self.in_flight.len() < in_flight_max
    }

    /// Everything that was begun is settled.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_none() && self.in_flight.is_empty() && self.refused.is_empty()
    }

    /// Requests without a last answer.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Request> {
        self.refused.iter().chain(&self.in_flight)
    }

    /// When the oldest request without an answer was written.
    pub(super) fn oldest_sent_ns(&self) -> Option<u64> {
        // An outage has a deadline of its own.
        let waiting = self.in_flight.front().filter(|_| !self.outage.goes_on());
        waiting.map(|request| request.sent_ns).filter(|&sent_ns| sent_ns > 0)
    }

    /// When the refused requests go again.
    pub(super) fn resend_at_ns(&self) -> Option<u64> {
        let may_go = self.in_flight.is_empty() && !self.outage.is_down();
        (may_go && !self.refused.is_empty()).then_some(self.resend_at_ns)
    }

    /// An empty request.
    pub(super) fn take_spare(&mut self) -> Request {
        self.spare.pop().unwrap_or_default()
    }

    /// Gives a settled request's memory back.
    pub(super) fn give_spare(&mut self, request: Request) {
        self.spare.push(request);
    }

    /// Sends a request whose batches are closed, behind all others.
    pub(super) fn send(&mut self, mut request: Request, clock: &Clock) -> Result<(), Error> {
        self.number(&mut request);
        self.in_flight.push_back(request);
        self.flush(clock)
    }

    /// The oldest request that the kernel has taken whole. Of the others no answer can tell.
    pub(super) fn pop_written(&mut self) -> Option<Request> {
        self.written = self.written.checked_sub(1)?;
        self.in_flight.pop_front()
    }

    /// Keeps an answered request to send it again; gives it back when it has been sent often enough.
    pub(super) fn keep_refused(&mut self, mut request: Request, now_ns: u64) -> Option<Request> {
        if self.refused.is_empty() {
            if request.retries >= RETRIES_MAX {
                return Some(request);
            }
            self.resend_at_ns = now_ns + RETRY_BACKOFF_NS;
        }
        request.retries += 1;
        self.refused.push_back(request);
        None
    }

    /// Whether an earlier request waits to go again: this answer then says nothing that the next one will not.
    pub(super) fn goes_back(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Batches that the kernel has taken and the broker has not answered.
    pub(super) fn unanswered_batches(&self) -> u64 {
        self.in_flight.iter().take(self.written).map(|request| request.batches().count() as u64).sum()
    }

    /// The connection is gone. What may have reached the broker goes again where numbers make that safe; else it is given
    /// back, since nobody will ever know. Of a request that was not handed over whole the broker cannot have done a thing.
    pub(super) fn lose(&mut self, now_ns: u64, is_numbered: bool) -> Vec<Request> {
        self.outage.note_loss(now_ns);
        let unknown = if is_numbered { 0 } else { self.written };
        let unknown = self.in_flight.drain(..unknown).collect();
        self.refused.extend(self.in_flight.drain(..));
        (self.written, self.written_bytes, self.resend_at_ns) = (0, 0, now_ns);
        unknown
    }

    /// Sends the refused requests again when their time has come.
    pub(super) fn resend(&mut self, now_ns: u64, clock: &Clock) -> Result<(), Error> {
        if self.resend_at_ns().is_none_or(|at_ns| now_ns < at_ns) {
            return Ok(());
        }
        while let Some(mut request) = self.refused.pop_front() {
            self.number(&mut request);
            self.in_flight.push_back(request);
        }
        self.flush(clock)
    }

    /// Hands the kernel as much as it takes.
    pub(super) fn flush(&mut self, clock: &Clock) -> Result<(), Error> {
        while self.written < self.in_flight.len() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let (mut count, mut skip) = (0, self.written_bytes);
            for piece in self.in_flight.range(self.written..).flat_map(Request::pieces) {
                let rest = &piece[skip.min(piece.len())..];
                skip -= piece.len() - rest.len();
                if count == SLICES_MAX {
                    break;
                }
                if !rest.is_empty() {
                    slices[count] = IoSlice::new(rest);
                    count += 1;
                }
            }
            let now_ns = clock.now_ns();
            let mut taken = self.sender.write(&slices[..count])?;
            if taken == 0 {
                return Ok(());
            }
            while taken > 0 {
                let request = &mut self.in_flight[self.written];
                if self.written_bytes == 0 {
                    request.sent_ns = now_ns;
                }
                let left = request.wire_bytes() - self.written_bytes;
                if taken < left {
                    self.written_bytes += taken;
                    break;
                }
                taken -= left;
                self.written += 1;
                self.written_bytes = 0;
            }
        }
        Ok(())
    }

    fn number(&mut self, request: &mut Request) {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        request.finish(self.correlation_id);
    }
}
