//! Fetch: each owning shard reads its partitions in request order, the connection's shard applies the size rule to what they gave (KIP-74),
//! and waits for more where the client asked for it. What a session holds is asked for as if the request had named it.

mod part;
mod tail;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::offset::{LogId, Offset, ShardId};
use engine::shard::core::{AbortedTransaction, Isolation, LogRef};
use engine::shard::state::LogView;
use protocol::Records;
use protocol::error_code::ErrorCode;
use protocol::messages::fetch::{self, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use tokio::time::Instant;
use uuid::Uuid;

use self::part::read_part;
use super::error_map;
use crate::answer_budget::AnswerMemory;
use crate::catalog::{Catalog, Topic};
use crate::fetch_sessions::{Asked, Fetching, Named, Place, Seen, Told, TopicKey};
use crate::limits::{ANSWER_MEMORY_WAIT_MAX, FETCH_WAIT_MAX};
use crate::request::{Answer, Call};

/// Earlier ones name topics.
const FIRST_VERSION_WITH_IDS: i16 = 13;

/// One partition of the request.
#[derive(Clone, Copy)]
struct Wanted {
    log: Result<LogRef, ErrorCode>,
    offset: Offset,
    bytes_max: usize,
    leader_epoch: i32,
    isolation: Isolation,
}

/// What became of it.
#[derive(Clone, Default)]
struct Read {
    error: Option<ErrorCode>,
    /// None beside an error: its answer tells no ends.
    view: Option<LogView>,
    slices: Vec<Bytes>,
    bytes: usize,
    /// Transactions whose records a committed reader drops.
    aborted: Vec<AbortedTransaction>,
}

impl Read {
    fn failed(error: ErrorCode) -> Read {
        Read { error: Some(error), ..Read::default() }
    }

    /// As the answer says it.
    fn seen(&self) -> Seen {
        Seen {
            high_watermark: self.view.map_or(-1, |view| view.high_watermark.0),
            log_start: self.view.map_or(-1, |view| view.start.0),
            has_records: self.bytes > 0,
            has_error: self.error.is_some(),
        }
    }
}

pub async fn handle(call: &Call, request: FetchRequest<'_>) -> Answer {
    let sessions = &call.broker.fetch_sessions;
    let refused = |error: ErrorCode| FetchResponse { error_code: error.code(), ..Default::default() };
    let (named, places, forgotten) = named(call.version, &request);
    let fetching = match sessions.begin(named, places, &forgotten, std::time::Instant::now()) {
        Ok(fetching) => fetching,
        Err(error) => return call.answer(&refused(error)),
    };
    let isolation = error_map::isolation(request.isolation_level);
    // Nobody but this broker has replicas.
    let is_replica = request.replica_id.max(request.replica_state.replica_id) >= 0;
    let wanted = wanted(call, &fetching, isolation, is_replica);
    let bytes_max = clamp(request.max_bytes).min(call.broker.settings.fetch_max_bytes);
    let bytes_min = clamp(request.min_bytes).min(bytes_max);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(FETCH_WAIT_MAX);
    let deadline = Instant::now() + wait;
    let patience = tail::Patience { bytes_min, bytes_max, deadline };
    let (reads, memory) = match tail::read(call, &wanted, patience).await {
        Some((reads, memory)) => (reads, Some(memory)),
        None => read_with_memory(call, &wanted, bytes_min, bytes_max, deadline).await,
    };
    for code in reads.iter().filter_map(|read| read.error) {
        call.broker.metrics.partition_failed(call.api, code);
    }
    call.broker.metrics.fetched(reads.iter().map(|read| read.bytes).sum());
    let seen: Vec<Seen> = reads.iter().map(Read::seen).collect();
    match sessions.end(&fetching, &seen, std::time::Instant::now()) {
        Ok(told) => Answer { memory, ..call.answer(&response(&fetching, &told, reads, isolation)) },
        Err(error) => call.answer(&refused(error)),
    }
}

/// What the request names, and what it forgets.
fn named(version: i16, request: &FetchRequest<'_>) -> (Named, Vec<(Place, Asked)>, Vec<Place>) {
    let uses_ids = version >= FIRST_VERSION_WITH_IDS;
    let key = |name: &str, id| if uses_ids { TopicKey::Id(id) } else { TopicKey::Name(name.into()) };
    let mut places = Vec::new();
    for asked in &request.topics {
        let topic = key(asked.topic, asked.topic_id);
        places.extend(asked.partitions.iter().map(|partition| {
            let asked = Asked {
                offset: partition.fetch_offset,
                bytes_max: partition.partition_max_bytes,
                leader_epoch: partition.current_leader_epoch,
            };
            (Place { topic: topic.clone(), partition: partition.partition }, asked)
        }));
    }
    let mut forgotten = Vec::new();
    for given_up in &request.forgotten_topics_data {
        let topic = key(given_up.topic, given_up.topic_id);
        forgotten.extend(given_up.partitions.iter().map(|&partition| Place { topic: topic.clone(), partition }));
    }
    (Named { id: request.session_id, epoch: request.session_epoch, uses_ids }, once(places), forgotten)
}

/// A partition that is named twice is read once, from where it is named last, as in Kafka: a mention must not give the same records again.
fn once(places: Vec<(Place, Asked)>) -> Vec<(Place, Asked)> {
    let is_once = |places: &[(Place, Asked)]| {
        let mut named = HashSet::with_capacity(places.len());
        places.iter().all(|(place, _)| named.insert(place))
    };
    if places.len() < 2 || is_once(&places) {
        return places;
    }
    let mut kept: Vec<(Place, Asked)> = Vec::with_capacity(places.len());
    let mut kept_at = HashMap::new();
    for (place, asked) in places {
        if let Some(&at) = kept_at.get(&place) {
            kept[at] = (place, asked);
        } else {
            kept_at.insert(place.clone(), kept.len());
            kept.push((place, asked));
        }
    }
    kept
}

/// Reads with memory that was reserved before, and waits without it, until there is enough or the deadline has come.
async fn read_with_memory(
    call: &Call,
    wanted: &[Wanted],
    bytes_min: usize,
    bytes_max: usize,
    deadline: Instant,
) -> (Vec<Read>, Option<AnswerMemory>) {
    let asked = wanted.iter().map(|wanted| wanted.bytes_max).fold(0, usize::saturating_add).min(bytes_max);
    // The size of a first batch that did not fit into what was reserved.
    let mut first_batch_bytes = 0;
    loop {
        let Some(mut memory) = reserve(call, asked, first_batch_bytes).await else {
            return (read_all(call, wanted, Limit::NOTHING).await, None);
        };
        let limit = Limit { bytes: memory.bytes(), disk_bytes: memory.bytes(), first_whole: true };
        let reads = read_all(call, wanted, limit).await;
        let bytes: usize = reads.iter().map(|read| read.bytes).sum();
        if bytes > memory.bytes() {
            first_batch_bytes = bytes;
            continue;
        }
        let over = wanted.is_empty() || call.broker.is_draining() || Instant::now() >= deadline;
        let enough = bytes_min.min(memory.bytes());
        if over || bytes >= enough || reads.iter().any(|read| read.error.is_some()) {
            memory.shrink(bytes);
            return (reads, Some(memory));
        }
        drop(memory);
        wait_for_more(call, wanted, &reads, enough - bytes, deadline).await;
    }
}

fn wanted(call: &Call, fetching: &Fetching, isolation: Isolation, is_replica: bool) -> Vec<Wanted> {
    let catalog = call.broker.catalog();
    let log_of = |topic: &Result<Arc<Topic>, ErrorCode>, partition| {
        let log = call.broker.led_log_in(topic.as_ref().map_err(|error| *error)?, partition)?;
        if is_replica { Err(ErrorCode::NotLeaderOrFollower) } else { Ok(log) }
    };
    let mut wanted = Vec::with_capacity(fetching.places.len());
    for of_topic in fetching.places.chunk_by(|(one, _), (other, _)| one.topic == other.topic) {
        let topic = find_topic(&catalog, &of_topic[0].0.topic);
        wanted.extend(of_topic.iter().map(|(place, asked)| Wanted {
            log: log_of(&topic, place.partition),
            offset: Offset(asked.offset),
            bytes_max: clamp(asked.bytes_max),
            leader_epoch: asked.leader_epoch,
            isolation,
        }));
    }
    wanted
}

/// By name or by id. A topic that was deleted and made again has another id, so that a reader of the old one notices.
fn find_topic(catalog: &Catalog, key: &TopicKey) -> Result<Arc<Topic>, ErrorCode> {
    match key {
        TopicKey::Name(name) => catalog.topic(name).cloned().ok_or(ErrorCode::UnknownTopicOrPartition),
        TopicKey::Id(id) => catalog.topic_by_id(*id).cloned().ok_or(ErrorCode::UnknownTopicId),
    }
}

/// Takes memory for the records before they are read: when slow readers hold the budget, answers become small, at last they wait. None after a
/// wait that was in vain.
async fn reserve(call: &Call, asked: usize, least: usize) -> Option<AnswerMemory> {
    let reserving = call.broker.answers.reserve(asked, least, &call.client.answers);
    tokio::time::timeout(ANSWER_MEMORY_WAIT_MAX, reserving).await.ok()
}

/// What a read of several partitions may give.
#[derive(Clone, Copy)]
struct Limit {
    bytes: usize,
    /// Of them from the disk: what does not fit into the answer would be read for nothing.
    disk_bytes: usize,
    /// The first batch is given even if it is larger.
    first_whole: bool,
}

impl Limit {
    /// No records, only the ends.
    const NOTHING: Limit = Limit { bytes: 0, disk_bytes: 0, first_whole: false };
}

/// Reads everything once. Every shard reads its part in order, all at the same time, each within the whole budget, and from the disk within a
/// part of it.
async fn read_all(call: &Call, wanted: &[Wanted], limit: Limit) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::with_capacity(wanted.len());
    let mut shards: BTreeMap<ShardId, Vec<(usize, Wanted, LogRef)>> = BTreeMap::new();
    for (index, wanted) in wanted.iter().enumerate() {
        // Until its shard has answered. One that is gone leaves its partitions unknown, and the client looks for another leader.
        reads.push(Read::failed(wanted.log.err().unwrap_or(ErrorCode::UnknownTopicOrPartition)));
        if let Ok(log) = wanted.log {
            shards.entry(log.shard).or_default().push((index, *wanted, log));
        }
    }
    let limit = Limit { disk_bytes: limit.bytes / shards.len().max(1), ..limit };
    let here = call.broker.core.shard();
    let mut elsewhere = Vec::with_capacity(shards.len());
    let mut local = None;
    for (shard, part) in shards {
        if shard == here {
            local = Some(part);
        } else {
            elsewhere.push(call.broker.core.on(shard, move |core| async move { read_part(&core, part, limit).await }));
        }
    }
    if let Some(part) = local {
        place(&mut reads, read_part(&call.broker.core, part, limit).await);
    }
    for part in elsewhere {
        if let Ok(part) = part.await {
            place(&mut reads, part);
        }
    }
    apply_size_rule(&mut reads, limit.bytes);
    reads
}

