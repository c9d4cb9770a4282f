//! `Delayed`: a batch with something to do before it is appended: a large one is compressed beside the shard's thread, and the coordinator of its
//! transaction is asked. Meanwhile the connection begins nothing else, so that order holds; how long is the client's own choice,
//! and no longer than it is there.

use std::time::Duration;

use bytes::Bytes;
use engine::shard::core::{Acks, LogRef};
use protocol::error_code::ErrorCode;
use tokio::time::{Instant, timeout_at};

use super::batch_check::{Refusal, not_in_transaction, unrecompressed};
use super::{Outcome, Topic};
use crate::limits::DELAYED_PRODUCE_MAX;
use crate::request::Call;
use crate::topic_config::Codec;
use crate::transaction::VerifyRequest;

/// What waits.
pub(super) struct Delayed {
    pub(super) log: LogRef,
    pub(super) batch: Bytes,
    /// To be put into it.
    pub(super) codec: Option<Codec>,
    /// To be asked for, unless it is known by then. With neither it only waits for what its partition has before it.
    pub(super) transaction: Option<VerifyRequest>,
    pub(super) acks: Acks,
}

/// Until when what comes before an append may take, whatever acks are asked for.
pub(super) fn append_deadline(timeout_ms: i32) -> Instant {
    let timeout = u64::try_from(timeout_ms).ok().filter(|timeout_ms| *timeout_ms > 0).map(Duration::from_millis);
    Instant::now() + timeout.unwrap_or(DELAYED_PRODUCE_MAX)
}

/// Appends what had to wait, in the order of the request. What is not ready at the deadline is not appended, nor is what stands behind it.
pub(super) async fn append_delayed(call: &Call, topics: &mut [Topic], deadline: Instant) {
    let mut is_expired = false;
    for (_, outcome) in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let Outcome::Delayed(delayed) = outcome else { continue };
        let prepared = if is_expired { None } else { timeout_at(deadline, ready(call, delayed)).await.ok() };
        is_expired |= prepared.is_none();
        *outcome = match prepared {
            Some(Ok(batch)) => Outcome::Appending(Box::pin(call.broker.core.append(
                call.client.source,
                delayed.log,
                batch,
                delayed.acks,
            ))),
            Some(Err(refusal)) => Outcome::Refused(refusal),
            None => Outcome::Refused(Refusal::new(
                ErrorCode::RequestTimedOut,
                "what comes before the append took longer than the request's timeout",
            )),
        };
    }
}

/// The batch as it is to be appended, at once: nothing may come between the coordinator's answer and that.
async fn ready(call: &Call, delayed: &mut Delayed) -> Result<Bytes, Refusal> {
    let broker = &call.broker;
    let mut batch = std::mem::take(&mut delayed.batch);
    if let Some(codec) = delayed.codec {
        let compressed = broker.recompression.at_leisure(&broker.frame_budget, batch, codec).await;
        batch = compressed.map_err(|error| unrecompressed(&error))?;
    }
    if let Some(request) = delayed.transaction.take() {
        let verified = broker.transactions.verify_write(broker, request, delayed.log).await;
        verified.map_err(|error| not_in_transaction(error, call.version))?;
    }
    Ok(batch)
}
