//! The read path of a `Core`: from the owning shard's memory or disk, and the wait for more.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::core::{Core, LogRef, ReadBatches};
use super::reads::{ReadRequest, ReadStart};
use crate::error::ReadError;
use crate::journal::reader::Goal;
use crate::offset::{LogId, Offset, ShardId};
use crate::partition::transactions::Isolation;

impl Core {
    /// Reads whole batches from `offset`, up to `bytes_max` (the first batch always whole, if `first_whole`), up to the high watermark, or with
    /// `Committed` up to the last stable offset and with the aborted transactions that reach into them.
    pub fn read(
        &self,
        log: LogRef,
        offset: Offset,
        bytes_max: usize,
        first_whole: bool,
        isolation: Isolation,
    ) -> impl Future<Output = Result<ReadBatches, ReadError>> + 'static {
        let goal = Goal::Offset(offset);
        self.read_as(log.shard, ReadRequest { log: log.log, goal, bytes_max, first_whole, one_step: false, isolation })
    }

    /// Reads as `request` says, on its log's shard.
    pub fn read_as(
        &self,
        shard: ShardId,
        request: ReadRequest,
    ) -> impl Future<Output = Result<ReadBatches, ReadError>> + 'static {
        let answer = self.on(shard, move |core| async move { core.read_here(request).await });
        async move { answer.await.unwrap_or(Err(ReadError::Stopping)) }
    }

    /// Whether a log of this shard gives all from `offset` on out of its tail: then a read waits for nothing and copies nothing.
    pub fn is_in_tail(&self, log: LogId, offset: Offset) -> bool {
        self.inner.shard.borrow().is_in_tail(log, offset)
    }

    /// Bytes that the first of `requests`, those behind the tail of this shard, read beside one another. See [`Shard::sweep`].
    ///
    /// [`Shard::sweep`]: super::state::Shard::sweep
    pub fn sweep(&self, requests: impl IntoIterator<Item = ReadRequest>, bytes_max: usize) -> Vec<usize> {
        self.inner.shard.borrow_mut().sweep(requests, bytes_max)
    }

    async fn read_here(&self, request: ReadRequest) -> Result<ReadBatches, ReadError> {
        let start = self.inner.shard.borrow_mut().read(request)?;
        match start {
            ReadStart::Done(batches) => Ok(batches),
            ReadStart::Pending(id) => {
                let (sender, receiver) = oneshot::channel();
                self.inner.reads.borrow_mut().insert(id, sender);
                self.inner.kick.notify_one();
                receiver.await.unwrap_or(Err(ReadError::Stopping))
            }
        }
    }

    /// The first batch with a record at or after `timestamp_ms` (whole, with base offset), for `ListOffsets`; None if there is none.
    pub fn batch_at_timestamp(
        &self,
        log: LogRef,
        timestamp_ms: i64,
    ) -> impl Future<Output = Result<Option<Bytes>, ReadError>> + 'static {
        let (goal, isolation) = (Goal::Timestamp(timestamp_ms), Isolation::Uncommitted);
        let request = ReadRequest { log: log.log, goal, bytes_max: 1, first_whole: true, one_step: false, isolation };
        let answer = self.read_as(log.shard, request);
        async move {
            let batches = answer.await?;
            Ok((batches.bytes > 0).then(|| Bytes::from(batches.slices.concat())))
        }
    }

    /// Ends when at least `bytes_min` bytes came into sight in the logs since the given ends (high watermarks, or last stable offsets with
    /// `Committed`), when one of the logs is gone, or after `wait_max`. All logs live on `shard`.
    pub fn wait_for_records(
        &self,
        shard: ShardId,
        logs: Vec<(LogId, Offset)>,
        bytes_min: usize,
        wait_max: Duration,
        isolation: Isolation,
    ) -> impl Future<Output = ()> + 'static {
        let answer =
            self.on(shard, move |core| async move { core.wait_here(logs, bytes_min, wait_max, isolation).await });
        async move {
            let _ = answer.await;
        }
    }

    async fn wait_here(&self, logs: Vec<(LogId, Offset)>, bytes_min: usize, wait_max: Duration, isolation: Isolation) {
        let moved = |&(log, seen): &(LogId, Offset)| {
            self.inner.shard.borrow().view(log).is_none_or(|view| view.end_for(isolation) > seen)
        };
        if logs.iter().any(moved) {
            return;
        }
        let (id, receiver) =
            self.inner.watches.borrow_mut().add(logs.into_iter().map(|(log, _)| log).collect(), bytes_min, isolation);
        let _watch = WatchGuard { core: self.clone(), id };
        let _ = tokio::time::timeout(wait_max, receiver).await;
    }
}

/// Ends a watch when whoever waits goes away.
struct WatchGuard {
    core: Core,
    id: usize,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.core.inner.watches.borrow_mut().remove(self.id);
    }
}
