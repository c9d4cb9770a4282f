//! `FairQueue`: appends that wait for room. Sources share the room evenly, by bytes; the appends of one source keep their order.
//!
//! Fair queueing by finish: an append's place is where its source would be if every source were served a byte at a time, turn about. So a
//! source that asks for little waits for about as much of every other source as it asks for itself, however much of theirs waits.

use std::collections::{BTreeMap, HashMap};

/// Who appends: a connection, or the owner of a log of the broker's own. Unique in the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Source(u64);

impl Source {
    /// The source of this number on a shard.
    pub(super) fn of_shard(shard: u32, number: u64) -> Source {
        Source(u64::from(shard) << 48 | number)
    }
}

/// When something is served: at the least `finish`, and of equal ones the first that came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    finish: u64,
    arrival: u64,
}

struct Waiting<T> {
    source: Source,
    bytes: usize,
    item: T,
}

/// Where a source's newest item ends, and how many wait. It outlives the last one, or a source that comes back at once would pass the others
/// again and again.
struct Backlog {
    finish: u64,
    items: usize,
}

/// Sources without anything waiting that are remembered beside twice those with something; those that no longer matter are then forgotten.
const BACKLOGS_KEPT: usize = 64;

/// The queue.
pub struct FairQueue<T> {
    waiting: BTreeMap<Place, Waiting<T>>,
    backlogs: HashMap<Source, Backlog>,
    /// How far every waiting source would be if all were served turn about: where a source begins that has nothing waiting.
    reached: u64,
    /// Sources with something waiting.
    sources: u64,
    arrivals: u64,
    bytes: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        FairQueue { waiting: BTreeMap::new(), backlogs: HashMap::new(), reached: 0, sources: 0, arrivals: 0, bytes: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues an item behind those of its source. True if it is the next one of all.
    pub fn push(&mut self, source: Source, bytes: usize, item: T) -> bool {
        let reached = self.reached;
        if self.backlogs.len() > 2 * self.waiting.len() + BACKLOGS_KEPT {
            self.backlogs.retain(|_, backlog| backlog.items > 0 || backlog.finish > reached);
        }
        let backlog = self.backlogs.entry(source).or_insert(Backlog { finish: 0, items: 0 });
        // Whoever comes back after a silence gets no credit for it.
        backlog.finish = backlog.finish.max(reached) + bytes as u64;
        self.sources += u64::from(backlog.items == 0);
        backlog.items += 1;
        let place = Place { finish: backlog.finish, arrival: self.arrivals };
        self.arrivals += 1;
        self.bytes += bytes;
        self.waiting.insert(place, Waiting { source, bytes, item });
        self.waiting.first_key_value().is_some_and(|(first, _)| *first == place)
    }

    /// What is served next.
    pub fn first(&self) -> Option<&T> {
        self.waiting.first_key_value().map(|(_, waiting)| &waiting.item)
    }

    /// Takes what is served next.
    pub fn pop(&mut self) -> Option<T> {
        let (place, Waiting { source, bytes, item }) = self.waiting.pop_first()?;
        // Its share of these bytes is how far each source has come on; never short of where this one began, or large ones would wait for ever
        // for a stream of new sources.
        self.reached = (self.reached + (bytes as u64).div_ceil(self.sources)).max(place.finish - bytes as u64);
        self.bytes -= bytes;
        let backlog = self.backlogs.get_mut(&source).expect("a source has a backlog as long as something of it waits");
        backlog.items -= 1;
        self.sources -= u64::from(backlog.items == 0);
        if self.waiting.is_empty() {
            // All begin as equals.
            self.backlogs.clear();
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Source = Source(1);
    const QUIET: Source = Source(2);

    fn served(queue: &mut FairQueue<(u64, i32)>, count: usize) -> Vec<(u64, i32)> {
        (0..count).filter_map(|_| queue.pop()).collect()
    }

    #[test]
    fn a_quiet_source_passes_the_backlog_of_a_flood() {
        let mut queue = FairQueue::default();
        for number in 0..1000 {
            queue.push(FLOOD, 1_000_000, (1, number));
        }
        served(&mut queue, 500);
        assert!(queue.push(QUIET, 1_000, (2, 0)), "it is the next one");
        assert!(queue.push(QUIET, 1_000, (2, 1)) || queue.first() == Some(&(2, 0)));
        assert_eq!(served(&mut queue, 3), [(2, 0), (2, 1), (1, 500)]);
    }

    #[test]
    fn a_quiet_source_passes_a_crowd_of_floods() {
        let mut queue = FairQueue::default();
        for source in 10..210 {
            for number in 0..5 {
                queue.push(Source(source), 1_000_000, (source, number));
            }
        }
        served(&mut queue, 300);
        assert!(
            queue.push(QUIET, 1_000, (2, 0)),
            "before the second batch of the others, and before what is left of them"
        );
    }

    #[test]
    fn sources_that_always_wait_get_equal_bytes_and_keep_their_own_order() {
        let mut queue = FairQueue::default();
        for number in 0..400 {
            queue.push(FLOOD, 1_000_000, (1, number));
        }
        for number in 0..4000 {
            queue.push(QUIET, 100_000, (2, number));
        }
        let order = served(&mut queue, 1100);
        let bytes = |source: u64, each: usize| order.iter().filter(|(from, _)| *from == source).count() * each;
        assert!(bytes(1, 1_000_000).abs_diff(bytes(2, 100_000)) <= 1_000_000, "at most one batch apart");
        for source in [1, 2] {
            let own: Vec<i32> = order.iter().filter(|(from, _)| *from == source).map(|(_, number)| *number).collect();
            assert!(own.is_sorted(), "{source}");
        }
    }

    #[test]
    fn silence_gives_no_credit_and_the_past_is_no_debt() {
        let mut queue = FairQueue::default();
        for number in 0..100 {
            queue.push(FLOOD, 1_000, (1, number));
        }
        assert!(queue.push(QUIET, 100, (2, 0)));
        served(&mut queue, 101);
        assert!(queue.is_empty() && queue.bytes() == 0 && queue.backlogs.is_empty());
        // After both were silent they begin as equals.
        for number in 0..3 {
            queue.push(QUIET, 1_000, (2, number));
            queue.push(FLOOD, 1_000, (1, number));
        }
        assert_eq!(served(&mut queue, 6), [(2, 0), (1, 0), (2, 1), (1, 1), (2, 2), (1, 2)]);
    }

    #[test]
    fn a_source_that_always_comes_back_at_once_is_no_better_off() {
        let mut queue = FairQueue::default();
        queue.push(FLOOD, 1_000_000, (1, 0));
        queue.push(QUIET, 1_000_001, (2, 0));
        let mut served_before = 0;
        while queue.pop().is_some_and(|(source, _)| source == 1) {
            served_before += 1;
            queue.push(FLOOD, 1_000_000, (1, served_before));
        }
        assert_eq!(served_before, 1);
    }

    #[test]
    fn sources_that_went_away_are_forgotten_although_the_queue_is_never_empty() {
        let mut queue = FairQueue::default();
        queue.push(FLOOD, 1_000, (1, 0));
        for source in 10..10_000 {
            queue.push(Source(source), 1_000, (source, 0));
            queue.pop();
        }
        assert!(queue.backlogs.len() < 4 * BACKLOGS_KEPT, "{}", queue.backlogs.len());
    }
}
