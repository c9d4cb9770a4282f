//! Tells the partitions of a transaction how it ended, again and again until all have taken their marker.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};

use engine::error::AppendError;
use engine::offset::ShardId;
use engine::shard::core::{Acks, Core, LogRef, MarkerKind, Source, TransactionMarker};

use crate::broker;
use crate::catalog::OFFSETS_TOPIC;
use crate::group::{EndedTransaction, GroupError};
use crate::limits::{MARKER_RETRY_MAX, MARKER_RETRY_MIN};
use crate::transaction::Markers;

/// The shards where clients have written in the transaction, or may have. Offsets are written by groups, which keep their own order.
pub(super) fn shards_written(markers: &Markers) -> BTreeSet<ShardId> {
    let catalog = broker::local().catalog();
    let topics = markers.partitions.iter().filter(|(topic, _)| *topic != OFFSETS_TOPIC);
    let logs = topics.flat_map(|(topic, indexes)| indexes.iter().filter_map(|index| catalog.log(topic, *index)));
    logs.map(|log| log.shard).collect()
}

/// Why a partition has no marker yet: it is tried again.
type NotYet = String;

/// Ends when every partition has its marker; false when the broker stops before: the next start goes on. `delayed` is called when a
/// partition cannot take it now, or has not for long.
pub(super) async fn write(
    core: &Core,
    source: Source,
    coordinator_epoch: i32,
    markers: Markers,
    delayed: impl Fn(),
) -> bool {
    let ended = EndedTransaction { producer: markers.producer, coordinator_epoch, commits: markers.commits };
    let partitions = markers.partitions.into_iter();
    let mut left: Vec<(String, i32)> =
        partitions.flat_map(|(topic, indexes)| indexes.into_iter().map(move |index| (topic.clone(), index))).collect();
    let transactional_id = markers.transactional_id;
    let mut pause = MARKER_RETRY_MIN;
    let mut is_late = false;
    loop {
        let mut round = pin!(write_once(core, source, ended, left));
        let in_time = tokio::select! {
            biased;
            outcome = &mut round => Some(outcome),
            () = tokio::time::sleep(MARKER_RETRY_MAX), if !is_late => None,
        };
        let outcome = if let Some(outcome) = in_time {
            outcome
        } else {
            // The appends keep their places in the queues for room.
            tracing::warn!(transactional_id, "markers wait for room");
            delayed();
            is_late = true;
            round.await
        };
        let Some(missing) = outcome else {
            if is_late {
                tracing::info!(transactional_id, "all partitions have their marker after all");
            }
            return true;
        };
        if !is_late {
            let (topic, partition) = &missing.partitions[0];
            let (partitions, reason) = (missing.partitions.len(), missing.reason);
            tracing::warn!(transactional_id, partitions, topic, partition, reason, "markers must wait");
            delayed();
        }
        (left, is_late) = (missing.partitions, true);
        tokio::select! {
            () = broker::local().drained() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(MARKER_RETRY_MAX);
    }
}

/// Partitions without their marker, at least one, and why the last of them has none.
struct Missing {
    partitions: Vec<(String, i32)>,
    reason: NotYet,
}

/// Tells all of them at the same time; gives those that must be told again.
async fn write_once(
    core: &Core,
    source: Source,
    ended: EndedTransaction,
    partitions: Vec<(String, i32)>,
) -> Option<Missing> {
    let catalog = broker::local().catalog();
    // Topics that are gone need not know.
    let logs = partitions.into_iter().filter_map(|(topic, index)| Some((catalog.log(&topic, index)?, topic, index)));
    let under_way: Vec<_> = logs
        .map(|(log, topic, index)| {
            let append = append(core, source, ended, log, &topic, index);
            (topic, index, append)
        })
        .collect();
    let mut missing = Missing { partitions: Vec::new(), reason: NotYet::new() };
    for (topic, index, append) in under_way {
        if let Err(reason) = append.await {
            missing.partitions.push((topic, index));
            missing.reason = reason;
        }
    }
    (!missing.partitions.is_empty()).then_some(missing)
}

/// Queued during the call. A partition of the offsets topic is told by its coordinator, which has to know.
fn append(
    core: &Core,
    source: Source,
    ended: EndedTransaction,
    log: LogRef,
    topic: &str,
    index: i32,
) -> Pin<Box<dyn Future<Output = Result<(), NotYet>>>> {
    if topic == OFFSETS_TOPIC {
        let told =
            core.on(log.shard, move |_| async move { broker::local().groups.end_transaction(index, ended).await });
        return Box::pin(async move {
            match told.await.unwrap_or(Err(GroupError::CoordinatorNotAvailable)) {
                Ok(()) => Ok(()),
                Err(error @ GroupError::InvalidProducerEpoch) => {
                    refused_for_good(ended, &error);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            }
        });
    }
    let marker = TransactionMarker {
        producer_id: ended.producer.id,
        producer_epoch: ended.producer.epoch,
        coordinator_epoch: ended.coordinator_epoch,
        kind: if ended.commits { MarkerKind::Commit } else { MarkerKind::Abort },
    };
    let appended = core.append_marker(source, log, marker, Acks::Durable);
    Box::pin(async move {
        match appended.await {
            Ok(_) | Err(AppendError::UnknownLog(_)) => Ok(()),
            Err(error) if is_refused_for_good(&error) => {
                refused_for_good(ended, &error);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    })
}

/// Whether a marker is refused, however often it is tried. As in Kafka: a partition in which the producer has a newer epoch already has nothing
/// of this one open.
pub fn is_refused_for_good(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::InvalidProducerEpoch { .. }
            | AppendError::TransactionCoordinatorFenced { .. }
            | AppendError::Invalid(_)
    )
}

fn refused_for_good(ended: EndedTransaction, error: &dyn std::error::Error) {
    tracing::warn!(producer_id = ended.producer.id, %error, "a partition refuses a marker for good");
}
