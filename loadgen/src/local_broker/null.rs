//! The broker of `selftest`: answers every produce request and never looks at a record.
//!
//! It shares the cores with the generator that it measures, so it must cost next to nothing: it reads the heads of
//! requests and batches, lets the kernel drop the records uncopied, and takes no lock. Everything else that it is
//! asked, it answers as the local broker of an empty log.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame;
use protocol::messages::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use protocol::record_batch::{BatchHeader, HEADER_BYTES};
use rustix::net::{RecvFlags, recv};

use super::{FRAME_BYTES_MAX, Log, Shared, listen, nonsense};
use crate::request::PRODUCE_VERSION_MAX;

/// Read at once. A head must fit, and what is read beyond it was copied for nothing.
const HEAD_BYTES: usize = 4 * 1024;

/// Dropped at once; the memory behind it is never touched.
const DROP_BYTES: usize = 1024 * 1024;

/// Topics or partitions of one request, far above what a client of ours sends.
const COUNT_MAX: i32 = 10_000;

/// Starts the broker; its address. It lives as long as the process.
pub fn start_null() -> io::Result<String> {
    listen(Nothing, serve)
}

/// The log of a broker that keeps nothing.
struct Nothing;

impl Log for Nothing {
    fn append(&mut self, _partition: i32, _batch: &[u8]) -> Result<i64, ErrorCode> {
        Ok(0)
    }

    fn read(&mut self, _partition: i32, _offset: i64, _max_bytes: usize) -> Vec<u8> {
        Vec::new()
    }

    fn end(&self, _partition: i32) -> i64 {
        0
    }
}

fn serve(stream: TcpStream, shared: &Shared<Nothing>) -> io::Result<()> {
    let mut intake = Intake::new(stream);
    let mut taken_records = 0;
    loop {
        let bytes = intake.begin_frame()?;
        let api = intake.peek_i16(0)?;
        let version = intake.peek_i16(2)?;
        let answer = if api == ApiKey::Produce as i16 && version <= PRODUCE_VERSION_MAX {
            take_produce(&mut intake, &mut taken_records)?
        } else {
            let mut frame = vec![0; bytes];
            intake.take_exact(&mut frame)?;
            shared.answer(&frame).map_err(nonsense)?
        };
        for piece in answer {
            intake.stream.write_all(&piece)?;
        }
    }
}

/// Walks a produce request of a version with plain lengths; the answer's pieces, none at acks=0.
fn take_produce(intake: &mut Intake, taken_records: &mut i64) -> io::Result<Vec<bytes::Bytes>> {
    intake.take(2)?;
    let version = intake.take_i16()?;
    let correlation_id = intake.take_i32()?;
    intake.skip_string()?;
    intake.skip_string()?;
    let acks = intake.take_i16()?;
    intake.take_i32()?;
    let mut topics = Vec::new();
    for _ in 0..intake.take_count()? {
        let name_bytes = intake.take_length()?;
        let name = str::from_utf8(intake.take(name_bytes)?).map_err(nonsense)?.to_owned();
        let count = intake.take_count()?;
        let mut partitions = Vec::with_capacity(count as usize);
        for _ in 0..count {
            partitions.push(take_batch(intake, taken_records)?);
        }
        topics.push((name, partitions));
    }
    if intake.frame_left > 0 {
        return Err(nonsense("bytes behind a request"));
    }
    if acks == 0 {
        return Ok(Vec::new());
    }
    let responses = topics
        .iter_mut()
        .map(|(name, partitions)| TopicProduceResponse { name, partition_responses: std::mem::take(partitions) });
    let response = ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() };
    Ok(frame::encode_response(correlation_id, ApiKey::Produce, version, &response))
}

/// One partition of a request: the batch's header is read, its records are dropped.
fn take_batch(intake: &mut Intake, taken_records: &mut i64) -> io::Result<PartitionProduceResponse<'static>> {
    let index = intake.take_i32()?;
    let bytes = usize::try_from(intake.take_i32()?).unwrap_or(0);
    let header = BatchHeader::parse(intake.take(bytes.min(HEADER_BYTES))?);
    intake.drop_bytes(bytes - bytes.min(HEADER_BYTES))?;
    let Ok(header) = header else {
        let error_code = ErrorCode::CorruptMessage.code();
        return Ok(PartitionProduceResponse { index, error_code, base_offset: -1, ..Default::default() });
    };
    let base_offset = *taken_records;
    *taken_records += i64::from(header.record_count);
    Ok(PartitionProduceResponse { index, base_offset, ..Default::default() })
}

/// The bytes of one connection, of which most are never seen.
struct Intake {
    stream: TcpStream,
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
    /// Bytes of the present frame that were not taken yet.
    frame_left: usize,
    dropped: Vec<u8>,
}

impl Intake {
    fn new(stream: TcpStream) -> Self {
        let (buffer, dropped) = (vec![0; HEAD_BYTES], vec![0; DROP_BYTES]);
        Self { stream, buffer, taken: 0, filled: 0, frame_left: 0, dropped }
    }

