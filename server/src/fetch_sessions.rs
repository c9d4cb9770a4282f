//! `FetchSessions`: what the clients of a shard go on fetching, so that each request names only what changes, and each answer only what changed
//! (KIP-227). A session is a convenience: one that is not found, here or on another shard, makes its client ask in full.

mod session;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Instant;

use protocol::error_code::ErrorCode;

use self::session::Session;
pub use self::session::{Asked, Place, Seen, TopicKey};
use crate::limits::{FETCH_SESSION_PARTITION_BYTES, FETCH_SESSION_PROTECTED};

/// Epochs of a request that names all that it wants: without a session, and for a new one.
const SESSIONLESS: i32 = -1;
const NEW_SESSION: i32 = 0;
/// The id of no session.
const NONE: i32 = 0;

/// What a request says of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The session's id, or 0.
    pub id: i32,
    /// The epoch that its next request has.
    pub epoch: i32,
    /// Topics are named by id, not by name: a session does not change that.
    pub uses_ids: bool,
}

/// How many sessions, and how many partitions in all of them.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// `max.incremental.fetch.session.cache.slots`, this shard's part.
    pub sessions: usize,
    /// Partitions of all sessions.
    pub partitions: usize,
}

/// A fetch under way.
pub struct Fetching {
    /// What it reads, in the order in which it is served.
    pub places: Vec<(Place, Asked)>,
    kind: Kind,
}

enum Kind {
    Sessionless,
    New { uses_ids: bool },
    GoesOn { session: Rc<RefCell<Session>>, epoch: i32 },
}

/// What the answer tells.
#[derive(PartialEq, Eq, Debug)]
pub struct Told {
    /// The session to go on with, or 0.
    pub session_id: i32,
    /// Which places are in the answer.
    pub places: Vec<bool>,
}

/// The sessions of one shard; local to its thread.
pub struct FetchSessions {
    cache: RefCell<Cache>,
}

struct Cache {
    room: Room,
    shard: u32,
    shard_count: u32,
    sessions: HashMap<i32, Rc<RefCell<Session>>>,
    /// Who was silent longest stands first.
    by_use: BTreeSet<(Instant, i32)>,
    /// A session that is worth less stands first. Kafka's order of consumers: by size.
    by_worth: BTreeSet<(usize, i32)>,
    partitions: usize,
}

impl FetchSessions {
    /// No session yet. Ids tell the shard, so that none is taken for another shard's.
    pub fn new(room: Room, shard: u32, shard_count: u32) -> FetchSessions {
        FetchSessions {
            cache: RefCell::new(Cache {
                room,
                shard,
                shard_count,
                sessions: HashMap::new(),
                by_use: BTreeSet::new(),
                by_worth: BTreeSet::new(),
                partitions: 0,
            }),
        }
    }

