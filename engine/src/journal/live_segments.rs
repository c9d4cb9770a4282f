//! Which segment files are alive: the list in each checkpoint, and the replacements that follow it.

use std::collections::BTreeMap;

use super::field::{u32_at, u64_at};
use crate::offset::{Offset, SegmentSequence};

/// Bytes of a segment's name in a payload.
pub const SEGMENT_NAME_BYTES: usize = 12;

/// One life of a segment. Generation 0 is the journal's own; every other one is a clustered segment, and no two of a shard are alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SegmentName {
    /// Its place in the order of segments.
    pub sequence: SegmentSequence,
    /// Which writing of it.
    pub generation: u32,
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} generation {}", self.sequence.0, self.generation)
    }
}

/// Payload of a replacement entry: neighbouring segments, and what stands for them from here on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replacement {
    /// In order.
    pub victims: Vec<SegmentName>,
    /// Has the newest victim's place; None when nothing in the victims was alive.
    pub output: Option<SegmentName>,
}

impl Replacement {
    /// The payload (FORMAT.md).
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        encode_names(&self.victims, &mut payload);
        encode_names(self.output.as_slice(), &mut payload);
        payload
    }

    /// Reads a payload; None for one that encode cannot make.
    pub fn decode(payload: &[u8]) -> Option<Replacement> {
        let (victims, rest) = decode_names(payload)?;
        let (output, rest) = decode_names(rest)?;
        let newest = victims.last()?;
        let rises = victims.windows(2).all(|pair| pair[0].sequence < pair[1].sequence);
        let fits =
            output.iter().all(|output| output.sequence == newest.sequence && output.generation > newest.generation);
        let whole = rest.is_empty() && rises && fits && output.len() <= 1;
        whole.then(|| Replacement { output: output.first().copied(), victims })
    }
}

/// The live segments of a shard, by place.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct LiveSegments(BTreeMap<SegmentSequence, u32>);

impl LiveSegments {
    /// Adds one.
    pub fn insert(&mut self, name: SegmentName) {
        self.0.insert(name.sequence, name.generation);
    }

    /// Puts the output in the victims' place.
    pub fn replace(&mut self, replacement: &Replacement) {
        for victim in &replacement.victims {
            self.0.remove(&victim.sequence);
        }
        if let Some(output) = replacement.output {
            self.insert(output);
        }
    }

    /// Whether this very life of a segment is alive.
    pub fn holds(&self, name: SegmentName) -> bool {
        self.0.get(&name.sequence) == Some(&name.generation)
    }

    /// In order.
    pub fn names(&self) -> Vec<SegmentName> {
        self.0.iter().map(|(&sequence, &generation)| SegmentName { sequence, generation }).collect()
    }

    /// Payload of a segments entry (FORMAT.md).
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        encode_names(&self.names(), &mut payload);
        payload
    }

    /// Reads a payload; None for one that encode cannot make.
    pub fn decode(payload: &[u8]) -> Option<LiveSegments> {
        let (names, rest) = decode_names(payload)?;
        let rises = names.windows(2).all(|pair| pair[0].sequence < pair[1].sequence);
        (rest.is_empty() && rises)
            .then(|| LiveSegments(names.into_iter().map(|name| (name.sequence, name.generation)).collect()))
    }
}

/// Payload of a covered entry: the last offset.
pub fn encode_covered(last: Offset) -> [u8; 8] {
    last.0.to_le_bytes()
}

/// Reads the payload of a covered entry.
pub fn decode_covered(payload: &[u8]) -> Option<Offset> {
    let last = i64::from_le_bytes(payload.try_into().ok()?);
    (last < i64::MAX).then_some(Offset(last))
}

fn encode_names(names: &[SegmentName], into: &mut Vec<u8>) {
    into.extend_from_slice(&(names.len() as u32).to_le_bytes());
    for name in names {
        into.extend_from_slice(&name.sequence.0.to_le_bytes());
        into.extend_from_slice(&name.generation.to_le_bytes());
    }
}

/// A list of names and what follows it.
fn decode_names(payload: &[u8]) -> Option<(Vec<SegmentName>, &[u8])> {
    let (count, rest) = payload.split_first_chunk::<4>()?;
    let bytes = (u32::from_le_bytes(*count) as usize).checked_mul(SEGMENT_NAME_BYTES)?;
    let names = rest.get(..bytes)?;
    let name = |row: &[u8]| SegmentName { sequence: SegmentSequence(u64_at(row, 0)), generation: u32_at(row, 8) };
    Some((names.chunks_exact(SEGMENT_NAME_BYTES).map(name).collect(), &rest[bytes..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(sequence: u64, generation: u32) -> SegmentName {
        SegmentName { sequence: SegmentSequence(sequence), generation }
    }

    #[test]
    fn payloads_read_back_and_truncated_ones_do_not() {
        let swap = Replacement { victims: vec![name(3, 0), name(5, 2)], output: Some(name(5, 7)) };
        let drop = Replacement { victims: vec![name(3, 1)], output: None };
        for replacement in [swap, drop] {
            let payload = replacement.encode();
            assert_eq!(Replacement::decode(&payload), Some(replacement));
            for length in 0..payload.len() {
                assert_eq!(Replacement::decode(&payload[..length]), None);
            }
        }
        let mut live = LiveSegments::default();
        live.insert(name(3, 0));
        live.insert(name(9, 4));
        let payload = live.encode();
        assert_eq!(LiveSegments::decode(&payload), Some(live));
        assert_eq!(LiveSegments::decode(&payload[..payload.len() - 1]), None);
        assert_eq!(LiveSegments::decode(&u32::MAX.to_le_bytes()), None);
    }

    #[test]
    fn what_no_cleaner_writes_is_refused() {
        let wrong = [
            Replacement { victims: vec![], output: None },
            Replacement { victims: vec![name(5, 0), name(3, 0)], output: Some(name(3, 1)) },
            Replacement { victims: vec![name(3, 0)], output: Some(name(4, 1)) },
            Replacement { victims: vec![name(3, 2)], output: Some(name(3, 2)) },
        ];
        for replacement in wrong {
            assert_eq!(Replacement::decode(&replacement.encode()), None, "{replacement:?}");
        }
    }

    #[test]
    fn a_replaced_segment_is_not_alive() {
        let mut live = LiveSegments::default();
        for sequence in 1..=3 {
            live.insert(name(sequence, 0));
        }
        live.replace(&Replacement { victims: vec![name(1, 0), name(2, 0)], output: Some(name(2, 1)) });
        assert_eq!(live.names(), [name(2, 1), name(3, 0)]);
        assert!(!live.holds(name(2, 0)) && live.holds(name(2, 1)));
        live.replace(&Replacement { victims: vec![name(2, 1)], output: None });
        assert_eq!(live.names(), [name(3, 0)]);
    }
}
