//! `compression.type` of a topic: batches that come in another codec are put into it, with everything else as it was.

mod broker;

use broker::configs::{BROKER, SET, alter};
use broker::transactions::Producer;
use broker::{Broker, Client, batch, idempotent_batch, memory_held, metric};
use protocol::api_key::ApiKey;
use protocol::compression::decompress;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::record_batch::{
    ATTRIBUTES_AT, BatchBuilder, BatchHeader, CRC_AT, Compression, HEADER_BYTES, ProducerFields, batches, recompress,
    records,
};

const CODECS: [(&str, Compression); 5] = [
    ("uncompressed", Compression::None),
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];
const PLAIN_BYTES_MAX: usize = 64 << 20;
const LEAVING_CLIENTS: i64 = 8;

fn in_codec(plain: &[u8], codec: Compression) -> Vec<u8> {
    recompress(plain, codec, None, PLAIN_BYTES_MAX).expect("a batch of ours").batch
}

/// Bytes of the batches from an offset on.
fn fetched(client: &mut Client, topic: &str, offset: i64) -> Vec<u8> {
    let (error, _, bytes) = client.fetch(topic, 0, offset);
    assert_eq!(error, 0);
    bytes
}

/// Header and decompressed records of each batch.
fn plain(bytes: &[u8]) -> Vec<(BatchHeader, Vec<u8>)> {
    let one = |batch: Result<(BatchHeader, &[u8]), _>| {
        let (header, batch) = batch.expect("whole batches");
        assert!(header.crc_is_valid(batch));
        let codec = header.compression().expect("a codec");
        (header, decompress(codec, &batch[HEADER_BYTES..], PLAIN_BYTES_MAX).expect("whole").into_owned())
    };
    batches(bytes).map(one).collect()
}

fn codecs(bytes: &[u8]) -> Vec<Compression> {
    plain(bytes).iter().map(|(header, _)| header.compression().expect("a codec")).collect()
}

/// Letters that no codec makes much smaller.
fn noise(bytes: usize) -> String {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + ((state >> 40) % 95) as u8)
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn a_batch_in_any_codec_is_kept_in_the_topics_and_stays_the_same_batch() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let fields = ProducerFields { producer_id: 4_711, producer_epoch: 2, base_sequence: 0 };
    let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, fields);
    builder.append(1_700_000_000_009, Some(b"k"), Some(b"v"), &[("h", Some(b"1")), ("h", None)]);
    builder.append(1_700_000_000_002, None, None, &[]);
    let sent = builder.finish();
    for (name, target) in CODECS {
        assert_eq!(client.create_topic(name, 1, &[("compression.type", name)]), 0);
        for (at, (_, source)) in (0..).zip(CODECS) {
            let mut next = sent.clone();
            // Each batch goes on with its producer's sequence.
            let mut header = BatchHeader::parse(&next).expect("whole");
            header.base_sequence = 2 * at;
            header.write(next.first_chunk_mut().expect("whole"));
            let offset = i64::from(2 * at);
            assert_eq!(client.produce(name, 0, &in_codec(&next, source)), (0, offset), "{source:?} to {name}");
            let found = plain(&fetched(&mut client, name, offset));
            let [(header, body)] = &found[..] else { panic!("one batch") };
            assert_eq!(header.compression(), Ok(target));
            assert_eq!(*body, sent[HEADER_BYTES..], "the records keep their bytes");
            assert_eq!((header.base_offset, header.last_offset_delta, header.record_count), (offset, 1, 2));
            assert_eq!((header.base_timestamp, header.max_timestamp), (1_700_000_000_000, 1_700_000_000_009));
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (4_711, 2, 2 * at));
        }
    }
}

#[test]
fn what_has_the_topics_codec_already_is_not_touched() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    // At another level than the topic's, to see whose bytes they are.
    let configs = [("compression.type", "gzip"), ("compression.gzip.level", "1")];
    assert_eq!(client.create_topic("t", 1, &configs), 0);
    assert_eq!(client.create_topic("as-it-comes", 1, &[("compression.type", "producer")]), 0);
    let hard = recompress(&batch(&[&noise(2_000)]), Compression::Gzip, Some(9), PLAIN_BYTES_MAX).expect("ours").batch;
    for topic in ["t", "as-it-comes"] {
        assert_eq!(client.produce(topic, 0, &hard), (0, 0));
        assert_eq!(fetched(&mut client, topic, 0)[HEADER_BYTES..], hard[HEADER_BYTES..], "{topic}");
    }
    assert_eq!(client.produce("as-it-comes", 0, &batch(&["plain"])), (0, 1));
    assert_eq!(codecs(&fetched(&mut client, "as-it-comes", 0)), [Compression::Gzip, Compression::None]);
}

