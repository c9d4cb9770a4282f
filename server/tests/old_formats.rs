//! A directory of every older format is read whole, upgraded, and read whole again.

mod broker;

use std::path::Path;

use broker::requests::{committed, earliest, topics};
use broker::{Broker, Client, batch};
use protocol::compression::decompress;
use protocol::error_code::ErrorCode;
use protocol::record_batch::{HEADER_BYTES, batches, records};

#[test]
fn a_directory_of_format_1_is_read_whole() {
    let mut broker = Broker::start_on(|data| unpack("format-1.tar.gz", data), &["log.retention.ms=-1"]);
    for life in 0..3 {
        let mut client = broker.connect();
        let names: Vec<_> = topics(&mut client).into_iter().map(|(name, _, partitions)| (name, partitions)).collect();
        let expected = [("__consumer_offsets", 50), ("kept", 3), ("trimmed", 1)];
        assert_eq!(names, expected.map(|(name, partitions)| (name.to_owned(), partitions)));
        for partition in 0..3 {
            let found = read_all(&mut client, "kept", partition, 0);
            assert_eq!(found.len(), 300 + life);
            for (at, (offset, timestamp, value)) in (0..).zip(&found[..300]) {
                assert_eq!((*offset, *timestamp), (at, 1_700_000_000_000 + at));
                assert_eq!(*value, format!("kept-{partition}-{at}-{}", "x".repeat(1500)));
            }
            let next = client.produce("kept", partition, &batch(&["new"]));
            assert_eq!(next, (0, 300 + life as i64));
        }
        assert_eq!(earliest(&mut client, "trimmed", 0), 635);
        assert_eq!(client.fetch("trimmed", 0, 634).0, ErrorCode::OffsetOutOfRange.code());
        let trimmed = read_all(&mut client, "trimmed", 0, 635);
        assert_eq!(trimmed.first().map(|(offset, _, _)| *offset), Some(635));
        assert_eq!(trimmed.last().map(|(offset, _, _)| *offset), Some(999));
        let offsets: Vec<_> =
            committed(&mut client, "readers").into_iter().map(|(at, offset, _)| (at, offset)).collect();
        assert_eq!(offsets, [(0, 100), (1, 101), (2, 102)]);
        if life == 0 {
            broker.kill_and_restart();
        } else {
            broker.stop_and_restart();
        }
    }
}

#[test]
fn a_directory_of_format_2_is_read_whole() {
    let mut broker = Broker::start_on(|data| unpack("format-2.tar.gz", data), &["log.retention.ms=-1"]);
    for life in 0..3 {
        let mut client = broker.connect();
        for partition in 0..3 {
            let found = read_all(&mut client, "kept", partition, 0);
            assert_eq!(found.len(), 300 + life);
            for (at, (offset, timestamp, value)) in (0..).zip(&found[..300]) {
                assert_eq!((*offset, *timestamp), (at, 1_700_000_000_000 + at));
                assert_eq!(*value, format!("kept-{partition}-{at}-{}", "x".repeat(1500)));
            }
            let next = client.produce("kept", partition, &batch(&["new"]));
            assert_eq!(next, (0, 300 + life as i64));
        }
        // The clustered segments, and the holes that compaction left.
        let newest = read_all(&mut client, "newest", 0, 0);
        assert!((20..1_010).contains(&newest.len()), "{} records", newest.len());
        for (offset, timestamp, value) in &newest {
            assert_eq!(*timestamp, 1_700_000_000_000 + offset);
            assert_eq!(*value, format!("newest-{offset}-{}", "y".repeat(500)));
        }
        let last: Vec<i64> = newest[newest.len() - 20..].iter().map(|(offset, _, _)| *offset).collect();
        assert_eq!(last, (990..1_010).collect::<Vec<_>>(), "the newest of every key");
        let offsets: Vec<_> =
            committed(&mut client, "readers").into_iter().map(|(at, offset, _)| (at, offset)).collect();
        assert_eq!(offsets, [(0, 100), (1, 101), (2, 102)]);
        if life == 0 {
            broker.kill_and_restart();
        } else {
            broker.stop_and_restart();
        }
    }
}

/// Puts the archive's directory where the broker looks for its data.
fn unpack(archive: &str, data: &Path) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_formats").join(archive);
    let packed = std::fs::File::open(path).expect("the archive is part of the source");
    let parent = data.parent().expect("it lies in a temporary directory");
    tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(parent).expect("a whole archive");
    assert!(data.join("meta").exists(), "archives hold a directory named data");
}

/// Offset, timestamp and value of every record from an offset on, through every codec.
fn read_all(client: &mut Client, topic: &str, partition: i32, from: i64) -> Vec<(i64, i64, String)> {
    let mut found = Vec::new();
    let mut next = from;
    loop {
        let (error, high_watermark, bytes) = client.fetch(topic, partition, next);
        assert_eq!(error, 0);
        for batch in batches(&bytes) {
            let (header, batch) = batch.expect("whole batches");
            assert!(header.crc_is_valid(batch));
            let codec = header.compression().expect("a known codec");
            let body = decompress(codec, &batch[HEADER_BYTES..], 1 << 20).expect("whole records");
            for record in records(&header, &body) {
                let record = record.expect("a record");
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                found.push((header.offset(record.offset_delta), header.timestamp(record.timestamp_delta), value));
            }
            next = header.last_offset() + 1;
        }
        if next >= high_watermark {
            found.retain(|(offset, _, _)| *offset >= from);
            return found;
        }
    }
}