fn place(reads: &mut [Read], part: Vec<(usize, Read)>) {
    for (index, read) in part {
        reads[index] = read;
    }
}

/// In request order: the first partition with records keeps them whatever their size, later ones only while the budget lasts.
fn apply_size_rule(reads: &mut [Read], bytes_max: usize) {
    let mut bytes = 0;
    for read in reads {
        if bytes > 0 && bytes + read.bytes > bytes_max {
            read.slices.clear();
            read.aborted.clear();
            read.bytes = 0;
        }
        bytes += read.bytes;
    }
}

/// Ends at the deadline, at a stop, or when some shard has its share of the missing bytes. If all shards together have enough, one of them
/// has at least the mean; so nothing is missed, and the caller reads again and decides.
async fn wait_for_more(call: &Call, wanted: &[Wanted], reads: &[Read], missing: usize, deadline: Instant) {
    let mut shards: BTreeMap<ShardId, Vec<(LogId, Offset)>> = BTreeMap::new();
    let isolation = wanted.first().map(|wanted| wanted.isolation).unwrap_or_default();
    for (wanted, read) in wanted.iter().zip(reads) {
        if let (Ok(log), Some(view)) = (wanted.log, read.view) {
            shards.entry(log.shard).or_default().push((log.log, view.end_for(isolation)));
        }
    }
    let share = missing.div_ceil(shards.len().max(1)).max(1);
    let left = deadline.saturating_duration_since(Instant::now());
    let mut waits: Vec<_> = shards
        .into_iter()
        .map(|(shard, logs)| Box::pin(call.broker.core.wait_for_records(shard, logs, share, left, isolation)))
        .collect();
    let any = std::future::poll_fn(|context| {
        let ready = waits.iter_mut().any(|wait| wait.as_mut().poll(context).is_ready());
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    tokio::select! {
        () = call.broker.drained() => {}
        // At the deadline the caller answers what there is.
        () = tokio::time::sleep_until(deadline) => {}
        () = any => {}
    }
}

fn response<'a>(fetching: &'a Fetching, told: &Told, reads: Vec<Read>, isolation: Isolation) -> FetchResponse<'a> {
    let mut responses: Vec<FetchableTopicResponse<'a>> = Vec::new();
    let mut last = None;
    let told_places = fetching.places.iter().zip(&told.places).zip(reads).filter(|((_, is_told), _)| **is_told);
    for (((place, _), _), read) in told_places {
        if last != Some(&place.topic) {
            let (topic, topic_id) = match &place.topic {
                TopicKey::Name(name) => (&**name, Uuid::nil()),
                TopicKey::Id(id) => ("", *id),
            };
            responses.push(FetchableTopicResponse { topic, topic_id, partitions: Vec::new() });
            last = Some(&place.topic);
        }
        let topic = responses.last_mut().expect("one was just put there");
        topic.partitions.push(partition_data(place.partition, read, isolation));
    }
    FetchResponse { session_id: told.session_id, responses, ..Default::default() }
}

