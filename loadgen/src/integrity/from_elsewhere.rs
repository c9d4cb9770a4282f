//! Accounts that come from another process: believed only when a client can have made them.

use super::{AckLedger, PartitionSeen, RangeSet, Seen};

/// No run comes to a number beyond this one, nor do sums of so few overflow.
const SEQUENCE_MAX: u64 = 1 << 48;

impl From<RangeSet> for Vec<(u64, u64)> {
    fn from(set: RangeSet) -> Self {
        set.ranges
    }
}

impl TryFrom<Vec<(u64, u64)>> for RangeSet {
    type Error = &'static str;

    /// Ranges that come from elsewhere are believed only when they are what `push` makes, gaps apart.
    fn try_from(ranges: Vec<(u64, u64)>) -> Result<Self, Self::Error> {
        let mut floor = 0;
        for &(start, end) in &ranges {
            if start < floor || start >= end || end > SEQUENCE_MAX {
                return Err("ranges of sequence numbers are not ascending");
            }
            floor = end;
        }
        Ok(Self { ranges })
    }
}

impl AckLedger {
    /// Whether it can have come from a producer: only numbers that were produced are acknowledged.
    pub fn is_consistent(&self) -> bool {
        self.produced <= SEQUENCE_MAX && self.acked.end().max(self.aborted.end()) <= self.produced
    }
}

impl PartitionSeen {
    /// Whether it can have come from a consumer of this partition: the counts are of records that were read, and gaps lie before what
    /// was read last.
    pub fn is_consistent(&self, run: u32, partition: u32, producers: usize) -> bool {
        let consistent = |seen: &Seen| {
            let counted = seen.duplicate.saturating_add(seen.out_of_order) <= seen.consumed;
            counted
                && seen.late.len() as u64 <= seen.out_of_order
                && seen.consumed <= SEQUENCE_MAX
                && seen.gaps.end() <= seen.next
                && seen.unknown.is_none_or(|(start, end)| seen.gaps.end() <= start && start < end && end <= seen.next)
        };
        (self.runs.as_slice(), self.partition) == (&[run][..], partition)
            && (self.producers_each, self.producers.len()) == (producers, producers)
            && self.corrupt.max(self.phantom) <= SEQUENCE_MAX
            && self.producers.iter().all(consistent)
    }

    /// Takes back what was read of a producer whose own account is lost: there is nothing to hold it against.
    pub fn forget_producer(&mut self, producer: u32) {
        if let Some(seen) = self.producers.get_mut(producer as usize) {
            *seen = Seen::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::Tally;

    #[test]
    fn accounts_from_elsewhere_are_believed_only_when_a_client_can_have_made_them() {
        let ledger = |text: &str| serde_json::from_str::<AckLedger>(text).is_ok_and(|ledger| ledger.is_consistent());
        assert!(ledger(r#"{"produced": 9, "acked": [[0, 4], [4, 5], [7, 9]]}"#));
        for text in [
            r#"{"produced": 9, "acked": [[0, 10]]}"#,
            r#"{"produced": 9, "acked": [[4, 6], [0, 2]]}"#,
            r#"{"produced": 9, "acked": [[3, 3]]}"#,
            r#"{"produced": 18446744073709551615, "acked": []}"#,
        ] {
            assert!(!ledger(text), "{text}");
        }
        let mut seen = PartitionSeen::new(&[9], 4, 2);
        seen.producers[1].note(5);
        let text = serde_json::to_string(&seen).expect("plain");
        let back: PartitionSeen = serde_json::from_str(&text).expect("our own");
        assert!(back.is_consistent(9, 4, 2) && !back.is_consistent(9, 3, 2) && !back.is_consistent(9, 4, 1));
        let lie = text.replace("\"consumed\":1", "\"consumed\":0").replace("\"duplicate\":0", "\"duplicate\":1");
        let lie: PartitionSeen = serde_json::from_str(&lie).expect("well formed");
        assert!(!lie.is_consistent(9, 4, 2));
    }

    #[test]
    fn a_producer_without_an_account_is_not_judged() {
        let mut seen = PartitionSeen::new(&[9], 4, 2);
        seen.producers[0].note(0);
        seen.producers[1].note(5);
        seen.forget_producer(1);
        let mut ledger = AckLedger { produced: 1, ..AckLedger::default() };
        ledger.acked.push(0, 1);
        let mut tally = Tally::default();
        tally.settle(&[&ledger, &AckLedger::default()], Some(&seen));
        assert!(tally.passes());
        assert_eq!((tally.consumed, tally.produced), (1, 1));
    }
}
