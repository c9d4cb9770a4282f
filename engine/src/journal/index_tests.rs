//! What an index promises.

use super::*;
use proptest::prelude::*;

const SEGMENT: SegmentSequence = SegmentSequence(4);
const SHARD: ShardId = ShardId(1);
const DIRECTORY: Uuid = Uuid::from_u128(5);

fn run(base_offset: i64, records: u32, place: u32, length: u32) -> Run {
    Run {
        base_offset: Offset(base_offset),
        last_offset_delta: records - 1,
        place,
        length,
        leader_epoch: 0,
        max_timestamp: base_offset,
        crc_sum: place,
    }
}

fn sample() -> SegmentIndex {
    let mut builder = IndexBuilder::default();
    builder.add(LogId(9), run(100, 10, 4192, 50));
    builder.add(LogId(2), run(0, 5, 4242, 50));
    builder.add(LogId(9), run(110, 10, 4292, 50));
    builder.add(LogId(9), run(120, 10, 4342, 50));
    builder.build(SEGMENT, CommitSequence(8), 8192)
}

#[test]
fn neighbours_join_and_strangers_do_not() {
    let index = sample();
    assert_eq!(index.runs(LogId(9)).len(), 2);
    assert_eq!(index.runs(LogId(9))[1].length, 100);
    assert_eq!(index.runs(LogId(9))[1].last_offset(), Offset(129));
    assert_eq!(index.summaries()[1].bytes, 150);
    let mut builder = IndexBuilder::from(&index);
    builder.add(LogId(9), Run { leader_epoch: 1, ..run(130, 1, 4392, 50) });
    assert_eq!(builder.runs(LogId(9)).len(), 3, "another leader epoch");
}

#[test]
fn find_gives_the_run_that_ends_at_or_above_the_offset() {
    let index = sample();
    assert_eq!(index.find(LogId(9), Offset(0)), Some(0));
    assert_eq!(index.find(LogId(9), Offset(109)), Some(0));
    assert_eq!(index.find(LogId(9), Offset(110)), Some(1));
    assert_eq!(index.find(LogId(9), Offset(129)), Some(1));
    assert_eq!(index.find(LogId(9), Offset(130)), None);
    assert_eq!(index.find(LogId(3), Offset(0)), None);
}

#[test]
fn no_flipped_byte_and_no_prefix_changes_what_is_read() {
    let index = sample();
    let bytes = index.encode(SHARD, DIRECTORY);
    let content = HEADER_BYTES + 2 * SUMMARY_BYTES + 3 * RUN_BYTES;
    for at in 0..content {
        let mut flipped = bytes.clone();
        flipped[at] ^= 8;
        assert!(SegmentIndex::decode(&flipped, SEGMENT, SHARD, DIRECTORY).is_err(), "byte {at}");
        assert!(SegmentIndex::decode(&bytes[..at], SEGMENT, SHARD, DIRECTORY).is_err(), "prefix {at}");
    }
    assert_eq!(SegmentIndex::decode(&bytes, SEGMENT, SHARD, DIRECTORY), Ok(index));
}

#[test]
fn an_index_of_another_segment_shard_or_directory_is_foreign() {
    let bytes = sample().encode(SHARD, DIRECTORY);
    let foreign = Err(IndexError::Foreign);
    assert_eq!(SegmentIndex::decode(&bytes, SegmentSequence(5), SHARD, DIRECTORY), foreign);
    assert_eq!(SegmentIndex::decode(&bytes, SEGMENT, ShardId(0), DIRECTORY), foreign);
    assert_eq!(SegmentIndex::decode(&bytes, SEGMENT, SHARD, Uuid::nil()), foreign);
}

#[test]
fn the_summaries_are_read_from_the_head_alone() {
    let index = sample();
    let bytes = index.encode(SHARD, DIRECTORY);
    let needed = summaries_bytes(&bytes[..HEADER_BYTES]).expect("an index");
    let head = decode_summaries(&bytes[..needed], SEGMENT, SHARD, DIRECTORY).expect("intact");
    assert_eq!(head.summaries, index.summaries());
    assert_eq!((head.end_place, head.first_commit), (8192, CommitSequence(8)));
}

proptest! {
    #[test]
    fn any_index_reads_back(batches in proptest::collection::vec((0..5_u64, 1..9_u32, any::<bool>()), 0..200)) {
        let mut builder = IndexBuilder::default();
        let (mut next, mut place) = ([0_i64; 5], 4192);
        for (log, records, gap) in batches {
            builder.add(LogId(log), run(next[log as usize], records, place, 70));
            next[log as usize] += i64::from(records);
            place += 70 + if gap { 96 } else { 0 };
        }
        let index = builder.build(SEGMENT, CommitSequence(1), place);
        let bytes = index.encode(SHARD, DIRECTORY);
        prop_assert!(bytes.len() as u64 <= SegmentIndex::file_bytes_max(u64::from(place)).max(4096 * 4));
        prop_assert_eq!(&SegmentIndex::decode(&bytes, SEGMENT, SHARD, DIRECTORY).expect("intact"), &index);
        prop_assert_eq!(&IndexBuilder::from(&index), &builder);
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(SegmentIndex::decode(&bytes, SEGMENT, SHARD, DIRECTORY).is_err());
        if bytes.len() >= 8 {
            bytes[..8].copy_from_slice(&MAGIC);
            prop_assert!(SegmentIndex::decode(&bytes, SEGMENT, SHARD, DIRECTORY).is_err());
        }
    }
}
