//! The append path of a `Core`: to the owning shard, into the open commit or the queue for room, and the answer at the asked end.

use std::future::Future;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::core::{Acks, Core, LogRef};
use super::fair_queue::Source;
use super::state::{Appended, Receipt, Refusal};
use crate::error::AppendError;
use crate::limits::STALLED_BYTES_MAX;
use crate::offset::{LogId, Offset};
use crate::partition::marker::{MARKER_BYTES, TransactionMarker};

/// What is appended.
enum Payload {
    /// A client's batch.
    Batch(Bytes),
    /// What ends a transaction.
    Marker(TransactionMarker),
}

impl Payload {
    fn bytes(&self) -> usize {
        match self {
            Payload::Batch(batch) => batch.len(),
            Payload::Marker(_) => MARKER_BYTES,
        }
    }
}

/// An append that is not in a commit yet.
pub(super) struct Append {
    log: LogId,
    payload: Payload,
    acks: Acks,
    /// Where the log ended when it began to wait for room.
    since: Option<Offset>,
    sender: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Core {
    /// A source that nobody else has.
    pub fn new_source(&self) -> Source {
        let number = self.inner.sources.get();
        self.inner.sources.set(number + 1);
        Source::of_shard(self.inner.id.0, number)
    }

    /// Appends a batch to a log wherever it lives. A source's order of calls is the order of its offsets; the future ends at the asked
    /// end. `batch` is one whole v2 record batch, a slice of the received frame; it is copied once, into the commit buffer.
    pub fn append(
        &self,
        source: Source,
        log: LogRef,
        batch: Bytes,
        acks: Acks,
    ) -> impl Future<Output = Result<Appended, AppendError>> + 'static {
        self.append_payload(source, log, Payload::Batch(batch), acks)
    }

    /// Appends the control batch that ends a producer's transaction in a log, wherever it lives. What `append` says of order and answer holds here.
    pub fn append_marker(
        &self,
        source: Source,
        log: LogRef,
        marker: TransactionMarker,
        acks: Acks,
    ) -> impl Future<Output = Result<Appended, AppendError>> + 'static {
        self.append_payload(source, log, Payload::Marker(marker), acks)
    }

    fn append_payload(
        &self,
        source: Source,
        log: LogRef,
        payload: Payload,
        acks: Acks,
    ) -> impl Future<Output = Result<Appended, AppendError>> + 'static {
        let (here, there) = if log.shard == self.inner.id {
            (Some(self.append_here(source, log.log, payload, acks)), None)
        } else {
            (None, Some(self.on(log.shard, move |core| core.append_here(source, log.log, payload, acks))))
        };
        async move {
            match (here, there) {
                (Some(local), _) => local.await,
                (None, Some(remote)) => remote.await.unwrap_or(Err(AppendError::Stopping)),
                (None, None) => Err(AppendError::Stopping),
            }
        }
    }

    fn append_here(
        &self,
        source: Source,
        log: LogId,
        payload: Payload,
        acks: Acks,
    ) -> impl Future<Output = Result<Appended, AppendError>> + use<> {
        let (sender, receiver) = oneshot::channel();
        self.inner.kick.notify_one();
        let append = Append { log, payload, acks, since: None, sender };
        let nobody_waits = self.inner.stalled.borrow().is_empty();
        let outcome = if nobody_waits { self.try_append(&append) } else { Err(Refusal::Wait) };
        if outcome == Err(Refusal::Wait) {
            self.stall(source, append);
        } else {
            self.arrange_answer(append, outcome);
        }
        async move { receiver.await.unwrap_or(Err(AppendError::Stopping)) }
    }

    fn try_append(&self, append: &Append) -> Result<Receipt, Refusal> {
        let mut shard = self.inner.shard.borrow_mut();
        match &append.payload {
            Payload::Batch(batch) => shard.append_late(append.log, batch, append.since),
            Payload::Marker(marker) => shard.append_marker(append.log, marker),
        }
    }

    fn arrange_answer(&self, append: Append, outcome: Result<Receipt, Refusal>) {
        let receipt = match outcome {
            Err(Refusal::Wait) => unreachable!("an append that waits is in the queue"),
            Err(Refusal::Error(error)) => return drop(append.sender.send(Err(error))),
            Ok(receipt) => receipt,
        };
        let ends = self.inner.shard.borrow().ends();
        match append.acks.of_log(receipt.written_is_enough) {
            Acks::Written if ends.written < receipt.commit => {
                self.inner.shard.borrow_mut().await_written(receipt.commit);
                self.inner.written.borrow_mut().answer(receipt, append.sender);
            }
            Acks::Durable if ends.durable < receipt.commit => {
                self.inner.durable.borrow_mut().answer(receipt, append.sender);
            }
            _ => drop(append.sender.send(Ok(receipt.appended))),
        }
    }

    fn stall(&self, source: Source, mut append: Append) {
        append.since = self.inner.shard.borrow().log_end(append.log);
        let mut stalled = self.inner.stalled.borrow_mut();
        let bytes = append.payload.bytes();
        if stalled.bytes() + bytes > STALLED_BYTES_MAX {
            let _ = append.sender.send(Err(AppendError::Overloaded));
            return;
        }
        let is_next = stalled.push(source, bytes, append);
        drop(stalled);
        // It may be small enough for the room that what waited before it had to leave.
        if is_next {
            self.admit_stalled();
        }
    }

    /// Appends what waits, in the queue's order, as far as there is room.
    pub(super) fn admit_stalled(&self) {
        loop {
            let outcome = match self.inner.stalled.borrow().first() {
                Some(append) => self.try_append(append),
                None => return,
            };
            if outcome == Err(Refusal::Wait) {
                return;
            }
            let append = self.inner.stalled.borrow_mut().pop();
            self.arrange_answer(append.expect("the first was there"), outcome);
        }
    }
}
