//! Reading: one XREAD of all partitions at a time, which waits when there is nothing. The next can only be asked when all of the
//! answer is there, since it begins behind the last ids.

use super::reply::Cursor;
use super::{command, key};
use crate::peer::Parsed;
use crate::peer::consumer::{ConsumerWire, Delivered};
use crate::workload::FETCH_WAIT_MS_MAX;

/// Longest id: two numbers of 64 bits.
const ID_BYTES_MAX: usize = 41;

/// The consumer's wire.
pub(in crate::peer) struct StreamReader {
    records: usize,
    keys: Vec<Vec<u8>>,
    /// The last entry of each that was read.
    ids: Vec<Vec<u8>>,
    stage: Stage,
    asked_ns: u64,
    /// From where the next question begins, so that a full answer does not starve the last partitions.
    first: usize,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is asked.
    Idle,
    /// The head of an answer.
    Head,
    /// The head of one of so many streams.
    Stream(i64),
    /// One of so many entries of the stream in this place, with so many streams behind it.
    Entry(usize, i64, i64),
}

impl StreamReader {
    pub(in crate::peer) fn new(topic: &str, partitions: &[u32], records: usize) -> Self {
        let keys: Vec<Vec<u8>> =
            partitions.iter().map(|&partition| key(topic, partition as usize).into_bytes()).collect();
        let ids = keys.iter().map(|_| b"0-0".to_vec()).collect();
        Self { records, keys, ids, stage: Stage::Idle, asked_ns: 0, first: 0 }
    }

    fn head(cursor: &mut Cursor<'_>) -> Result<Option<Stage>, String> {
        Ok(cursor.number(b'*')?.map(|streams| if streams > 0 { Stage::Stream(streams) } else { Stage::Idle }))
    }

    fn stream(&self, bytes: &[u8], cursor: &mut Cursor<'_>, left: i64) -> Result<Option<Stage>, String> {
        if cursor.number(b'*')?.is_none() {
            return Ok(None);
        }
        let Some((from, to)) = cursor.text()? else { return Ok(None) };
        let Some(entries) = cursor.number(b'*')? else { return Ok(None) };
        let place = self.keys.iter().position(|key| key == &bytes[from..to]);
        let place = place.ok_or("sent a stream that was not asked for")?;
        Ok(Some(Self::behind(place, entries, left - 1)))
    }

    /// The ends of the entry's id and of its value.
    #[allow(clippy::type_complexity)]
    fn entry(cursor: &mut Cursor<'_>) -> Result<Option<((usize, usize), (usize, usize))>, String> {
        if cursor.number(b'*')?.is_none() {
            return Ok(None);
        }
        let Some(id) = cursor.text()? else { return Ok(None) };
        match cursor.number(b'*')? {
            None => return Ok(None),
            Some(2) => {}
            Some(_) => return Err("sent an entry that nobody of us added".into()),
        }
        if cursor.text()?.is_none() {
            return Ok(None);
        }
        Ok(cursor.text()?.map(|value| (id, value)))
    }

    fn behind(place: usize, entries: i64, streams: i64) -> Stage {
        match (entries, streams) {
            (0, 0) => Stage::Idle,
            (0, streams) => Stage::Stream(streams),
            _ => Stage::Entry(place, entries, streams),
        }
    }
}

impl ConsumerWire for StreamReader {
    fn ask(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        if self.stage != Stage::Idle {
            return;
        }
        let (count, wait) = (self.records.to_string(), FETCH_WAIT_MS_MAX.to_string());
        let mut words: Vec<&[u8]> = vec![b"XREAD", b"COUNT", count.as_bytes(), b"BLOCK", wait.as_bytes(), b"STREAMS"];
        let turned =
            |all: &'_ [Vec<u8>]| -> Vec<usize> { (0..all.len()).map(|at| (at + self.first) % all.len()).collect() };
        let order = turned(&self.keys);
        words.extend(order.iter().map(|&at| self.keys[at].as_slice()));
        words.extend(order.iter().map(|&at| self.ids[at].as_slice()));
        command(&words, out);
        self.first = (self.first + 1) % self.keys.len();
        self.stage = Stage::Head;
        self.asked_ns = now_ns;
    }

