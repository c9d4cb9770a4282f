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
    /// See [`ReadRequest::stretches_max`].
    stretches_max: Option<usize>,
}

impl Amount {
    /// Only the ends.
    const NOTHING: Amount = Amount { bytes: 0, first_whole: false, stretches_max: None };
}

/// Reads the partitions in order: the first with records gives its first batch whole, the others what the budget leaves. Those behind the tail
/// read at the same time, each its next stretch: in a journal that many partitions fill at once their batches lie side by side, and so each
/// extent of the disk is read once for all. One after the other, or further ahead, each would read through the same stretches alone.
pub(super) async fn read_part(core: &Core, part: Vec<Asked>, limit: Limit) -> Vec<(usize, Read)> {
    let mut reads = Vec::with_capacity(part.len());
    let mut bytes = 0;
    let mut disk_left = limit.disk_bytes;
    let mut rest = part.as_slice();
    while let Some(next) = rest.first() {
        let left = limit.bytes.saturating_sub(bytes);
        let first_whole = limit.first_whole && bytes == 0;
        let through = Amount { bytes: left, first_whole, stretches_max: None };
        let wave = wave(core, rest, left.min(disk_left), first_whole);
        let read = match wave.amounts.as_slice() {
            [] if wave.is_behind && !first_whole => vec![read_one(core, *next, Amount::NOTHING).await],
            [amount] if wave.is_cut => vec![read_one(core, *next, *amount).await],
            [] | [_] => vec![read_one(core, *next, through).await],
            amounts => {
                let asked = rest.iter().zip(amounts);
                join_all(asked.map(|(asked, amount)| read_one(core, *asked, *amount))).await
            }
        };
        let given = read.iter().map(|(_, read)| read.bytes).sum::<usize>();
        bytes += given;
        if wave.is_behind {
            // What lies further on begins with the next fetch: here it would be read and not fit.
            disk_left = if wave.is_cut { 0 } else { disk_left.saturating_sub(given) };
        }
        rest = &rest[read.len()..];
        reads.extend(read);
    }
    reads
}

/// Partitions that read from the disk at the same time.
struct Wave {
    /// What each of them reads. None where the first is not behind the tail, or what it would read does not fit.
    amounts: Vec<Amount>,
    is_behind: bool,
    /// What the next one would read did not fit.
    is_cut: bool,
}

/// The first of the partitions, as long as they are behind the tail and what they read in one step fits. The fewer they are, the more stretches
/// each may take.
fn wave(core: &Core, part: &[Asked], bytes_max: usize, first_whole: bool) -> Wave {
    let mut wave = Wave { amounts: Vec::new(), is_behind: false, is_cut: false };
    let stretches_max = Some((FETCH_READS_AT_ONCE / part.len()).max(1));
    let mut bytes = 0;
    for asked in part.iter().take(FETCH_READS_AT_ONCE) {
        let first_whole = first_whole && wave.amounts.is_empty();
        let all = Amount { bytes: usize::MAX, first_whole, stretches_max };
        let Some(step_bytes) = core.step_behind_tail(&request(asked, all)) else { break };
        wave.is_behind = true;
        bytes += step_bytes;
        if bytes > bytes_max {
            wave.is_cut = true;
            break;
        }
        wave.amounts.push(Amount { bytes: step_bytes, ..all });
    }
    wave
}

fn request((_, wanted, log): &Asked, amount: Amount) -> ReadRequest {
    ReadRequest {
        log: log.log,
        goal: Goal::Offset(wanted.offset),
        bytes_max: amount.bytes.min(wanted.bytes_max),
        first_whole: amount.first_whole,
        stretches_max: amount.stretches_max,
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