/// Large batches are compressed beside the shard's thread; the small ones of the same connection must not overtake them.
#[test]
fn batches_of_a_connection_keep_their_order_whatever_their_size() {
    let broker = Broker::start(&["message.max.bytes=4000000"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("compression.type", "zstd")]), 0);
    let large = noise(1 << 20);
    let sizes = [&large[..], "small", &large[..300_000], "a", "b", &large[..]];
    for (sequence, value) in (0..).zip(sizes) {
        client.send_produce("t", 0, &idempotent_batch(9, sequence, &[value]), -1);
    }
    for offset in 0..sizes.len() as i64 {
        assert_eq!(client.receive_produced(), (0, offset));
    }
    for (offset, value) in (0..).zip(sizes) {
        let found = plain(&fetched(&mut client, "t", offset));
        let (header, body) = &found[0];
        let record = records(header, body).next().expect("one").expect("whole");
        assert_eq!((header.compression(), record.value), (Ok(Compression::Zstd), Some(value.as_bytes())));
    }
    assert_eq!(client.produce("t", 0, &idempotent_batch(9, 5, &[&large])), (0, 5), "again, and no duplicate");
    assert_eq!(client.produce("t", 0, &idempotent_batch(9, 6, &["on"])), (0, 6));
}

/// One request for partitions of `t`; gives partition, error and offset of each in its answer.
fn produce_several(client: &mut Client, acks: i16, timeout_ms: i32, batches: &[(i32, &[u8])]) -> Vec<(i32, i16, i64)> {
    let partition_data = batches
        .iter()
        .map(|&(index, records)| PartitionProduceData { index, records: Some(protocol::Records::Borrowed(records)) });
    let topic_data = vec![TopicProduceData { name: "t", partition_data: partition_data.collect() }];
    let frame = client.call(9, &ProduceRequest { acks, timeout_ms, topic_data, ..Default::default() });
    let (_, response): (_, ProduceResponse<'_>) = decode_response(&frame, ApiKey::Produce, 9).expect("an answer");
    let partitions = response.responses[0].partition_responses.iter();
    partitions.map(|one| (one.index, one.error_code, one.base_offset)).collect()
}

#[test]
fn several_partitions_of_a_request_are_answered_each_with_its_own_outcome() {
    let broker = Broker::start(&["message.max.bytes=4000000"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 3, &[("compression.type", "lz4")]), 0);
    let (small, large) = (batch(&["small"]), batch(&[&noise(500_000)]));
    let mut damaged = large.clone();
    damaged[CRC_AT] ^= 1;
    let answered = produce_several(&mut client, -1, 30_000, &[(0, &small), (1, &large), (2, &damaged), (3, &small)]);
    let (corrupt, unknown) = (ErrorCode::CorruptMessage.code(), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(answered, [(0, 0, 0), (1, 0, 0), (2, corrupt, -1), (3, unknown, -1)]);
}

/// The second of two batches for a partition overtook the first where that was compressed beside the shard's thread.
#[test]
fn a_partition_that_is_named_twice_keeps_the_order_of_its_batches() {
    let broker = Broker::start(&["message.max.bytes=4000000"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("compression.type", "lz4")]), 0);
    let (small, large) = (batch(&["small"]), batch(&[&noise(500_000)]));
    let answered = produce_several(&mut client, -1, 30_000, &[(0, &large), (0, &small), (0, &large)]);
    assert_eq!(answered, [(0, 0, 0), (0, 0, 1), (0, 0, 2)]);
}

/// Only the flush had a deadline: a batch that waited for its codec was appended however late, and after its client had given it up.
#[test]
fn a_batch_that_is_not_in_its_codec_in_the_requests_time_is_refused_and_not_appended() {
    let broker = Broker::start(&["message.max.bytes=4000000"]);
    let mut client = broker.connect();
    // Far more than a millisecond of work.
    let configs = [("compression.type", "zstd"), ("compression.zstd.level", "19")];
    assert_eq!(client.create_topic("t", 1, &configs), 0);
    let (small, large) = (batch(&["small"]), batch(&[&noise(2 << 20)]));
    let late = ErrorCode::RequestTimedOut.code();
    for acks in [1, -1] {
        let answered = produce_several(&mut client, acks, 1, &[(0, &large), (0, &small)]);
        assert_eq!(answered, [(0, late, -1), (0, late, -1)], "what stands behind it is not appended either");
    }
    assert_eq!(produce_several(&mut client, -1, 30_000, &[(0, &small)]), [(0, 0, 0)]);
}

/// Story: batches whose clients had gone kept their turns and their memory up to the deadline, which is the client's own choice, and those who were
/// there waited behind them. Who asks for no answer may go when everything is sent.
#[test]
fn a_batch_that_waits_for_its_codec_goes_with_its_client_unless_nobody_was_to_answer() {
    let broker =
        Broker::start(&["posthaste.shards=1", "message.max.bytes=4000000", "posthaste.admin.listener=127.0.0.1:0"]);
    let mut client = broker.connect();
    let configs = [("compression.type", "zstd"), ("compression.zstd.level", "19")];
    assert_eq!(client.create_topic("t", 1, &configs), 0);
    let large = batch(&[&noise(1 << 20)]);
    let leave = |acks| broker.connect().send_produce("t", 0, &large, acks);
    for _ in 0..LEAVING_CLIENTS {
        leave(1);
    }
    // All of them are there, and wait before the one that stays.
    let sent = (LEAVING_CLIENTS as usize * large.len()) as f64;
    while metric(&broker, "posthaste_received_bytes_total").iter().map(|(_, bytes)| bytes).sum::<f64>() < sent {
        std::thread::yield_now();
    }
    let (error, offset) = client.produce("t", 0, &large);
    assert!(error == 0 && offset < LEAVING_CLIENTS, "{offset} were appended for nobody");
    leave(0);
    while client.fetch("t", 0, offset + 1).2.is_empty() {
        std::thread::yield_now();
    }
    while memory_held(&broker).iter().any(|(purpose, bytes)| purpose.contains("frames") && *bytes > 0.0) {
        std::thread::yield_now();
    }
}

#[test]
fn what_becomes_too_large_or_cannot_be_read_is_refused() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("compression.type", "uncompressed")]), 0);
    let too_large = ErrorCode::MessageTooLarge.code();
    // Some kilobytes that are 2 MiB and 80 MiB of records: more than the topic takes, and more than is looked at.
    for bytes in [2 << 20, 80 << 20] {
        let bomb = recompress(&batch(&[&"x".repeat(bytes)]), Compression::Zstd, None, 100 << 20).expect("ours").batch;
        assert!(bomb.len() < 20_000);
        assert_eq!(client.produce("t", 0, &bomb), (too_large, -1), "{bytes}");
    }
    assert_eq!(client.create_topic("small", 1, &[("compression.type", "zstd"), ("max.message.bytes", "1000")]), 0);
    assert_eq!(client.produce("small", 0, &batch(&[&"x".repeat(5_000)])), (too_large, -1), "it counts as it comes too");
    let mut damaged = in_codec(&batch(&["v"]), Compression::Gzip);
    damaged[HEADER_BYTES + 4] ^= 1;
    assert_eq!(client.produce("t", 0, &damaged), (ErrorCode::CorruptMessage.code(), -1));
    // Whole on the way, but no gzip inside.
    let mut lying = batch(&["v"]);
    lying[ATTRIBUTES_AT + 1] = 1;
    let crc = checksum::crc32c(&lying[ATTRIBUTES_AT..]);
    lying[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(client.produce("t", 0, &lying), (ErrorCode::InvalidRecord.code(), -1));
    assert_eq!(
        client.produce("t", 0, &in_codec(&batch(&["v"]), Compression::Gzip)),
        (0, 0),
        "nothing was kept of those"
    );
}

