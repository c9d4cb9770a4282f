//! Fetch at the tail: one request to the owning shard, which waits for the records and answers with them. A consumer that keeps up is the common
//! case, and asking, waiting and reading by turns would wake both threads three times for each commit.

use std::time::Duration;

use engine::offset::{LogId, Offset};
use engine::shard::core::{Core, Isolation, LogRef};
use tokio::time::Instant;

use super::{Limit, Read, Wanted, read_part};
use crate::answer_budget::AnswerMemory;
use crate::limits::ANSWER_BYTES_AT_ONCE;
use crate::request::Call;

/// What a client of the tail waits for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub bytes_min: usize,
    pub bytes_max: usize,
    pub deadline: Instant,
}

/// The partitions of a request, if one shard has them all and the client is ready to wait.
fn on_one_shard(call: &Call, wanted: &[Wanted], patience: Patience) -> Option<Vec<(usize, Wanted, LogRef)>> {
    if call.broker.is_draining() || Instant::now() >= patience.deadline {
        return None;
    }
    let part: Vec<_> =
        (0..).zip(wanted).map(|(index, wanted)| Some((index, *wanted, wanted.log.ok()?))).collect::<Option<_>>()?;
    let shard = part.first()?.2.shard;
    part.iter().all(|(_, _, log)| log.shard == shard).then_some(part)
}

/// Waits for records and reads them, if all of it is a matter of one shard's tail. None: read with memory reserved before.
pub(super) async fn read(call: &Call, wanted: &[Wanted], patience: Patience) -> Option<(Vec<Read>, AnswerMemory)> {
    let part = on_one_shard(call, wanted, patience)?;
    let shard = part[0].2.shard;
    let left = patience.deadline.saturating_duration_since(Instant::now());
    let bytes = patience.bytes_max.min(ANSWER_BYTES_AT_ONCE);
    let limit = Limit { bytes, disk_bytes: bytes, first_whole: true };
    let bytes_min = patience.bytes_min.min(limit.bytes);
    let waiting = call.broker.core.on(shard, move |core| async move {
        let reads = wait_and_read(&core, part, limit, bytes_min, left).await;
        reads.map(|reads| reads.into_iter().map(|(_, read)| read).collect::<Vec<Read>>())
    });
    let reads = tokio::select! {
        biased;
        () = call.broker.drained() => None,
        reads = waiting => reads.ok().flatten(),
    }?;
    let bytes = reads.iter().map(|read| read.bytes).sum();
    // The slices were the tail's until now. Where memory is short they go back, and the client gets what is fair.
    let memory = call.broker.answers.reserve_at_once(bytes, &call.client.answers)?;
    Some((reads, memory))
}

/// On the owning shard. None if something lies behind the tail.
async fn wait_and_read(
    core: &Core,
    part: Vec<(usize, Wanted, LogRef)>,
    limit: Limit,
    bytes_min: usize,
    wait: Duration,
) -> Option<Vec<(usize, Read)>> {
    let deadline = Instant::now() + wait;
    loop {
        if !part.iter().all(|(_, wanted, log)| core.is_in_tail(log.log, wanted.offset)) {
            return None;
        }
        let reads = read_part(core, part.clone(), limit).await;
        let bytes: usize = reads.iter().map(|(_, read)| read.bytes).sum();
        let left = deadline.saturating_duration_since(Instant::now());
        if bytes >= bytes_min || left.is_zero() || reads.iter().any(|(_, read)| read.error.is_some()) {
            return Some(reads);
        }
        let isolation = part.first().map(|(_, wanted, _)| wanted.isolation).unwrap_or_default();
        let seen =
            part.iter().zip(&reads).filter_map(|((_, _, log), (_, read))| seen(log.log, read, isolation)).collect();
        core.wait_for_records(core.shard(), seen, bytes_min - bytes, left, isolation).await;
    }
}

fn seen(log: LogId, read: &Read, isolation: Isolation) -> Option<(LogId, Offset)> {
    Some((log, read.view?.end_for(isolation)))
}
