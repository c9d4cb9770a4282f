//! Publishing: each record asks for an acknowledgement at an inbox that names its partition. A stream acknowledges in its order;
//! between streams there is none.

use super::message::{Frame, frame};
use super::{CONNECT, PONG, inbox, subject};
use crate::peer::Parsed;
use crate::peer::producer::{Answer, ProducerWire};

/// The producer's wire.
pub(in crate::peer) struct Publisher {
    /// What stands before the length of a value, by partition.
    heads: Vec<Vec<u8>>,
    /// Bytes of the inbox and its dot; the partition follows.
    inbox_bytes: usize,
}

impl Publisher {
    /// Writes what comes first on its connection.
    pub(in crate::peer) fn begin(topic: &str, partitions: usize, out: &mut Vec<u8>) -> Self {
        let inbox = inbox();
        out.extend_from_slice(format!("{CONNECT}SUB {inbox}.* 1\r\n").as_bytes());
        let head = |partition| format!("PUB {} {inbox}.{partition} ", subject(topic, partition)).into_bytes();
        Self { heads: (0..partitions).map(head).collect(), inbox_bytes: inbox.len() + 1 }
    }

    fn acknowledged(&self, subject: &[u8], body: &[u8]) -> Result<Answer, String> {
        let said = || String::from_utf8_lossy(body).into_owned();
        // {"stream":"loadgen-1a2b3c4d-0","seq":1}, or with an error in place of the number.
        if !body.windows(6).any(|window| window == b"\"seq\":") || body.windows(8).any(|window| window == b"\"error\":")
        {
            return Err(format!("refuses a record: {}", said()));
        }
        let partition = subject.get(self.inbox_bytes..).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        partition.map(Answer::Stored).ok_or_else(|| format!("acknowledges nothing of ours: {}", said()))
    }
}

impl ProducerWire for Publisher {
    fn begin_record(&mut self, partition: usize, value_bytes: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.heads[partition]);
        out.extend_from_slice(value_bytes.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    fn end_record(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
    }

    fn next_answer(&mut self, bytes: &[u8]) -> Parsed<Answer> {
        let Some((length, frame)) = frame(bytes)? else { return Ok(None) };
        let answer = match frame {
            Frame::Delivery { subject, body: (from, to), .. } => self.acknowledged(subject, &bytes[from..to])?,
            Frame::Status { code, .. } => return Err(format!("takes no record: {code}, no stream listens")),
            Frame::Refusal(what) => return Err(format!("says {}", String::from_utf8_lossy(what))),
            Frame::Ping => Answer::Question(PONG),
            Frame::Pong | Frame::Ok | Frame::About(_) => Answer::Remark,
        };
        Ok(Some((length, answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_asks_for_its_acknowledgement_which_names_its_partition() {
        let mut out = Vec::new();
        let mut publisher = Publisher::begin("loadgen-1", 3, &mut out);
        let greeting = String::from_utf8(out).expect("text");
        let inbox =
            greeting.split("SUB ").nth(1).and_then(|rest| rest.split(".*").next()).expect("an inbox").to_owned();
        let mut out = Vec::new();
        publisher.begin_record(2, 4, &mut out);
        out.extend_from_slice(b"abcd");
        publisher.end_record(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), format!("PUB loadgen-1.2 {inbox}.2 4\r\nabcd\r\n"));
        let answer = |body: &str| format!("MSG {inbox}.2 1 {}\r\n{body}\r\n", body.len()).into_bytes();
        let stored = answer("{\"stream\":\"loadgen-1-2\",\"seq\":1}");
        assert_eq!(publisher.next_answer(&stored), Ok(Some((stored.len(), Answer::Stored(2)))));
        let refused = answer("{\"error\":{\"code\":503,\"description\":\"insufficient storage\"},\"seq\":0}");
        assert!(publisher.next_answer(&refused).is_err_and(|what| what.contains("insufficient storage")));
        assert_eq!(publisher.next_answer(b"PING\r\n"), Ok(Some((6, Answer::Question(PONG)))));
    }
}
