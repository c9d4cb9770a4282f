//! Reading: a pull consumer a partition that wants no acknowledgements, asked for more before it has sent all.

use serde_json::json;

use super::message::{Frame, frame};
use super::{Api, CONNECT, PONG, inbox, stream};
use crate::cluster::CALL_TIMEOUT;
use crate::error::Error;
use crate::peer::Parsed;
use crate::peer::consumer::{ConsumerWire, Delivered};

/// A question waits so long for records; then it is asked again.
const WAIT_NS: u64 = 5_000_000_000;

/// A consumer that asks nothing for so long is forgotten by the server, should we die.
const INACTIVE_NS: u64 = 60_000_000_000;

/// Status of a question that had nothing more to wait for.
const NO_MESSAGES: u16 = 404;
const REQUEST_TIMEOUT: u16 = 408;

/// The consumer's wire.
pub(in crate::peer) struct Puller {
    records: usize,
    lanes: Vec<Lane>,
}

struct Lane {
    /// `PUB subject-of-the-question inbox length question`.
    question: Vec<u8>,
    /// Records that were asked for and have not come.
    pending: usize,
}

impl Puller {
    /// Makes the consumers, and writes what comes first on its connection.
    pub(in crate::peer) fn begin(
        address: &str,
        topic: &str,
        partitions: &[u32],
        records: usize,
        out: &mut Vec<u8>,
    ) -> Result<Self, Error> {
        let (mut api, inbox) = (Api::open(address, CALL_TIMEOUT)?, inbox());
        out.extend_from_slice(CONNECT.as_bytes());
        let mut lanes = Vec::with_capacity(partitions.len());
        for (place, &partition) in partitions.iter().enumerate() {
            let stream = stream(topic, partition as usize);
            let config = json!({
                "deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant",
                "inactive_threshold": INACTIVE_NS, "num_replicas": 1, "mem_storage": true,
            });
            let request = json!({ "stream_name": stream, "config": config });
            let answer = api.ask(&format!("CONSUMER.CREATE.{stream}"), &request)?;
            let name = answer["name"].as_str().ok_or_else(|| api.call.refused("made a consumer without a name"))?;
            let question = json!({ "batch": records, "expires": WAIT_NS }).to_string();
            out.extend_from_slice(format!("SUB {inbox}.{place} {place}\r\n").as_bytes());
            let head = format!("PUB $JS.API.CONSUMER.MSG.NEXT.{stream}.{name} {inbox}.{place} {}\r\n", question.len());
            lanes.push(Lane { question: format!("{head}{question}\r\n").into_bytes(), pending: 0 });
        }
        Ok(Self { records, lanes })
    }
}

impl ConsumerWire for Puller {
    fn ask(&mut self, _now_ns: u64, out: &mut Vec<u8>) {
        for lane in &mut self.lanes {
            if lane.pending <= self.records / 2 {
                out.extend_from_slice(&lane.question);
                lane.pending += self.records;
            }
        }
    }

    fn next(&mut self, bytes: &[u8]) -> Parsed<Delivered> {
        let Some((length, frame)) = frame(bytes)? else { return Ok(None) };
        let delivered = match frame {
            Frame::Delivery { subscription, body, .. } => {
                let lane = self.lanes.get_mut(subscription).ok_or("sent a record for no question of ours")?;
                lane.pending = lane.pending.saturating_sub(1);
                Delivered::Record(subscription, body)
            }
            Frame::Status { subscription, code: NO_MESSAGES | REQUEST_TIMEOUT, pending } => {
                let lane = self.lanes.get_mut(subscription).ok_or("answers no question of ours")?;
                lane.pending = lane.pending.saturating_sub(pending);
                Delivered::Remark
            }
            Frame::Status { code, .. } => return Err(format!("ends a question with status {code}")),
            Frame::Refusal(what) => return Err(format!("says {}", String::from_utf8_lossy(what))),
            Frame::Ping => Delivered::Question(PONG),
            Frame::Pong | Frame::Ok | Frame::About(_) => Delivered::Remark,
        };
        Ok(Some((length, delivered)))
    }

    fn oldest_asked_ns(&self) -> Option<u64> {
        // A question may wait for its records; a server that is gone shows in the connection.
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_asked_for_before_all_has_come_and_again_when_a_question_has_waited_in_vain() {
        let lane = || Lane { question: b"?".to_vec(), pending: 0 };
        let mut puller = Puller { records: 4, lanes: vec![lane(), lane()] };
        let asked = |puller: &mut Puller| {
            let mut out = Vec::new();
            puller.ask(0, &mut out);
            out.len()
        };
        assert_eq!(asked(&mut puller), 2);
        assert_eq!(asked(&mut puller), 0);
        for left in [3, 2] {
            assert_eq!(puller.next(b"MSG t.1 1 r 1\r\nx\r\n"), Ok(Some((18, Delivered::Record(1, (15, 16))))));
            assert_eq!(puller.lanes[1].pending, left);
        }
        assert_eq!(asked(&mut puller), 1);
        let headers = "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 4\r\n\r\n";
        let status = format!("HMSG i 0 {0} {0}\r\n{headers}\r\n", headers.len());
        assert_eq!(puller.next(status.as_bytes()), Ok(Some((status.len(), Delivered::Remark))));
        assert_eq!(asked(&mut puller), 1);
        let gone = status.replace("408", "409");
        assert!(puller.next(gone.as_bytes()).is_err());
    }
}
