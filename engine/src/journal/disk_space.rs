//! `DiskSpace`: what a shard knows of the room that the file system has for its journal, as levels that are left only when clearly more
//! room is there. The file system is asked by a helper thread, when a segment is wanted, and again and again while room is short.

use crate::limits::{
    DISK_KEPT_SEGMENTS, DISK_LOW_SEGMENTS, DISK_ROOMY_SEGMENTS, RESERVE_SEGMENTS, RESERVE_SEGMENTS_LOW,
    SPARE_SEGMENTS_MAX,
};

/// What room in the journal is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoomFor {
    /// Something that grows the journal at a client's wish: refused on a full disk.
    Records,
    /// The broker's own state, such as committed offsets: small, and live only in its newest form. On a full disk it may use the reserve.
    State,
    /// A change that gives space back: it may use the last of the reserve too.
    Space,
}

/// How much room there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DiskLevel {
    /// Enough.
    Roomy,
    /// Little: the reserve is made larger, dead segments go back to the file system, and whoever frees space should hurry.
    Low,
    /// None for records of clients. State and deletions go on in the reserve.
    Full,
}

/// How long a disk without room is left alone before another look.
const LOOK_INTERVAL_NS: u64 = 500_000_000;

/// The levels of one shard.
#[derive(Debug)]
pub struct DiskSpace {
    shard: u32,
    segment_bytes: u64,
    /// They share the file system, and may each make a segment after the same look.
    shards: u64,
    is_low: bool,
    is_full: bool,
    /// The last look, or the attempt after it, gave no segment; None before the first look.
    is_refused: Option<bool>,
    is_looking: bool,
    next_look_ns: u64,
}

impl DiskSpace {
    /// Nothing is known before the first look.
    pub fn new(shard: u32, segment_bytes: u64, shards: u32) -> DiskSpace {
        DiskSpace {
            shard,
            segment_bytes,
            shards: u64::from(shards),
            is_low: false,
            is_full: false,
            is_refused: None,
            is_looking: false,
            next_look_ns: 0,
        }
    }

    /// The level.
    pub fn level(&self) -> DiskLevel {
        match (self.is_full, self.is_low) {
            (true, _) => DiskLevel::Full,
            (false, true) => DiskLevel::Low,
            (false, false) => DiskLevel::Roomy,
        }
    }

    /// Spare segments that are not for records of clients.
    pub fn reserve_segments(&self) -> usize {
        if self.is_low { RESERVE_SEGMENTS_LOW } else { RESERVE_SEGMENTS }
    }

    /// Dead segments beyond so many spares go back to the file system, where every shard can have them.
    pub fn spares_max(&self) -> usize {
        if self.is_low { RESERVE_SEGMENTS_LOW + 1 } else { SPARE_SEGMENTS_MAX }
    }

    /// There was no room for a segment when it was last wanted.
    pub fn is_refused(&self) -> bool {
        self.is_refused == Some(true)
    }

    /// Whether records must wait for the first look: what is left after a start may all be reserve.
    pub fn is_unknown(&self) -> bool {
        self.is_refused.is_none()
    }

    /// Whether the file system should be asked now.
    pub fn wants_look(&self, segment_is_wanted: bool, now_ns: u64) -> bool {
        let is_due = self.looks_again() && now_ns >= self.next_look_ns;
        !self.is_looking && (is_due || (segment_is_wanted && !self.is_refused()))
    }

    /// When a look is due although nothing happens.
    pub fn next_look_ns(&self) -> Option<u64> {
        (self.looks_again() && !self.is_looking).then_some(self.next_look_ns)
    }

    /// The question is on its way.
    pub fn look_begins(&mut self) {
        self.is_looking = true;
    }

    /// The answer, in bytes, and the spares that there are. Whether to make another segment.
    pub fn look_ended(&mut self, free_bytes: u64, spares: usize, now_ns: u64) -> bool {
        self.is_looking = false;
        self.next_look_ns = now_ns + LOOK_INTERVAL_NS;
        self.set_low(free_bytes);
        let is_wanted = spares <= self.reserve_segments();
        let makes = is_wanted && free_bytes >= self.needed_bytes(spares < self.reserve_segments());
        // The active segment that a start finds may be of the reserve: a start must not be a way around the level that was left behind.
        if self.is_unknown() && is_wanted && free_bytes < self.needed_bytes(false) {
            self.fill();
        }
        self.refuse(is_wanted && !makes, spares);
        makes
    }

    /// The segment was made, or there was no room for it after all.
    pub fn segment_made(&mut self, ok: bool, spares: usize, now_ns: u64) {
        self.next_look_ns = now_ns + LOOK_INTERVAL_NS;
        self.refuse(!ok, spares);
    }

    /// Records found no room: they are refused until there is a segment for them beside the reserve.
    pub fn fill(&mut self) {
        if !self.is_full {
            self.is_full = true;
            let shard = self.shard;
            tracing::warn!(shard, "no room for another journal segment, produce requests are refused until there is");
        }
    }

