//! What a commit's encoding promises.

use proptest::prelude::*;

use super::*;
use crate::batch::BATCH_HEADER_BYTES;
use crate::batch::tests::batch;

/// A batch as the broker stores it, and its entry.
fn stored_batch(base_offset: i64, leader_epoch: i32, records: i32, place: usize) -> (Entry, Vec<u8>) {
    let mut bytes = batch(records, 10, (-1, -1, -1), 1_000);
    let mut header = BatchHeader::parse(&bytes).expect("whole batch");
    header.place_at(base_offset, leader_epoch);
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(header.bytes());
    let entry = Entry {
        kind: EntryKind::Batch,
        log: LogId(7),
        base_offset: Offset(base_offset),
        last_offset_delta: (records - 1) as u32,
        count: records as u32,
        leader_epoch,
        max_timestamp: 1_000,
        place: place as u32,
        length: bytes.len() as u32,
        crc: header.crc(),
    };
    (entry, bytes)
}

fn bare(kind: EntryKind) -> Entry {
    Entry {
        kind,
        log: LogId(7),
        base_offset: Offset(3),
        last_offset_delta: 0,
        count: 0,
        leader_epoch: 2,
        max_timestamp: 0,
        place: 0,
        length: 0,
        crc: 0,
    }
}

fn encode_commit(entries: &[Entry], payloads: &[u8]) -> Vec<u8> {
    let table_place = HEADER_BYTES + payloads.len();
    let length = CommitHeader::commit_bytes(table_place, entries.len());
    let header = CommitHeader {
        flags: FLAG_CHECKPOINT,
        shard: ShardId(1),
        entry_count: entries.len() as u32,
        segment: SegmentSequence(2),
        position: JournalPosition(2 << 20),
        incarnation: Incarnation(3),
        sequence: CommitSequence(4),
        term: 0,
        durable_upto: JournalPosition(1 << 20),
        length: length as u32,
        table_place: table_place as u32,
        directory_id: Uuid::from_u128(99),
    };
    let mut table = Vec::new();
    encode_entries(entries, &mut table);
    let mut head = [0; HEADER_BYTES];
    header.encode(&table, &mut head);
    let mut commit = [&head, payloads, &table].concat();
    commit.resize(length, 0);
    commit
}

fn sample() -> (Vec<Entry>, Vec<u8>) {
    let (first, mut payloads) = stored_batch(0, 1, 3, HEADER_BYTES);
    let (second, bytes) = stored_batch(3, 1, 2, HEADER_BYTES + payloads.len());
    payloads.extend_from_slice(&bytes);
    let state = b"any bytes of a log state";
    let third = Entry {
        place: (HEADER_BYTES + payloads.len()) as u32,
        length: state.len() as u32,
        crc: checksum::crc32c(state),
        ..bare(EntryKind::LogState)
    };
    payloads.extend_from_slice(state);
    let start = Entry { place: second.place, ..bare(EntryKind::LogStart) };
    (vec![first, start, second, third], payloads)
}

#[test]
fn a_commit_reads_back_whatever_follows_it() {
    let (entries, payloads) = sample();
    let mut commit = encode_commit(&entries, &payloads);
    commit.extend_from_slice(&[0xee; 5000]);
    let (header, read) = decode(&commit).expect("intact");
    assert_eq!(read, entries);
    assert_eq!(header.sequence, CommitSequence(4));
    assert_eq!(read[0].last_offset(), Offset(2));
}

#[test]
fn a_commit_without_entries_is_a_commit() {
    let commit = encode_commit(&[], &[]);
    assert_eq!(commit.len(), BLOCK_BYTES);
    assert!(decode(&commit).expect("intact").1.is_empty());
}

#[test]
fn no_flipped_byte_and_no_prefix_passes() {
    let (entries, payloads) = sample();
    let commit = encode_commit(&entries, &payloads);
    for at in 0..commit.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = commit.clone();
            flipped[at] ^= bit;
            assert!(decode(&flipped).is_err(), "byte {at} bit {bit}");
        }
        assert!(decode(&commit[..at]).is_err(), "prefix {at}");
    }
}

#[test]
fn zeros_are_no_commit() {
    assert_eq!(decode(&[0; BLOCK_BYTES]), Err(CommitError::Magic));
}

#[test]
fn overlapping_reordered_and_distant_payloads_are_refused() {
    let (entries, payloads) = sample();
    let refuse = |change: &dyn Fn(&mut Vec<Entry>), error| {
        let mut changed = entries.clone();
        change(&mut changed);
        assert_eq!(decode(&encode_commit(&changed, &payloads)), Err(error));
    };
    refuse(&|entries| entries[2].place = entries[0].place, CommitError::Place);
    refuse(&|entries| entries.swap(0, 2), CommitError::Place);
    refuse(&|entries| entries.truncate(3), CommitError::Place);
    refuse(&|entries| entries[1].place = 0, CommitError::Place);
    refuse(&|entries| entries[3].length += 1, CommitError::Place);
    refuse(&|entries| entries[3].length = u32::MAX, CommitError::Place);
}

#[test]
fn a_batch_that_contradicts_its_entry_is_refused() {
    let (entries, payloads) = sample();
    let refuse = |change: &dyn Fn(&mut Entry), error| {
        let mut changed = entries.clone();
        change(&mut changed[0]);
        assert_eq!(decode(&encode_commit(&changed, &payloads)), Err(error));
    };
    refuse(&|entry| entry.base_offset = Offset(1), CommitError::BatchHeader);
    refuse(&|entry| entry.leader_epoch += 1, CommitError::BatchHeader);
    refuse(&|entry| entry.crc ^= 1, CommitError::BatchHeader);
    refuse(&|entry| entry.count += 1, CommitError::BatchHeader);
    refuse(&|entry| entry.last_offset_delta += 1, CommitError::BatchHeader);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..9000), magic in any::<bool>()) {
        if magic && bytes.len() > 14 {
            bytes[..8].copy_from_slice(&MAGIC);
            bytes[12..14].copy_from_slice(&VERSIONS.end().to_le_bytes());
        }
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn any_batches_read_back(records in proptest::collection::vec(1..20_i32, 0..40)) {
        let (mut entries, mut payloads, mut next) = (Vec::new(), Vec::new(), 0);
        for count in records {
            let (entry, bytes) = stored_batch(next, 0, count, HEADER_BYTES + payloads.len());
            next += i64::from(count);
            entries.push(entry);
            payloads.extend_from_slice(&bytes);
        }
        let commit = encode_commit(&entries, &payloads);
        prop_assert_eq!(decode(&commit).expect("intact").1, entries);
    }
}
