//! A compacted topic: what it takes, what stays of it, and that the newest value of every key stays where it was.

mod broker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker::requests::earliest;
use broker::{Broker, Client, PRODUCE, batch};
use protocol::api_key::ApiKey;
use protocol::compression::compress;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::produce::ProduceResponse;
use protocol::record_batch::{
    BatchBuilder, BatchHeader, CRC_AT, CRC_COVERS_FROM, Compression, HEADER_BYTES, LENGTH_PREFIX_BYTES, ProducerFields,
    batches, visit,
};

/// Longest wait for the cleaner; reaching it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(120);

const CODECS: [(&str, Compression); 5] = [
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

/// Cleaned as soon as there is anything to clean, whatever else lies in the same segments.
const EAGER: &[(&str, &str)] =
    &[("min.cleanable.dirty.ratio", "0.0"), ("max.compaction.lag.ms", "1"), ("segment.ms", "1")];

/// Offset, key and value; no value is a tombstone.
type Found = (i64, String, Option<String>);

fn compressed(codec: Compression, records: &[(Option<&str>, Option<&str>)]) -> Vec<u8> {
    let now = 1_700_000_000_000;
    let mut builder = BatchBuilder::new(Vec::new(), now, ProducerFields::NONE);
    for (key, value) in records {
        builder.append(now, key.map(str::as_bytes), value.map(str::as_bytes), &[]);
    }
    let plain = builder.finish();
    let body = compress(codec, &plain[HEADER_BYTES..]);
    let mut header = BatchHeader::parse(&plain).expect("whole");
    header.attributes = codec as i16;
    header.batch_length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + body.len()) as i32;
    let mut batch = [&plain[..HEADER_BYTES], &body].concat();
    header.write(batch.first_chunk_mut().expect("a header"));
    let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A value that no codec makes much smaller.
fn value(stamp: usize) -> String {
    let mut state = stamp as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (state >> 33) as u8 % 90)
    };
    format!("{stamp}:{}", (0..10_000).map(|_| next()).collect::<String>())
}

/// Error code and the records that are named for it.
fn produce_errors(client: &mut Client, topic: &str, records: &[u8]) -> (i16, Vec<i32>) {
    client.send_produce(topic, 0, records, -1);
    let frame = client.receive().expect("an answer");
    let (_, response): (_, ProduceResponse<'_>) = decode_response(&frame, ApiKey::Produce, PRODUCE).expect("an answer");
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.record_errors.iter().map(|error| error.batch_index).collect())
}

/// Everything that a consumer finds from the log start on.
fn read_all(client: &mut Client, topic: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut next = earliest(client, topic, 0);
    loop {
        let (error, high_watermark, bytes) = client.fetch(topic, 0, next);
        assert_eq!(error, 0);
        if next == high_watermark {
            return found;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        for batch in batches(&bytes) {
            let (header, batch) = batch.expect("whole batches");
            assert!(header.crc_is_valid(batch));
            visit(batch, 1 << 20, &mut |header, record| {
                let offset = header.offset(record.offset_delta);
                // A batch that begins before the asked offset comes whole.
                if offset >= next {
                    found.push((offset, text(record.key.expect("a key")), record.value.map(text)));
                }
            })
            .expect("readable");
            next = header.last_offset() + 1;
        }
    }
}

/// Does `step` until the log holds as few records as it should, those of key `after` aside.
fn wait_until_short(
    client: &mut Client,
    topic: &str,
    records_max: usize,
    mut step: impl FnMut(&mut Client),
) -> Vec<Found> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let mut found = read_all(client, topic);
        found.retain(|(_, key, _)| key != "after");
        if found.len() <= records_max {
            return found;
        }
        assert!(Instant::now() < give_up, "{topic} still has {} records instead of {records_max}", found.len());
        step(client);
    }
}

/// Begins new segments, so that the older ones may be cleaned.
fn roll(client: &mut Client, megabytes: usize) {
    let filler = "x".repeat(100_000);
    for _ in 0..megabytes * 11 {
        assert_eq!(client.produce("filler", 0, &batch(&[&filler])).0, 0);
    }
}

/// The newest of each key, where it was, in order. A second pass may have come already and taken tombstones, whose time is over at once.
fn assert_newest(found: &[Found], expected: &[Found], topic: &str) {
    let is_there = |record: &&Found| record.2.is_some() || found.contains(record);
    let expected: Vec<&Found> = expected.iter().filter(is_there).collect();
    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{topic}");
}

#[test]
fn a_compacted_topic_refuses_records_without_a_key_and_names_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("compacted", 1, &[("cleanup.policy", "compact,delete")]), 0);
    assert_eq!(client.create_topic("plain", 1, &[]), 0);
    let mixed = compressed(Compression::Gzip, &[(Some("a"), Some("1")), (None, Some("2")), (None, Some("3"))]);
    let refused = produce_errors(&mut client, "compacted", &mixed);
    assert_eq!(refused, (ErrorCode::InvalidRecord.code(), vec![1, 2]));
    assert_eq!(client.produce("plain", 0, &mixed), (0, 0));
    assert_eq!(client.produce("plain", 0, &batch(&["no key"])), (0, 3));
    let whole = compressed(Compression::None, &[(Some("a"), Some("1")), (Some(""), Some("2"))]);
    assert_eq!(client.produce("compacted", 0, &whole), (0, 0), "what was refused took no offset");
}