    fn next(&mut self, bytes: &[u8]) -> Parsed<Delivered> {
        let mut cursor = Cursor::new(bytes);
        let stage = match self.stage {
            Stage::Idle if bytes.is_empty() => return Ok(None),
            Stage::Idle => return Err("answers what was never asked".into()),
            Stage::Head => Self::head(&mut cursor)?,
            Stage::Stream(left) => self.stream(bytes, &mut cursor, left)?,
            Stage::Entry(place, entries, streams) => {
                let Some((id, value)) = Self::entry(&mut cursor)? else { return Ok(None) };
                if id.1 - id.0 > ID_BYTES_MAX {
                    return Err("sent an id that is none".into());
                }
                self.ids[place].clear();
                self.ids[place].extend_from_slice(&bytes[id.0..id.1]);
                self.stage = Self::behind(place, entries - 1, streams);
                return Ok(Some((cursor.position(), Delivered::Record(place, value))));
            }
        };
        let Some(stage) = stage else { return Ok(None) };
        self.stage = stage;
        Ok(Some((cursor.position(), Delivered::Remark)))
    }

    fn oldest_asked_ns(&self) -> Option<u64> {
        (self.stage == Stage::Head).then_some(self.asked_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"*2\r\n*2\r\n$3\r\nt:5\r\n*2\r\n*2\r\n$3\r\n7-0\r\n*2\r\n$1\r\nv\r\n$3\r\none\r\n\
        *2\r\n$3\r\n7-1\r\n*2\r\n$1\r\nv\r\n$3\r\ntwo\r\n*2\r\n$3\r\nt:4\r\n*1\r\n*2\r\n$3\r\n9-9\r\n*2\r\n$1\r\nv\r\n$1\r\nx\r\n";

    /// Records in what arrives in pieces of so many bytes.
    fn read(reader: &mut StreamReader, answer: &[u8], piece: usize) -> Vec<(usize, Vec<u8>)> {
        let (mut taken, mut records) = (0, Vec::new());
        for end in (0..=answer.len()).step_by(piece).chain([answer.len()]) {
            while let Some((bytes, found)) = reader.next(&answer[taken..end]).expect("an answer") {
                if let Delivered::Record(place, (from, to)) = found {
                    records.push((place, answer[taken + from..taken + to].to_vec()));
                }
                taken += bytes;
            }
        }
        assert_eq!(taken, answer.len());
        records
    }

    #[test]
    fn an_answer_in_any_pieces_gives_its_records_and_the_next_question_goes_on_behind_them() {
        for piece in [1, 3, 7, 1_000] {
            let mut reader = StreamReader::new("t", &[4, 5], 10);
            let (mut first, mut second) = (Vec::new(), Vec::new());
            reader.ask(1, &mut first);
            let found = read(&mut reader, ANSWER, piece);
            assert_eq!(found, [(1, b"one".to_vec()), (1, b"two".to_vec()), (0, b"x".to_vec())], "{piece}");
            assert_eq!(reader.oldest_asked_ns(), None);
            reader.ask(2, &mut second);
            let ids = String::from_utf8_lossy(&second).into_owned();
            assert!(ids.ends_with("t:5\r\n$3\r\nt:4\r\n$3\r\n7-1\r\n$3\r\n9-9\r\n"), "{ids}");
        }
    }

    #[test]
    fn an_empty_answer_is_asked_for_again_and_a_foreign_one_refused() {
        let mut reader = StreamReader::new("t", &[4], 10);
        let mut out = Vec::new();
        assert!(reader.next(b"*-1\r\n").is_err(), "before anything was asked");
        reader.ask(1, &mut out);
        assert_eq!(reader.next(b"*-1\r\n"), Ok(Some((5, Delivered::Remark))));
        reader.ask(2, &mut out);
        assert_eq!(reader.next(b"*1\r\n"), Ok(Some((4, Delivered::Remark))));
        assert!(reader.next(b"*2\r\n$3\r\nt:9\r\n*1\r\n").is_err());
    }
}
