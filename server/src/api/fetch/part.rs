//! One shard's part of a Fetch: its partitions in request order, within one budget.

use engine::error::ReadError;
use engine::journal::reader::Goal;
use engine::shard::core::{Core, LogRef, ReadBatches};
use engine::shard::reads::ReadRequest;
use futures_util::future::join_all;
use protocol::error_code::ErrorCode;

use super::{Limit, Read, Wanted};
use crate::api::error_map;
use crate::limits::FETCH_READS_AT_ONCE;

/// A partition of the part, with its place in the request.
pub(super) type Asked = (usize, Wanted, LogRef);

/// What a read of one partition may give.
#[derive(Clone, Copy)]
struct Amount {
    bytes: usize,
    /// The first batch is given even if it is larger.
    first_whole: bool,
    /// See [`ReadRequest::one_step`].
    one_step: bool,
}

impl Amount {
    /// Only the ends.
    const NOTHING: Amount = Amount { bytes: 0, first_whole: false, one_step: false };

    fn one_step(bytes: usize) -> Amount {
        Amount { bytes, first_whole: false, one_step: true }
    }
}

/// Reads the partitions in order: the first with records gives its first batch whole, the others what the budget leaves. Those behind the tail
/// read at the same time, as far as a sweep lets each ([`Core::sweep`]): in a journal that many partitions fill at once their batches lie side by
/// side, and so each extent of the disk is read once for all. One after the other, or further ahead, each would read through the same stretches
/// alone.
pub(super) async fn read_part(core: &Core, part: Vec<Asked>, limit: Limit) -> Vec<(usize, Read)> {
    let mut reads = Vec::with_capacity(part.len());
    let mut bytes = 0;
    let mut disk_left = limit.disk_bytes;
    let mut rest = part.as_slice();
    while let Some(next) = rest.first() {
        let left = limit.bytes.saturating_sub(bytes);
        let first_whole = limit.first_whole && bytes == 0;
        let through = Amount { bytes: left, first_whole, one_step: false };
        let at_once = rest.iter().take(FETCH_READS_AT_ONCE).map(|asked| request(asked, Amount::one_step(usize::MAX)));
        let amounts = core.sweep(at_once, left.min(disk_left));
        let read = match amounts.as_slice() {
            [0] if !first_whole => vec![read_one(core, *next, Amount::NOTHING).await],
            [] | [_] => vec![read_one(core, *next, through).await],
            [0, ..] if first_whole => vec![read_one(core, *next, through).await],
            amounts => {
                let amount = |(at, &bytes)| Amount { first_whole: first_whole && at == 0, ..Amount::one_step(bytes) };
                let asked = rest.iter().zip(amounts.iter().enumerate().map(amount));
                join_all(asked.map(|(asked, amount)| read_one(core, *asked, amount))).await
            }
        };
        let given = read.iter().map(|(_, read)| read.bytes).sum::<usize>();
        bytes += given;
        if !amounts.is_empty() {
            // What lies further on begins with the next fetch: here it would be read and not fit.
            disk_left = if amounts.contains(&0) { 0 } else { disk_left.saturating_sub(given) };
        }
        rest = &rest[read.len()..];
        reads.extend(read);
    }
    reads
}

fn request((_, wanted, log): &Asked, amount: Amount) -> ReadRequest {
    ReadRequest {
        log: log.log,
        goal: Goal::Offset(wanted.offset),
        bytes_max: amount.bytes.min(wanted.bytes_max),
        first_whole: amount.first_whole,
        one_step: amount.one_step,
        isolation: wanted.isolation,
    }
}

async fn read_one(core: &Core, asked: Asked, amount: Amount) -> (usize, Read) {
    let (index, wanted, log) = asked;
    let outcome = core.read_as(log.shard, request(&asked, amount)).await;
    (index, read_of(core, wanted, log, outcome).await)
}

async fn read_of(core: &Core, wanted: Wanted, log: LogRef, outcome: Result<ReadBatches, ReadError>) -> Read {
    match outcome {
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
            let view = if matches!(error, ReadError::OutOfRange { .. }) { core.view(log).await } else { None };
            // The epoch comes first: a reader of a log that was cut must look where its records ended, not reset as its policy says.
            match view.map_or(ErrorCode::None, |view| error_map::leader_epoch(wanted.leader_epoch, view.leader_epoch)) {
                ErrorCode::None => Read::failed(error_map::read(&error)),
                epoch_error => Read::failed(epoch_error),
            }
        }
    }
}
