//! The offsets that answers to Produce name: a broker gives each once, and to later batches later ones.

use serde::{Deserialize, Serialize};

/// What one producer was told of one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredOffsets {
    /// From the first offset to behind the last one; nothing yet when they are equal.
    first: i64,
    end: i64,
    /// Records in between that were acknowledged to this producer.
    records: u64,
    /// Batches that were given offsets at or before those of an earlier one.
    wrong: u64,
}

impl AnsweredOffsets {
    /// Notes an answer; answers come in the order of the batches. Of a repeated batch a broker may have forgotten where it is, and
    /// says -1.
    pub fn note(&mut self, base_offset: i64, records: u32) {
        if base_offset < 0 || records == 0 {
            return;
        }
        if self.records == 0 {
            (self.first, self.end) = (base_offset, base_offset);
        }
        self.wrong += u64::from(base_offset < self.end);
        self.first = self.first.min(base_offset);
        self.end = self.end.max(base_offset.saturating_add(i64::from(records)));
        self.records = self.records.saturating_add(u64::from(records));
    }

    /// Batches of a partition with wrong offsets, of all its producers. Where each was told an ascending order, more records than there
    /// are offsets between the first and the last still show that some were given twice; without a range for each batch kept, nobody
    /// can tell which, and they count as one.
    pub fn wrong_of_partition(producers: &[Self]) -> u64 {
        let told = || producers.iter().filter(|told| told.records > 0);
        let wrong = told().map(|told| told.wrong).fold(0, u64::saturating_add);
        let records = told().map(|told| told.records).fold(0, u64::saturating_add);
        let first = told().map(|told| told.first).min().unwrap_or(0);
        let end = told().map(|told| told.end).max().unwrap_or(0);
        if wrong == 0 { u64::from(records > end.abs_diff(first)) } else { wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answers: &[(i64, u32)]) -> AnsweredOffsets {
        let mut told = AnsweredOffsets::default();
        for &(base_offset, records) in answers {
            told.note(base_offset, records);
        }
        told
    }

    #[test]
    fn ascending_offsets_with_the_room_of_others_between_them_are_right() {
        let (a, b) = (told(&[(10, 5), (20, 5), (-1, 5), (30, 5)]), told(&[(15, 5), (25, 5)]));
        assert_eq!(AnsweredOffsets::wrong_of_partition(&[a, b, AnsweredOffsets::default()]), 0);
        assert_eq!(AnsweredOffsets::wrong_of_partition(&[]), 0);
    }

    #[test]
    fn offsets_that_fall_back_or_overlap_are_counted() {
        assert_eq!(AnsweredOffsets::wrong_of_partition(&[told(&[(0, 5), (5, 5), (0, 5), (10, 5)])]), 1, "back");
        assert_eq!(AnsweredOffsets::wrong_of_partition(&[told(&[(0, 5), (4, 5)])]), 1, "by one record");
        assert_eq!(
            AnsweredOffsets::wrong_of_partition(&[told(&[(i64::MAX, 5), (5, 5), (10, 5)])]),
            2,
            "beyond any end"
        );
    }

    #[test]
    fn offsets_given_to_two_producers_are_found() {
        let (a, b) = (told(&[(0, 5), (10, 5)]), told(&[(5, 5), (10, 5)]));
        assert_eq!(AnsweredOffsets::wrong_of_partition(&[a, b]), 1);
    }
}
