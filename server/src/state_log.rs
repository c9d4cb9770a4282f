//! `StateLog`: a log that holds state as key-value records (the catalog, a partition of `__consumer_offsets`): appended durably, replayed at
//! start, and kept short by appending the live state anew at the head and raising the log start.

use std::cell::Cell;

use bytes::Bytes;
use engine::error::{AppendError, ReadError};
use engine::offset::{JournalPosition, Offset};
use engine::shard::core::{Acks, Core, Isolation, LogRef, Source, TransactionMarker};
use protocol::record_batch::{BatchBuilder, BatchError, HEADER_BYTES, ProducerFields, batches, records};
use thiserror::Error;

use crate::limits::{
    CATALOG_BATCH_BYTES_TARGET, REPLAY_READ_BYTES, SNAPSHOT_AFTER_BYTES, SNAPSHOT_AFTER_LIVE_TIMES,
    SNAPSHOT_AFTER_SEGMENTS,
};

/// One record: a key, and a value or a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// What the record is about; the catalog has none.
    pub key: Option<Bytes>,
    /// The new state; none deletes.
    pub value: Option<Bytes>,
}

/// Why a state log could not be replayed. The broker does not start, or the group is not served: never a guess.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The engine could not read.
    #[error("cannot read: {0}")]
    Read(#[from] ReadError),
    /// The engine could not write.
    #[error("cannot append: {0}")]
    Append(#[from] AppendError),
    /// The bytes are no record batches.
    #[error("malformed batch: {0}")]
    Batch(#[from] BatchError),
    /// The groups in it are not what this version writes.
    #[error("malformed groups: {0}")]
    Group(Box<crate::group::LoadError>),
    /// A record is not what this version writes.
    #[error("malformed record at offset {offset}: {reason}")]
    Record {
        /// Where.
        offset: i64,
        /// Why.
        reason: String,
    },
}

/// The log of one keeper of state. All methods are called by its only owner.
pub struct StateLog {
    core: Core,
    log: LogRef,
    source: Source,
    live: Cell<Extent>,
}

/// How much of the journal a log takes.
#[derive(Clone, Copy)]
struct Extent {
    segments: u64,
    journal_end: JournalPosition,
    bytes: u64,
}

impl Extent {
    const NONE: Extent = Extent { segments: 0, journal_end: JournalPosition(0), bytes: 0 };
}

impl StateLog {
    /// The log at `log`.
    pub fn new(core: Core, log: LogRef) -> StateLog {
        StateLog { source: core.new_source(), core, log, live: Cell::new(Extent::NONE) }
    }

    /// Appends whole batches in order; they are queued during the call, and durable when the future ends. Gives the offset of the first record.
    pub fn append(&self, batches: Vec<Bytes>) -> impl Future<Output = Result<Option<Offset>, AppendError>> + 'static {
        let appends: Vec<_> =
            batches.into_iter().map(|batch| self.core.append(self.source, self.log, batch, Acks::Durable)).collect();
        async move {
            let mut first = None;
            for append in appends {
                let appended = append.await?;
                first.get_or_insert(appended.base_offset);
            }
            Ok(first)
        }
    }

    /// Appends the marker that ends a transaction, in order with the batches; durable when the future ends.
    pub fn append_marker(&self, marker: TransactionMarker) -> impl Future<Output = Result<(), AppendError>> + 'static {
        let append = self.core.append_marker(self.source, self.log, marker, Acks::Durable);
        async move { append.await.map(drop) }
    }

    /// Hands everything from the log start to the end to `take`, in order, some whole batches at a time.
    pub async fn read_all(&self, mut take: impl FnMut(&[u8]) -> Result<(), ReplayError>) -> Result<(), ReplayError> {
        let Some(view) = self.core.view(self.log).await else {
            return Err(ReadError::UnknownLog(self.log.log).into());
        };
        let mut offset = view.start;
        while offset < view.high_watermark {
            let read = self.core.read(self.log, offset, REPLAY_READ_BYTES, true, Isolation::Uncommitted).await?;
            // A batch may lie across slices.
            let bytes = read.slices.concat();
            take(&bytes)?;
            let end = batches(&bytes).last().transpose()?.map(|(header, _)| Offset(header.last_offset() + 1));
            match end {
                Some(end) if end > offset => offset = end,
                _ => {
                    return Err(ReplayError::Record {
                        offset: offset.0,
                        reason: "the log ends before its high watermark".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Hands every record to `apply`, in order.
    pub async fn replay(
        &self,
        mut apply: impl FnMut(Option<&[u8]>, Option<&[u8]>) -> Result<(), String>,
    ) -> Result<(), ReplayError> {
        self.read_all(|bytes| replay_batches(bytes, &mut apply)).await
    }

    /// Whether the log has grown far beyond its live state, or reaches so far back that it pins old segments.
    pub async fn wants_snapshot(&self) -> bool {
        let live = self.live.get();
        let now = self.extent().await;
        let journal_grew_bytes = now.journal_end.0.saturating_sub(live.journal_end.0);
        now.segments > SNAPSHOT_AFTER_SEGMENTS && journal_grew_bytes >= live.bytes * SNAPSHOT_AFTER_LIVE_TIMES
            || now.bytes > SNAPSHOT_AFTER_BYTES.max(live.bytes * SNAPSHOT_AFTER_LIVE_TIMES)
    }

    async fn extent(&self) -> Extent {
        let view = self.core.view(self.log).await;
        view.map_or(Extent::NONE, |view| Extent {
            segments: view.segments,
            journal_end: view.journal_end,
            bytes: view.bytes,
        })
    }

    /// Replaces the log with its live state, if that is worth it. What `live` gives takes its place at once: no append can come between.
    pub async fn shorten(&self, live: impl FnOnce() -> Vec<Vec<u8>>) -> Result<(), AppendError> {
        if !self.wants_snapshot().await {
            return Ok(());
        }
        self.replace_with(live().into_iter().map(Bytes::from).collect()).await
    }

    /// Appends the whole live state and then forgets everything before it. Until the start is raised both are there: replaying the old
    /// records and then the new ones gives the same state. The batches take their place at the first poll: await this at once.
    pub async fn replace_with(&self, live: Vec<Bytes>) -> Result<(), AppendError> {
        let end = self.core.view(self.log);
        let appended = self.append(live);
        // Where nothing lives, all that was visible just now may go.
        let end = end.await.map(|view| view.high_watermark);
        if let Some(first) = appended.await?.or(end) {
            self.core.raise_log_start(self.log, first).await?;
        }
        self.live.set(self.extent().await);
        Ok(())
    }
}

/// Batches of records that fit the target, in order.
pub fn build_batches(records: &[StateRecord], now_ms: i64) -> Vec<Bytes> {
    let mut built = Vec::new();
    let mut open: Option<BatchBuilder> = None;
    for record in records {
        let batch = open.get_or_insert_with(|| BatchBuilder::new(Vec::new(), now_ms, ProducerFields::NONE));
        batch.append(now_ms, record.key.as_deref(), record.value.as_deref(), &[]);
        if batch.batch_bytes() >= CATALOG_BATCH_BYTES_TARGET {
            built.extend(open.take().map(|batch| Bytes::from(batch.finish())));
        }
    }
    built.extend(open.map(|batch| Bytes::from(batch.finish())));
    built
}

fn replay_batches(
    bytes: &[u8],
    apply: &mut impl FnMut(Option<&[u8]>, Option<&[u8]>) -> Result<(), String>,
) -> Result<(), ReplayError> {
    for batch in batches(bytes) {
        let (header, batch) = batch?;
        if header.is_control() {
            continue;
        }
        for record in records(&header, &batch[HEADER_BYTES..]) {
            let record = record?;
            let offset = header.offset(record.offset_delta);
            apply(record.key, record.value).map_err(|reason| ReplayError::Record { offset, reason })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: usize, bytes: usize) -> StateRecord {
        StateRecord { key: Some(Bytes::from(value.to_string())), value: Some(Bytes::from(vec![7; bytes])) }
    }

    #[test]
    fn replay_gives_back_what_was_built_in_order_whatever_the_batches() {
        let written: Vec<_> =
            (0..20).map(|at| record(at, at * 10_000)).chain([StateRecord { key: None, value: None }]).collect();
        let built = build_batches(&written, 5);
        assert!(built.len() > 1);
        let mut seen = Vec::new();
        let copy = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
        replay_batches(&built.concat(), &mut |key, value| {
            seen.push(StateRecord { key: copy(key), value: copy(value) });
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, written);
    }

    #[test]
    fn markers_of_transactions_are_no_records() {
        let marker = TransactionMarker {
            producer_id: 1,
            producer_epoch: 0,
            coordinator_epoch: 0,
            kind: engine::shard::core::MarkerKind::Commit,
        };
        let built = [build_batches(&[record(1, 1)], 5)[0].to_vec(), marker.batch(5).to_vec()].concat();
        let mut seen = 0;
        replay_batches(&built, &mut |_, _| {
            seen += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, 1);
    }

    #[test]
    fn a_record_that_is_refused_names_its_offset() {
        let built = build_batches(&[record(1, 1), record(2, 1)], 5);
        let refused =
            replay_batches(&built.concat(), &mut |key, _| if key == Some(b"2") { Err("no".into()) } else { Ok(()) });
        assert!(matches!(refused, Err(ReplayError::Record { offset: 1, .. })));
    }
}