    /// Reads the length of the next frame.
    fn begin_frame(&mut self) -> io::Result<usize> {
        self.frame_left = 4;
        let bytes = self.take_i32()?;
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= FRAME_BYTES_MAX);
        self.frame_left = bytes.ok_or_else(|| nonsense("a frame of a wrong length"))?;
        Ok(self.frame_left)
    }

    /// Makes sure that so many bytes of the frame are in the buffer.
    fn ensure(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.frame_left || bytes > HEAD_BYTES {
            return Err(nonsense("a head of a wrong length"));
        }
        if self.buffer.len() - self.taken < bytes || self.taken == self.filled {
            self.buffer.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
        }
        while self.filled - self.taken < bytes {
            match self.stream.read(&mut self.buffer[self.filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> io::Result<&[u8]> {
        self.ensure(bytes)?;
        let start = self.taken;
        self.taken += bytes;
        self.frame_left -= bytes;
        Ok(&self.buffer[start..self.taken])
    }

    fn take_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        let buffered = into.len().min(self.filled - self.taken);
        into[..buffered].copy_from_slice(&self.buffer[self.taken..self.taken + buffered]);
        self.taken += buffered;
        self.frame_left -= into.len();
        self.stream.read_exact(&mut into[buffered..])
    }

    /// Passes over bytes; those that are still in the socket are freed there.
    fn drop_bytes(&mut self, bytes: usize) -> io::Result<()> {
        self.frame_left =
            self.frame_left.checked_sub(bytes).ok_or_else(|| nonsense("a batch longer than its request"))?;
        let buffered = bytes.min(self.filled - self.taken);
        self.taken += buffered;
        let mut left = bytes - buffered;
        while left > 0 {
            let piece = left.min(DROP_BYTES);
            // Waiting for all of it saves the calls that would each find a part.
            match recv(&self.stream, &mut self.dropped[..piece], RecvFlags::TRUNC | RecvFlags::WAITALL) {
                Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((_, gone)) => left -= gone,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn peek_i16(&mut self, at: usize) -> io::Result<i16> {
        self.ensure(at + 2)?;
        Ok(i16::from_be_bytes([self.buffer[self.taken + at], self.buffer[self.taken + at + 1]]))
    }

    fn take_i16(&mut self) -> io::Result<i16> {
        let value = self.peek_i16(0)?;
        self.take(2)?;
        Ok(value)
    }

    fn take_i32(&mut self) -> io::Result<i32> {
        let bytes = self.take(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn take_length(&mut self) -> io::Result<usize> {
        usize::try_from(self.take_i16()?).map_err(nonsense)
    }

    fn take_count(&mut self) -> io::Result<i32> {
        let count = self.take_i32()?;
        if (0..=COUNT_MAX).contains(&count) { Ok(count) } else { Err(nonsense("a count out of bounds")) }
    }

    /// A string that may be null.
    fn skip_string(&mut self) -> io::Result<()> {
        let bytes = usize::try_from(self.take_i16()?).unwrap_or(0);
        self.take(bytes).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::cluster::CALL_TIMEOUT;
    use protocol::Records;
    use protocol::messages::metadata::{MetadataRequest, MetadataResponse};
    use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
    use protocol::record_batch::{BatchBuilder, ProducerFields};

    fn batch(records: usize, value_bytes: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 0, ProducerFields::NONE);
        (0..records).for_each(|_| builder.append_payload(0, None, &vec![7; value_bytes]));
        builder.finish()
    }

    /// Error and base offset of each batch in the answer to a request in version 7.
    fn produce(stream: &mut TcpStream, batches: &[&[u8]]) -> Vec<(i16, i64)> {
        let partition_data = batches
            .iter()
            .zip(0..)
            .map(|(&batch, index)| PartitionProduceData { index, records: Some(Records::Borrowed(batch)) });
        let topic = TopicProduceData { name: "t", partition_data: partition_data.collect() };
        let request = ProduceRequest { transactional_id: None, acks: 1, timeout_ms: 1, topic_data: vec![topic] };
        let header = protocol::header::RequestHeader {
            api_key: ApiKey::Produce as i16,
            api_version: 7,
            correlation_id: 5,
            client_id: Some("test"),
        };
        stream.write_all(&frame::encode_request(&header, &request).concat()).expect("written");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("an answer");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).expect("the whole answer");
        let decoded = frame::decode_response::<ProduceResponse<'_>>(&answer, ApiKey::Produce, 7);
        let (correlation_id, response) = decoded.expect("valid");
        assert_eq!(correlation_id, 5);
        response.responses[0].partition_responses.iter().map(|one| (one.error_code, one.base_offset)).collect()
    }

    #[test]
    fn batches_of_every_size_are_counted_and_dropped() {
        let address = start_null().expect("a port");
        let mut stream = TcpStream::connect(address).expect("connected");
        let (small, large) = (batch(3, 40), batch(2_000, 1_000));
        assert_eq!(produce(&mut stream, &[&small, &large, &small]), [(0, 0), (0, 3), (0, 2_003)]);
        assert_eq!(produce(&mut stream, &[&large]), [(0, 2_006)], "the stream is still in step");
        assert_eq!(produce(&mut stream, &[&[0; 200]]), [(ErrorCode::CorruptMessage.code(), -1)]);
        assert_eq!(produce(&mut stream, &[&small]), [(0, 4_006)]);
    }

    #[test]
    fn what_is_no_produce_request_is_answered_as_ever() {
        let address = start_null().expect("a port");
        let mut client = Client::open(&address, CALL_TIMEOUT).expect("versions");
        let response: MetadataResponse<'_> = client.call(&MetadataRequest::default()).expect("metadata");
        assert_eq!(response.brokers.len(), 1);
    }
}
