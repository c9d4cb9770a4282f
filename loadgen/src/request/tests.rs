//! Requests that the codec reads as they were built.

use super::*;
use protocol::Message;
use protocol::reader::Reader;
use protocol::record_batch::{batches, records};

fn request() -> (Template, Request) {
    let template = Template::new("loadgen-t", Acks::All, 30_000, 7, 16_384);
    let mut request = Request::default();
    request.begin(&template);
    (template, request)
}

fn frame(request: &Request) -> Vec<u8> {
    request.pieces().collect::<Vec<_>>().concat()
}

#[test]
fn the_codec_reads_what_was_built_in_place() {
    let (_, mut request) = request();
    for (partition, sequence) in [(3, 40), (0, 7)] {
        request.open_batch(partition, sequence, 1_700_000_000_000, Some((77, 5)));
        request.append(b"first", 10);
        request.append(b"second", 10);
        request.append(b"third", 30);
        request.close_batch(false);
    }
    request.finish(99);

    let frame = frame(&request);
    let mut reader = Reader::new(&frame[4..]);
    let header = RequestHeader::decode(&mut reader).expect("header");
    assert_eq!((header.correlation_id, header.api_version), (99, 7));
    let decoded = ProduceRequest::decode(&mut reader, 7).expect("body");
    reader.finish().expect("nothing behind it");
    assert_eq!(decoded.acks, -1);
    let partitions = &decoded.topic_data[0].partition_data;
    assert_eq!(partitions.iter().map(|partition| partition.index).collect::<Vec<_>>(), [3, 0]);
    let bytes = partitions[1].records.as_ref().and_then(protocol::Records::as_borrowed).expect("records");
    let (batch, whole) = batches(bytes).next().expect("one batch").expect("valid");
    assert!(batch.crc_is_valid(whole));
    assert_eq!((batch.producer_id, batch.producer_epoch, batch.base_sequence), (77, 5, 7));
    let values: Vec<_> = records(&batch, &whole[HEADER_BYTES..]).map(|record| record.expect("record").value).collect();
    assert_eq!(values, [Some(b"first".as_slice()), Some(b"second"), Some(b"third")]);
    let runs: Vec<_> = request.batches().map(|(batch, runs)| (batch.records, runs.to_vec())).collect();
    assert_eq!(runs, [(3, vec![(10, 2), (30, 1)]), (3, vec![(10, 2), (30, 1)])]);
}

#[test]
fn a_request_takes_one_batch_a_partition_and_keeps_its_size() {
    let (template, mut request) = request();
    assert!(request.takes_batch(0, &template));
    request.open_batch(0, 0, 0, None);
    while request.room(1_000, &template) > 0 {
        request.append(&[0; 1_000], 1);
    }
    request.close_batch(true);
    assert!(request.batches[0].bytes <= 16_384 && request.batches[0].bytes > 15_000);
    assert!(!request.takes_batch(0, &template));
    assert!(request.takes_batch(1, &template));
    for partition in 1.. {
        if !request.takes_batch(partition, &template) {
            break;
        }
        request.open_batch(partition, 0, 0, None);
        (0..16).for_each(|_| request.append(&[0; 1_000], 1));
        request.close_batch(true);
    }
    request.finish(1);
    assert!(request.wire_bytes() <= REQUEST_BYTES_MAX && request.wire_bytes() > REQUEST_BYTES_MAX / 2);
}

#[test]
fn sequence_numbers_wrap_as_kafka_wraps_them() {
    let (_, mut request) = request();
    request.open_batch(0, 1 << 31, 0, Some((1, 0)));
    request.append(b"x", 1);
    request.close_batch(false);
    request.finish(1);
    let frame = frame(&request);
    let batch = &frame[frame.len() - request.batches[0].bytes as usize..];
    let (header, _) = batches(batch).next().expect("one batch").expect("valid");
    assert_eq!(header.base_sequence, 0);
}
