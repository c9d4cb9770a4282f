//! One shard's part of a Fetch: its partitions in request order, within one budget.

use engine::error::ReadError;
use engine::shard::core::{Core, LogRef};
use futures_util::future::join_all;
use protocol::error_code::ErrorCode;

use super::{Limit, Read, Wanted};
use crate::api::error_map;
use crate::limits::FETCH_READS_AT_ONCE;

/// A partition of the part, with its place in the request.
pub(super) type Asked = (usize, Wanted, LogRef);

/// Reads the partitions in order: the first with records gives its first batch whole, the others what the budget leaves. Those behind the tail
/// read at the same time, each a share of it: in a journal that many partitions fill at once their batches lie side by side, and so each stretch
/// of the disk is read once for all. One after the other each would read through the same stretches alone.
pub(super) async fn read_part(core: &Core, part: Vec<Asked>, limit: Limit) -> Vec<(usize, Read)> {
    let mut reads = Vec::with_capacity(part.len());
    let mut bytes = 0;
    let mut rest = part.as_slice();
    while let Some(next) = rest.first() {
        let left = limit.bytes.saturating_sub(bytes);
        let is_behind = |(_, wanted, log): &&Asked| !core.is_in_tail(log.log, wanted.offset);
        let beside = if bytes == 0 || left == 0 { 0 } else { FETCH_READS_AT_ONCE };
        let behind = rest.iter().take(beside).take_while(is_behind).count();
        let read = if behind < 2 {
            let first_whole = limit.first_whole && bytes == 0;
            vec![(next.0, read_one(core, *next, Limit { bytes: left, first_whole }).await)]
        } else {
            read_beside(core, &rest[..behind], left).await
        };
        bytes += read.iter().map(|(_, read)| read.bytes).sum::<usize>();
        rest = &rest[read.len()..];
        reads.extend(read);
    }
    reads
}

/// Reads behind the tail, at the same time, within `left` bytes. A batch that is larger than a share comes only where the others leave room.
async fn read_beside(core: &Core, part: &[Asked], left: usize) -> Vec<(usize, Read)> {
    let share = Limit { bytes: left / part.len(), first_whole: false };
    let shares = join_all(part.iter().map(|asked| read_one(core, *asked, share))).await;
    let mut left = left - shares.iter().map(|read| read.bytes).sum::<usize>();
    let mut reads = Vec::with_capacity(part.len());
    for (asked, mut read) in part.iter().zip(shares) {
        if read.bytes == 0 && read.error.is_none() && left > share.bytes {
            read = read_one(core, *asked, Limit { bytes: left, first_whole: false }).await;
            left -= read.bytes;
        }
        reads.push((asked.0, read));
    }
    reads
}

async fn read_one(core: &Core, (_, wanted, log): Asked, limit: Limit) -> Read {
    let bytes_max = wanted.bytes_max.min(limit.bytes);
    match core.read(log, wanted.offset, bytes_max, limit.first_whole, wanted.isolation).await {
        Ok(read) => {
            let epoch_error = error_map::leader_epoch(wanted.leader_epoch, read.view.leader_epoch);
            if epoch_error == ErrorCode::None {
                Read {
                    error: None,
                    view: Some(read.view),
                    slices: read.slices,
                    bytes: read.bytes,
                    aborted: read.aborted,
                }
            } else {
                Read::failed(epoch_error)
            }
        }
        Err(error) => {
            if matches!(error, ReadError::Damaged(_) | ReadError::Failed(_)) {
                tracing::error!(log = %log.log, shard = %log.shard, %error, "cannot read");
            }
            // The ends go along even with OFFSET_OUT_OF_RANGE: tail readers compare against them.
            let view = if matches!(error, ReadError::OutOfRange { .. }) { core.view(log).await } else { None };
            // The epoch comes first: a reader of a log that was cut must look where its records ended, not reset as its policy says.
            match view.map_or(ErrorCode::None, |view| error_map::leader_epoch(wanted.leader_epoch, view.leader_epoch)) {
                ErrorCode::None => Read { view, ..Read::failed(error_map::read(&error)) },
                epoch_error => Read::failed(epoch_error),
            }
        }
    }
}