#[test]
fn the_brokers_codec_acts_at_once_and_after_a_restart() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.create_topic("own", 1, &[("compression.type", "producer")]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["a"])), (0, 0));
    assert_eq!(alter(&mut client, BROKER, "", &[("compression.type", SET, Some("lz4"))], false), 0);
    assert_eq!(client.produce("t", 0, &batch(&["b"])), (0, 1));
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(client.produce("t", 0, &batch(&["c"])), (0, 2));
    assert_eq!(codecs(&fetched(&mut client, "t", 0)), [Compression::None, Compression::Lz4, Compression::Lz4]);
    assert_eq!(client.produce("own", 0, &batch(&["d"])), (0, 0));
    assert_eq!(codecs(&fetched(&mut client, "own", 0)), [Compression::None]);
}

#[test]
fn transactions_keep_their_flag_and_their_markers_stay_as_they_are() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let configs = [("compression.type", "gzip"), ("message.timestamp.type", "LogAppendTime")];
    assert_eq!(client.create_topic("t", 1, &configs), 0);
    let mut producer = Producer::start(&broker, "tx");
    assert_eq!(producer.write("t", 0, &["a", "b"]), 0);
    assert_eq!(producer.end(true), 0);
    let found = plain(&fetched(&mut client, "t", 0));
    let [(data, _), (marker, _)] = &found[..] else { panic!("a batch and its marker") };
    assert!(data.is_transactional() && !data.is_control() && data.has_log_append_time());
    assert!(marker.is_transactional() && marker.is_control());
    assert_eq!((data.compression(), marker.compression()), (Ok(Compression::Gzip), Ok(Compression::None)));
    assert!(data.max_timestamp > 1_700_000_000_001, "the broker's time");
}
