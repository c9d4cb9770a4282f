//! Publishing: XADD, as many in a pipeline as a batch has records. Replies come in the order of the commands.

use std::collections::VecDeque;

use super::reply::Cursor;
use super::{command, key};
use crate::peer::Parsed;
use crate::peer::producer::{Answer, ProducerWire};

/// The producer's wire.
pub(in crate::peer) struct Adder {
    /// What stands before the length of a value, by partition.
    heads: Vec<Vec<u8>>,
    /// Partitions of the entries without a reply, in runs.
    unanswered: VecDeque<(usize, u32)>,
}

impl Adder {
    pub(in crate::peer) fn new(topic: &str, partitions: usize) -> Self {
        let head = |partition| {
            let mut head = Vec::new();
            command(&[b"XADD", key(topic, partition).as_bytes(), b"*", b"v", b""], &mut head);
            // The value takes the place of the empty one.
            head.truncate(head.len() - b"$0\r\n\r\n".len());
            head
        };
        Self { heads: (0..partitions).map(head).collect(), unanswered: VecDeque::new() }
    }
}

impl ProducerWire for Adder {
    fn begin_record(&mut self, partition: usize, value_bytes: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.heads[partition]);
        out.push(b'$');
        out.extend_from_slice(value_bytes.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
        match self.unanswered.back_mut() {
            Some(run) if run.0 == partition => run.1 += 1,
            _ => self.unanswered.push_back((partition, 1)),
        }
    }

    fn end_record(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
    }

    fn next_answer(&mut self, bytes: &[u8]) -> Parsed<Answer> {
        let mut cursor = Cursor::new(bytes);
        // The id of the entry.
        if cursor.text()?.is_none() {
            return Ok(None);
        }
        let Some(run) = self.unanswered.front_mut() else { return Err("answers what was never sent".into()) };
        let partition = run.0;
        run.1 -= 1;
        if run.1 == 0 {
            self.unanswered.pop_front();
        }
        Ok(Some((cursor.position(), Answer::Stored(partition))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_command_and_its_id_acknowledges_the_oldest() {
        let mut adder = Adder::new("loadgen-1", 2);
        let mut sent = Vec::new();
        for partition in [1, 1, 0] {
            adder.begin_record(partition, 3, &mut sent);
            sent.extend_from_slice(b"abc");
            adder.end_record(&mut sent);
        }
        let one = "*5\r\n$4\r\nXADD\r\n$11\r\nloadgen-1:1\r\n$1\r\n*\r\n$1\r\nv\r\n$3\r\nabc\r\n";
        assert_eq!(String::from_utf8_lossy(&sent), format!("{one}{one}{}", one.replace(":1", ":0")));
        let id = b"$15\r\n1700000000000-0\r\n";
        assert_eq!(adder.next_answer(&id[..9]), Ok(None));
        let places: Vec<_> = (0..3).map(|_| adder.next_answer(id)).collect();
        assert_eq!(places, [1, 1, 0].map(|partition| Ok(Some((id.len(), Answer::Stored(partition))))));
        assert!(adder.next_answer(id).is_err());
        assert!(adder.next_answer(b"-OOM command not allowed\r\n").is_err_and(|what| what.contains("OOM")));
    }
}