fn partition_data<'a>(partition_index: i32, read: Read, isolation: Isolation) -> PartitionData<'a> {
    let seen = read.seen();
    let is_elsewhere = matches!(read.error, Some(ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId));
    let aborted = read.aborted.iter().map(|aborted| fetch::AbortedTransaction {
        producer_id: aborted.producer_id,
        first_offset: aborted.first_offset.0,
    });
    PartitionData {
        partition_index,
        error_code: read.error.unwrap_or(ErrorCode::None).code(),
        high_watermark: seen.high_watermark,
        last_stable_offset: read.view.map_or(-1, |view| view.last_stable_offset.0),
        log_start_offset: seen.log_start,
        // Whoever reads everything is told of none; a partition that is not here has an empty list, as in Kafka.
        aborted_transactions: (isolation == Isolation::Committed || is_elsewhere).then(|| aborted.collect()),
        records: Some(Records::Shared(read.slices)),
        ..Default::default()
    }
}

fn clamp(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(sizes: &[usize], bytes_max: usize) -> Vec<usize> {
        let mut reads: Vec<_> = sizes.iter().map(|bytes| Read { bytes: *bytes, ..Read::default() }).collect();
        apply_size_rule(&mut reads, bytes_max);
        reads.iter().map(|read| read.bytes).collect()
    }

    #[test]
    fn a_partition_that_is_named_twice_is_read_once_from_where_it_is_named_last() {
        let named = |of: &[(&str, i32, i64)]| -> Vec<(Place, Asked)> {
            let place = |topic: &str, partition| Place { topic: TopicKey::Name(topic.into()), partition };
            let asked = |offset| Asked { offset, bytes_max: 1, leader_epoch: -1 };
            of.iter().map(|&(topic, partition, offset)| (place(topic, partition), asked(offset))).collect()
        };
        let twice = [("a", 0, 1), ("b", 0, 2), ("a", 0, 3), ("a", 1, 4), ("b", 0, 5)];
        assert_eq!(once(named(&twice)), named(&[("a", 0, 3), ("b", 0, 5), ("a", 1, 4)]));
        assert_eq!(once(named(&twice[..2])), named(&twice[..2]));
    }

    #[test]
    fn the_first_partition_with_records_is_never_cut_and_later_ones_fit() {
        assert_eq!(kept(&[0, 900, 50, 60], 100), [0, 900, 0, 0]);
        assert_eq!(kept(&[40, 70, 50, 10], 100), [40, 0, 50, 10]);
        assert_eq!(kept(&[], 100), [0; 0]);
    }
}