#[test]
fn the_newest_value_of_each_key_stays_at_its_offset_through_every_codec() {
    let mut broker = Broker::start(&["posthaste.segment.bytes=1048576", "posthaste.shards=1"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("filler", 1, &[("retention.bytes", "1048576")]), 0);
    let mut newest: BTreeMap<&str, BTreeMap<String, (i64, Option<String>)>> = BTreeMap::new();
    for (name, _) in CODECS {
        let configs = [EAGER, &[("cleanup.policy", "compact"), ("delete.retention.ms", "0")]].concat();
        assert_eq!(client.create_topic(name, 1, &configs), 0);
    }
    // Each batch of three: the record of a key that comes only once, and two of ten keys that come all the time. Some of these
    // end with a tombstone.
    for round in 0..60 {
        for (name, codec) in CODECS {
            let once = format!("once-{round}");
            let often = [0, 1].map(|at| format!("often-{}", (round * 2 + at) % 10));
            let values = [0, 1, 2].map(|at| value(round * 3 + at));
            let deletes = round >= 55 && round % 2 == 1;
            let last = (!deletes).then_some(values[2].as_str());
            let records = [
                (Some(often[0].as_str()), Some(values[0].as_str())),
                (Some(once.as_str()), Some(&values[1][..100])),
                (Some(often[1].as_str()), last),
            ];
            let (error, base_offset) = client.produce(name, 0, &compressed(codec, &records));
            assert_eq!(error, 0);
            let known = newest.entry(name).or_default();
            for ((key, value), offset) in records.iter().zip(base_offset..) {
                known.insert(key.expect("a key").to_owned(), (offset, value.map(str::to_owned)));
            }
        }
    }
    roll(&mut client, 3);
    let by_offset = |known: &BTreeMap<String, (i64, Option<String>)>| -> Vec<Found> {
        let mut records: Vec<_> =
            known.iter().map(|(key, (offset, value))| (*offset, key.clone(), value.clone())).collect();
        records.sort();
        records
    };
    for (name, _) in CODECS {
        let expected = by_offset(&newest[name]);
        let found = wait_until_short(&mut client, name, expected.len(), |client| roll(client, 1));
        assert_newest(&found, &expected, name);
    }
    broker.kill_and_restart();
    client = broker.connect();
    for (name, codec) in CODECS {
        assert_newest(&read_all(&mut client, name), &by_offset(&newest[name]), name);
        let next = compressed(codec, &[(Some("after"), Some("all"))]);
        assert_eq!(client.produce(name, 0, &next), (0, 180), "offsets go on behind what was taken");
    }
    for (name, codec) in CODECS {
        newest.get_mut(name).expect("known").retain(|_, (_, value)| value.is_some());
        let expected = by_offset(&newest[name]);
        assert_eq!(expected.len(), 60 + 10 - 3, "three keys were deleted");
        // A later pass takes the tombstones, whose time was over at once; for a pass there must be something new.
        let found = wait_until_short(&mut client, name, expected.len(), |client| {
            assert_eq!(client.produce(name, 0, &compressed(codec, &[(Some("after"), Some("all"))])).0, 0);
            roll(client, 1);
        });
        assert_eq!(found, expected, "{name}: without tombstones");
    }
}

#[test]
fn compact_and_delete_together_do_both() {
    let broker = Broker::start(&["posthaste.segment.bytes=1048576", "posthaste.shards=1"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("filler", 1, &[("retention.bytes", "1048576")]), 0);
    let retention = [("cleanup.policy", "compact,delete"), ("retention.bytes", "1000000"), ("retention.ms", "-1")];
    let configs = [EAGER, &retention].concat();
    assert_eq!(client.create_topic("both", 1, &configs), 0);
    for round in 0..400 {
        let (once, often) = (format!("once-{round}"), format!("often-{}", round % 10));
        let values = [value(round), value(round + 1)];
        let records = [(Some(once.as_str()), Some(&*values[0])), (Some(often.as_str()), Some(&*values[1]))];
        assert_eq!(client.produce("both", 0, &compressed(Compression::Lz4, &records)).0, 0);
    }
    // Of 400 keys that come once, a megabyte or two stays, and of those that come often the newest.
    let found = wait_until_short(&mut client, "both", 300 + 10, |client| roll(client, 1));
    assert!(earliest(&mut client, "both", 0) > 0);
    assert_eq!(found.last().map(|(offset, ..)| *offset), Some(799));
    for at in 0..10 {
        let newest = found.iter().rfind(|(_, key, _)| *key == format!("often-{at}")).expect("is there");
        assert_eq!(newest.0, (390 + at) * 2 + 1);
    }
}