    /// What a request reads: all that it names, or what its session holds after the changes that it names.
    pub fn begin(
        &self,
        named: Named,
        places: Vec<(Place, Asked)>,
        forgotten: &[Place],
        now: Instant,
    ) -> Result<Fetching, ErrorCode> {
        let mut cache = self.cache.borrow_mut();
        // Names that no topic has may be of any length: nothing is kept of them.
        let is_keepable = places.iter().all(|(place, _)| place.topic.is_keepable());
        if matches!(named.epoch, SESSIONLESS | NEW_SESSION) {
            cache.remove(named.id);
            let is_new = named.epoch == NEW_SESSION && is_keepable;
            let kind = if is_new { Kind::New { uses_ids: named.uses_ids } } else { Kind::Sessionless };
            return Ok(Fetching { places, kind });
        }
        let session = cache.sessions.get(&named.id).cloned().ok_or(ErrorCode::FetchSessionIdNotFound)?;
        session.borrow().check(named.epoch, named.uses_ids)?;
        cache.take_out(&session.borrow());
        if !is_keepable {
            cache.sessions.remove(&named.id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        session.borrow_mut().change(&places, forgotten);
        let size = session.borrow().len();
        if size == 0 {
            cache.sessions.remove(&named.id);
            return Ok(Fetching { places, kind: Kind::Sessionless });
        }
        if cache.partitions + size > cache.room.partitions {
            cache.sessions.remove(&named.id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        let (places, epoch) = session.borrow_mut().go_on(now);
        cache.put_in(&session.borrow());
        Ok(Fetching { places, kind: Kind::GoesOn { session, epoch } })
    }

    /// What the answer tells of what was seen at each place, in the order of the fetch.
    pub fn end(&self, fetching: &Fetching, seen: &[Seen], now: Instant) -> Result<Told, ErrorCode> {
        let all = |session_id| Told { session_id, places: vec![true; seen.len()] };
        match &fetching.kind {
            Kind::Sessionless => Ok(all(NONE)),
            Kind::New { uses_ids } => {
                Ok(all(self.cache.borrow_mut().create(&fetching.places, seen, *uses_ids, now).unwrap_or(NONE)))
            }
            Kind::GoesOn { session, epoch } => {
                let mut session = session.borrow_mut();
                if session.epoch() != *epoch {
                    // Its client asked again meanwhile, and believes that answer.
                    return Err(ErrorCode::InvalidFetchSessionEpoch);
                }
                let places = fetching.places.iter().zip(seen).map(|((place, _), seen)| session.tells(place, *seen));
                let places = places.collect();
                Ok(Told { session_id: session.id, places })
            }
        }
    }

    /// Memory of all sessions, about.
    pub fn memory_bytes(&self) -> usize {
        self.cache.borrow().partitions * FETCH_SESSION_PARTITION_BYTES
    }
}

impl Cache {
    /// None where there is no room, or nothing to go on with.
    fn create(&mut self, places: &[(Place, Asked)], seen: &[Seen], uses_ids: bool, now: Instant) -> Option<i32> {
        let mut session = Session::new(self.unused_id(), uses_ids, now);
        session.change(places, &[]);
        let size = session.len();
        if size == 0 || size > self.room.partitions || self.room.sessions == 0 {
            return None;
        }
        for evicted in self.evicted_for(size, now)? {
            self.remove(evicted);
        }
        for ((place, _), seen) in places.iter().zip(seen) {
            session.tells(place, *seen);
        }
        let id = session.id;
        self.put_in(&session);
        self.sessions.insert(id, Rc::new(RefCell::new(session)));
        Some(id)
    }

    /// Whose places a session of that size may take: of those that were silent for long, then of those that are smaller and not young, as many
    /// as it needs. None where all of them are too few: then all of them stay.
    fn evicted_for(&self, size: usize, now: Instant) -> Option<Vec<i32>> {
        let is_long_ago = |at: Instant| now.saturating_duration_since(at) > FETCH_SESSION_PROTECTED;
        let silent = self.by_use.iter().take_while(|(used_at, _)| is_long_ago(*used_at)).map(|&(_, id)| id);
        let smaller = self.by_worth.range(..(size, NONE)).map(|&(_, id)| id).filter(|id| {
            let session = self.sessions[id].borrow();
            is_long_ago(session.created_at) && !is_long_ago(session.used_at)
        });
        let mut candidates = silent.chain(smaller);
        let (mut sessions, mut partitions) = (self.sessions.len(), self.partitions);
        let mut evicted = Vec::new();
        while sessions >= self.room.sessions || partitions + size > self.room.partitions {
            let id = candidates.next()?;
            (sessions, partitions) = (sessions - 1, partitions - self.sessions[&id].borrow().len());
            evicted.push(id);
        }
        Some(evicted)
    }

    fn unused_id(&self) -> i32 {
        loop {
            let random = rand::random_range(1..i32::MAX / self.shard_count.cast_signed());
            let id = random * self.shard_count.cast_signed() + self.shard.cast_signed();
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.take_out(&session.borrow());
        }
    }

    fn put_in(&mut self, session: &Session) {
        self.by_use.insert((session.used_at, session.id));
        self.by_worth.insert((session.len(), session.id));
        self.partitions += session.len();
    }

    fn take_out(&mut self, session: &Session) {
        self.by_use.remove(&(session.used_at, session.id));
        self.by_worth.remove(&(session.len(), session.id));
        self.partitions -= session.len();
    }
}

#[cfg(test)]
mod tests;
