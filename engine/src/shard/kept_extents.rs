//! `Kept`: how many extents stay in memory when readers are through with them, for those who come behind.
//!
//! A reader alone is fastest when the disk writes into the few buffers that the processor's caches still hold, so few are kept at first. Who asks
//! for an extent that was forgotten not long ago follows somebody: then more are kept, and for as long as that is of use.

use std::collections::VecDeque;

use crate::journal::reader::ExtentKey;
use crate::limits::READ_EXTENTS_KEPT_FEW;

pub(super) struct Kept {
    extents: usize,
    extents_max: usize,
    /// What would still be there if as many were kept as ever may; the oldest stands first.
    forgotten: VecDeque<ExtentKey>,
    forgotten_in_vain: usize,
}

impl Kept {
    pub fn new(extents_max: usize) -> Kept {
        Kept { extents: READ_EXTENTS_KEPT_FEW, extents_max, forgotten: VecDeque::new(), forgotten_in_vain: 0 }
    }

    /// So many are kept now.
    pub fn extents(&self) -> usize {
        self.extents
    }

    /// Somebody wants one that is not there. If it was forgotten too early, twice as many are kept.
    pub fn missed(&mut self, key: ExtentKey) {
        if let Some(at) = self.forgotten.iter().position(|forgotten| *forgotten == key) {
            self.forgotten.remove(at);
            self.extents = (self.extents * 2).min(self.extents_max);
            self.forgotten_in_vain = 0;
        }
    }

    /// One that was used is forgotten. When all that may be kept has passed and nobody missed any of it, an eighth less is kept.
    pub fn forgot(&mut self, key: ExtentKey) {
        if self.forgotten.len() == self.extents_max {
            self.forgotten.pop_front();
        }
        self.forgotten.push_back(key);
        self.forgotten_in_vain += 1;
        if self.forgotten_in_vain >= self.extents_max {
            self.extents = (self.extents - self.extents.div_ceil(8)).max(READ_EXTENTS_KEPT_FEW);
            self.forgotten_in_vain = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset::SegmentSequence;

    const MOST: usize = 128;

    fn extent(number: u32) -> ExtentKey {
        ExtentKey { segment: SegmentSequence(1), number }
    }

    #[test]
    fn more_are_kept_while_somebody_follows() {
        let mut kept = Kept::new(MOST);
        for number in 0..1_000 {
            kept.missed(extent(number));
            kept.forgot(extent(number));
        }
        assert_eq!(kept.extents(), READ_EXTENTS_KEPT_FEW, "what is new was never forgotten");
        kept.missed(extent(700));
        assert_eq!(kept.extents(), READ_EXTENTS_KEPT_FEW, "nor could it have been kept so long");
        kept.missed(extent(990));
        assert_eq!(kept.extents(), 2 * READ_EXTENTS_KEPT_FEW);
        kept.missed(extent(990));
        assert_eq!(kept.extents(), 2 * READ_EXTENTS_KEPT_FEW, "it is there now");
        for number in 950..980 {
            kept.missed(extent(number));
        }
        assert_eq!(kept.extents(), MOST);
    }

    #[test]
    fn fewer_are_kept_when_nobody_does_any_more() {
        let mut kept = Kept::new(MOST);
        kept.extents = MOST;
        (0..MOST as u32 - 1).for_each(|number| kept.forgot(extent(number)));
        assert_eq!(kept.extents(), MOST);
        kept.forgot(extent(500));
        assert_eq!(kept.extents(), MOST / 8 * 7);
        for number in 0..100 * MOST as u32 {
            kept.forgot(extent(1_000 + number));
        }
        assert_eq!((kept.extents(), kept.forgotten.len()), (READ_EXTENTS_KEPT_FEW, MOST), "and bounded");
    }
}
