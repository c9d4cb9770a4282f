//! `Session`: what one client goes on fetching, and what it was told last.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Instant;

use protocol::error_code::ErrorCode;
use uuid::Uuid;

use crate::limits::TOPIC_NAME_BYTES_MAX;

/// A topic as the request's version names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicKey {
    /// Before version 13.
    Name(Rc<str>),
    /// Since then.
    Id(Uuid),
}

impl TopicKey {
    /// Whether a topic can have it.
    pub(super) fn is_keepable(&self) -> bool {
        match self {
            TopicKey::Name(name) => name.len() <= TOPIC_NAME_BYTES_MAX,
            TopicKey::Id(_) => true,
        }
    }
}

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The topic.
    pub topic: TopicKey,
    /// The partition's index.
    pub partition: i32,
}

/// What is wanted of a partition, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// From here on.
    pub offset: i64,
    /// Bytes at most.
    pub bytes_max: i32,
    /// The epoch that the client knows, or -1.
    pub leader_epoch: i32,
}

/// What a fetch saw of a partition, as its answer says it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The high watermark, or -1.
    pub high_watermark: i64,
    /// The log start offset, or -1.
    pub log_start: i64,
    /// Records go along.
    pub has_records: bool,
    /// An error goes along.
    pub has_error: bool,
}

struct Cached {
    place: Place,
    asked: Asked,
    high_watermark: i64,
    log_start: i64,
}

/// See the module.
pub(super) struct Session {
    pub id: i32,
    pub created_at: Instant,
    pub used_at: Instant,
    uses_ids: bool,
    epoch: i32,
    /// In the order in which they are served.
    partitions: BTreeMap<u64, Cached>,
    turns: HashMap<Place, u64>,
    turns_given: u64,
}

/// 0 is for new sessions only.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

impl Session {
    pub fn new(id: i32, uses_ids: bool, now: Instant) -> Session {
        Session {
            id,
            created_at: now,
            used_at: now,
            uses_ids,
            epoch: next_epoch(0),
            partitions: BTreeMap::new(),
            turns: HashMap::new(),
            turns_given: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether a request may go on with it.
    pub fn check(&self, epoch: i32, uses_ids: bool) -> Result<(), ErrorCode> {
        if epoch != self.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if uses_ids == self.uses_ids { Ok(()) } else { Err(ErrorCode::FetchSessionTopicIdError) }
    }

    /// Adds, changes and forgets.
    pub fn change(&mut self, places: &[(Place, Asked)], forgotten: &[Place]) {
        for (place, asked) in places {
            match self.turns.get(place) {
                Some(turn) => self.partitions.get_mut(turn).expect("a turn has its partition").asked = *asked,
                None => self.append(Cached { place: place.clone(), asked: *asked, high_watermark: -1, log_start: -1 }),
            }
        }
        for place in forgotten {
            if let Some(turn) = self.turns.remove(place) {
                self.partitions.remove(&turn);
            }
        }
    }

    /// The next request: what it reads, and the epoch that its answer goes with.
    pub fn go_on(&mut self, now: Instant) -> (Vec<(Place, Asked)>, i32) {
        self.used_at = now;
        self.epoch = next_epoch(self.epoch);
        let places = self.partitions.values().map(|cached| (cached.place.clone(), cached.asked)).collect();
        (places, self.epoch)
    }

    /// Whether an answer tells of a place: of records, an error, and ends that moved. One that gave records is served last from now on, so that
    /// none starves behind those that always have some.
    pub fn tells(&mut self, place: &Place, seen: Seen) -> bool {
        let Some(turn) = self.turns.get(place) else { return true };
        let cached = self.partitions.get_mut(turn).expect("a turn has its partition");
        let moved = cached.high_watermark != seen.high_watermark || cached.log_start != seen.log_start;
        cached.log_start = seen.log_start;
        // After an error it is told again, whatever it is.
        cached.high_watermark = if seen.has_error { -1 } else { seen.high_watermark };
        if seen.has_records {
            let cached = self.partitions.remove(turn).expect("it was just there");
            self.append(cached);
        }
        moved || seen.has_records || seen.has_error
    }

    fn append(&mut self, cached: Cached) {
        self.turns.insert(cached.place.clone(), self.turns_given);
        self.partitions.insert(self.turns_given, cached);
        self.turns_given += 1;
    }
}