    /// So many spares are there now.
    pub fn spares_are(&mut self, spares: usize) {
        if self.is_full && spares > self.reserve_segments() {
            self.is_full = false;
            tracing::info!(shard = self.shard, "there is room for the journal again, produce requests are taken");
        }
    }

    fn looks_again(&self) -> bool {
        self.is_unknown() || self.is_low || self.is_full || self.is_refused()
    }

    /// A reserve that is in use already, with no room to make it whole, is not for records.
    fn refuse(&mut self, is_refused: bool, spares: usize) {
        self.is_refused = Some(is_refused);
        if is_refused && spares < self.reserve_segments() {
            self.fill();
        }
    }

    fn set_low(&mut self, free_bytes: u64) {
        let limit = if self.is_low { DISK_ROOMY_SEGMENTS } else { DISK_LOW_SEGMENTS };
        let is_low = free_bytes < limit * self.shards * self.segment_bytes;
        if is_low != self.is_low {
            self.is_low = is_low;
            let shard = self.shard;
            if is_low {
                tracing::warn!(shard, free_bytes, "little space is left on the disk");
            } else {
                tracing::info!(shard, free_bytes, "there is space on the disk again");
            }
        }
    }

    /// Free bytes that a segment asks for: itself, and what stays for indexes and all other small files. Once records were refused it
    /// takes more to begin with them again.
    fn needed_bytes(&self, is_for_reserve: bool) -> u64 {
        let kept_bytes = DISK_KEPT_SEGMENTS * self.shards * self.segment_bytes;
        self.segment_bytes
            + match (is_for_reserve, self.is_full) {
                (true, _) => self.segment_bytes / 8,
                (false, false) => kept_bytes,
                (false, true) => 2 * kept_bytes,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u64 = 1 << 20;

    fn look(space: &mut DiskSpace, free_segments: u64, spares: usize) -> bool {
        space.look_begins();
        space.look_ended(free_segments * SEGMENT, spares, 0)
    }

    #[test]
    fn a_low_disk_is_left_only_when_clearly_more_is_free() {
        let mut space = DiskSpace::new(0, SEGMENT, 1);
        look(&mut space, DISK_LOW_SEGMENTS, 2);
        assert_eq!((space.level(), space.reserve_segments()), (DiskLevel::Roomy, RESERVE_SEGMENTS));
        assert!(!space.wants_look(false, u64::MAX), "with room nobody asks without need");
        look(&mut space, DISK_LOW_SEGMENTS - 1, 2);
        assert_eq!((space.level(), space.reserve_segments()), (DiskLevel::Low, RESERVE_SEGMENTS_LOW));
        assert_eq!(space.next_look_ns(), Some(LOOK_INTERVAL_NS));
        look(&mut space, DISK_ROOMY_SEGMENTS - 1, 3);
        assert_eq!(space.level(), DiskLevel::Low);
        look(&mut space, DISK_ROOMY_SEGMENTS, 3);
        assert_eq!((space.level(), space.next_look_ns()), (DiskLevel::Roomy, None));
    }

    #[test]
    fn records_are_taken_again_when_a_segment_is_there_for_them_and_it_takes_more_to_make_one() {
        let mut space = DiskSpace::new(0, SEGMENT, 1);
        let enough = 1 + DISK_KEPT_SEGMENTS;
        assert!(look(&mut space, enough, RESERVE_SEGMENTS_LOW));
        assert!(!look(&mut space, enough - 1, RESERVE_SEGMENTS_LOW));
        assert_eq!(space.level(), DiskLevel::Low, "the segment that records are in is theirs still");
        space.fill();
        assert_eq!(space.level(), DiskLevel::Full);
        assert!(!look(&mut space, enough, RESERVE_SEGMENTS_LOW));
        assert!(look(&mut space, enough + DISK_KEPT_SEGMENTS, RESERVE_SEGMENTS_LOW));
        space.spares_are(RESERVE_SEGMENTS_LOW);
        assert_eq!(space.level(), DiskLevel::Full);
        space.spares_are(RESERVE_SEGMENTS_LOW + 1);
        assert_eq!(space.level(), DiskLevel::Low);
    }

    #[test]
    fn the_reserve_is_made_with_the_last_room_and_a_broken_one_is_no_room_for_records() {
        let mut space = DiskSpace::new(0, SEGMENT, 8);
        assert!(look(&mut space, 10, 0));
        assert!(look(&mut space, 2, 0), "for the reserve other shards' wishes do not count");
        assert_eq!(space.level(), DiskLevel::Low);
        assert!(!look(&mut space, 1, 0));
        assert_eq!(space.level(), DiskLevel::Full);
    }

    #[test]
    fn a_start_on_a_full_disk_begins_at_that_level() {
        let mut space = DiskSpace::new(0, SEGMENT, 1);
        assert!(space.is_unknown() && space.wants_look(false, 0));
        assert!(look(&mut space, 1 + DISK_KEPT_SEGMENTS, 0));
        assert_eq!(space.level(), DiskLevel::Low);
        let mut space = DiskSpace::new(0, SEGMENT, 2);
        assert!(look(&mut space, 2, 0), "the reserve is made");
        assert_eq!(space.level(), DiskLevel::Full);
    }
}
