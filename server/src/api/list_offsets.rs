//! `ListOffsets`: the ends of a log, and the first record at or after a timestamp, exact to the record.

use std::collections::HashMap;

use engine::error::ReadError;
use engine::shard::core::{Isolation, LogRef};
use engine::shard::state::LogView;
use protocol::compression::first_record_at_or_after;
use protocol::error_code::ErrorCode;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use protocol::record_batch::{BatchHeader, batches};

use super::error_map;
use crate::limits::{DECOMPRESSED_BYTES_MAX, REPLAY_READ_BYTES};
use crate::request::{Answer, Call};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// An offset and its record's timestamp; -1 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Found {
    offset: i64,
    timestamp: i64,
}

const NOTHING: Found = Found { offset: -1, timestamp: -1 };

pub async fn handle(call: &Call, request: ListOffsetsRequest<'_>) -> Answer {
    let isolation = error_map::isolation(request.isolation_level);
    let mut named = mentions(&request);
    let mut topics: Vec<ListOffsetsTopicResponse<'_>> = Vec::with_capacity(request.topics.len());
    let mut topic_at = HashMap::new();
    for topic in &request.topics {
        // What is named twice is answered once, topics and partitions.
        let at = *topic_at.entry(topic.name).or_insert(topics.len());
        if at == topics.len() {
            topics.push(ListOffsetsTopicResponse { name: topic.name, partitions: Vec::new() });
        }
        for partition in &topic.partitions {
            let found = match named.remove(&(topic.name, partition.partition_index)) {
                None => continue,
                Some(1) => find(call, topic.name, partition, isolation).await,
                Some(_) => failed(partition.partition_index, ErrorCode::InvalidRequest),
            };
            topics[at].partitions.push(found);
        }
    }
    call.answer(&ListOffsetsResponse { topics, ..Default::default() })
}

/// How often each partition is named.
fn mentions<'a>(request: &ListOffsetsRequest<'a>) -> HashMap<(&'a str, i32), usize> {
    let mut named = HashMap::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            *named.entry((topic.name, partition.partition_index)).or_insert(0) += 1;
        }
    }
    named
}

fn failed(partition_index: i32, error: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse { partition_index, error_code: error.code(), ..Default::default() }
}

async fn find(
    call: &Call,
    topic: &str,
    partition: &ListOffsetsPartition,
    isolation: Isolation,
) -> ListOffsetsPartitionResponse {
    let failed = |error| failed(partition.partition_index, error);
    if partition.timestamp < 0 && !knows(call.version, partition.timestamp) {
        return failed(ErrorCode::UnsupportedVersion);
    }
    let log = match call.broker.led_log(topic, partition.partition_index) {
        Ok(log) => log,
        Err(error) => return failed(error),
    };
    let Some(view) = call.broker.core.view(log).await else { return failed(ErrorCode::UnknownTopicOrPartition) };
    let epoch_error = error_map::leader_epoch(partition.current_leader_epoch, view.leader_epoch);
    if epoch_error != ErrorCode::None {
        return failed(epoch_error);
    }
    let found = match partition.timestamp {
        LATEST => Ok(Found { offset: view.end_for(isolation).0, timestamp: -1 }),
        // All of a log is on the broker's own disk.
        EARLIEST | EARLIEST_LOCAL => Ok(Found { offset: view.start.0, timestamp: -1 }),
        LATEST_TIERED => Ok(NOTHING),
        MAX_TIMESTAMP => newest_timestamp(call, log, view).await,
        timestamp => at_timestamp(call, log, view, timestamp).await,
    };
    // A record that may still be aborted is none for whoever reads what is decided.
    let is_end = partition.timestamp < 0 && partition.timestamp != MAX_TIMESTAMP;
    let is_seen = |found: &Found| is_end || found.offset < view.end_for(isolation).0;
    match found.map(|found| Some(found).filter(is_seen).unwrap_or(NOTHING)) {
        Ok(found) => ListOffsetsPartitionResponse {
            partition_index: partition.partition_index,
            error_code: ErrorCode::None.code(),
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: if found == NOTHING { -1 } else { view.leader_epoch },
        },
        Err(error) => failed(error),
    }
}

/// Whether a version has that special timestamp.
fn knows(version: i16, timestamp: i64) -> bool {
    match timestamp {
        LATEST | EARLIEST => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        _ => false,
    }
}

/// The first batch that the engine names holds the record, unless its header lied or the record lies below the log start: then the search
/// goes on behind it.
async fn at_timestamp(call: &Call, log: LogRef, view: LogView, timestamp: i64) -> Result<Found, ErrorCode> {
    let batch =
        call.broker.core.batch_at_timestamp(log, timestamp).await.map_err(|error| storage_error(log, &error))?;
    let Some(batch) = batch else { return Ok(NOTHING) };
    if let Some(found) = search(&batch, view.start.0, timestamp)? {
        return Ok(found);
    }
    let header = BatchHeader::parse(&batch).map_err(|_| ErrorCode::CorruptMessage)?;
    let mut offset = engine::offset::Offset(header.last_offset() + 1);
    while offset < view.high_watermark {
        let read = call
            .broker
            .core
            .read(log, offset, REPLAY_READ_BYTES, true, Isolation::Uncommitted)
            .await
            .map_err(|error| storage_error(log, &error))?;
        let before = offset;
        for batch in batches(&read.slices.concat()) {
            let (header, bytes) = batch.map_err(|_| ErrorCode::CorruptMessage)?;
            if let Some(found) = search(bytes, view.start.0, timestamp)? {
                return Ok(found);
            }
            offset = engine::offset::Offset(header.last_offset() + 1);
        }
        if offset == before {
            break;
        }
    }
    Ok(NOTHING)
}

fn search(batch: &[u8], log_start: i64, timestamp: i64) -> Result<Option<Found>, ErrorCode> {
    let found = first_record_at_or_after(batch, log_start, timestamp, DECOMPRESSED_BYTES_MAX)
        .map_err(|_| ErrorCode::CorruptMessage)?;
    Ok(found.map(|(offset, timestamp)| Found { offset, timestamp }))
}

/// The record with the newest timestamp. The log's newest is known, so the first question finds it; only when its batch is not visible
/// or its record lies below the log start, bisection goes on: a batch at or after a moment exists, or not. At most 64 questions.
async fn newest_timestamp(call: &Call, log: LogRef, view: LogView) -> Result<Found, ErrorCode> {
    let mut newest = None;
    let (mut known, mut none_from) = (-1, view.max_timestamp.saturating_add(1));
    let mut middle = view.max_timestamp;
    while known < none_from - 1 {
        match call.broker.core.batch_at_timestamp(log, middle).await.map_err(|error| storage_error(log, &error))? {
            Some(batch) => {
                known = BatchHeader::parse(&batch).map_err(|_| ErrorCode::CorruptMessage)?.max_timestamp.max(middle);
                newest = Some(batch);
            }
            None => none_from = middle,
        }
        middle = if newest.is_none() { 0 } else { known + (none_from - known) / 2 };
    }
    match newest {
        Some(batch) => Ok(search(&batch, view.start.0, known)?.unwrap_or(NOTHING)),
        None => Ok(NOTHING),
    }
}

fn storage_error(log: LogRef, error: &ReadError) -> ErrorCode {
    tracing::error!(log = %log.log, shard = %log.shard, %error, "cannot search by timestamp");
    error_map::read(error)
}
