//! What the proxy does to frames. A frame comes and goes with its length.

use protocol::api_key::ApiKey;
use protocol::header::RequestHeader;
use protocol::messages::fetch::FetchResponse;
use protocol::messages::metadata::MetadataResponse;
use protocol::messages::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use protocol::reader::Reader;
use protocol::record_batch::{BASE_OFFSET_AT, BatchHeader, CRC_AT, CRC_COVERS_FROM, batches};
use protocol::{Message, Records, frame};

use super::{Seal, WireFault};

/// A faithful broker's answer to a produce request.
pub fn acknowledgement(request: &[u8], version: i16, correlation_id: i32) -> Vec<u8> {
    let request = produce_request(request, version);
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|partition| PartitionProduceResponse { index: partition.index, ..Default::default() })
            .collect(),
    });
    let response = ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() };
    frame::encode_response(correlation_id, ApiKey::Produce, version, &response).concat()
}

/// Flips a payload bit of the first batch of a produce request.
pub fn flip_produced(request: &mut [u8], version: i16, seal: Seal) {
    let decoded = produce_request(request, version);
    let records = decoded.topic_data[0].partition_data[0].records.as_ref().and_then(Records::as_borrowed);
    let records = records.expect("records");
    let start = records.as_ptr().addr() - request.as_ptr().addr();
    let bytes = BatchHeader::parse(records).expect("a batch").total_bytes();
    flip(&mut request[start..start + bytes], seal);
}

/// Makes the proxy the leader of everything.
pub fn lead_to_port(answer: &[u8], version: i16, port: u16) -> Vec<u8> {
    let (correlation_id, mut metadata) =
        frame::decode_response::<MetadataResponse<'_>>(&answer[4..], ApiKey::Metadata, version).expect("metadata");
    for broker in &mut metadata.brokers {
        (broker.host, broker.port) = ("127.0.0.1", port.into());
    }
    frame::encode_response(correlation_id, ApiKey::Metadata, version, &metadata).concat()
}

/// The answer with the fault in it; `None` when the fault is none of a fetch, or the answer has too few batches for it.
pub fn fetched(answer: &[u8], version: i16, fault: WireFault) -> Option<Vec<u8>> {
    let (correlation_id, mut response) =
        frame::decode_response::<FetchResponse<'_>>(&answer[4..], ApiKey::Fetch, version).ok()?;
    let mut found = false;
    for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let bytes = partition.records.as_ref().and_then(Records::as_borrowed).unwrap_or_default();
        let mut all: Vec<Vec<u8>> = batches(bytes).flatten().map(|(_, batch)| batch.to_vec()).collect();
        if all.len() >= 3 && tamper(&mut all, fault) {
            found = true;
            partition.records = Some(Records::Shared(vec![all.concat().into()]));
        }
    }
    found.then(|| frame::encode_response(correlation_id, ApiKey::Fetch, version, &response).concat())
}

/// The fault at the second batch: the last one must stay, or the reader would ask for it again.
fn tamper(all: &mut Vec<Vec<u8>>, fault: WireFault) -> bool {
    match fault {
        WireFault::DropFetched => drop(all.remove(1)),
        WireFault::DoubleFetched => all.insert(1, all[1].clone()),
        WireFault::SwapFetched => {
            let header = |batch: &[u8]| BatchHeader::parse(batch).expect("a batch");
            let (first, second) = (header(&all[0]), header(&all[1]));
            set_base_offset(&mut all[1], first.base_offset);
            set_base_offset(&mut all[0], first.base_offset + i64::from(second.record_count));
            all.swap(0, 1);
        }
        WireFault::FlipFetched(seal) => flip(&mut all[1], seal),
        WireFault::WrongOffsets => all.iter_mut().for_each(|batch| set_base_offset(batch, 0)),
        _ => return false,
    }
    true
}

fn set_base_offset(batch: &mut [u8], offset: i64) {
    batch[BASE_OFFSET_AT..BASE_OFFSET_AT + 8].copy_from_slice(&offset.to_be_bytes());
}

fn flip(batch: &mut [u8], seal: Seal) {
    // The last byte is the count of headers; the one before it is payload.
    let payload = batch.len() - 2;
    batch[payload] ^= 0x10;
    if seal == Seal::Mended {
        let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
        batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

fn produce_request(request: &[u8], version: i16) -> ProduceRequest<'_> {
    let mut reader = Reader::new(&request[4..]);
    RequestHeader::decode(&mut reader).expect("a header");
    ProduceRequest::decode(&mut reader, version).expect("a produce request")
}
