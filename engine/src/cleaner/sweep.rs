//! One sweep over the victims: the items of a round, read in the order of the files, passed on in the order of the logs.

use super::plan::{Item, PieceRead, reads};
use crate::batch::{BatchHeader, crc_is_valid, walk};
use crate::offset::{LogId, Offset};

/// A sweep under way. It holds the bytes of its items until they are passed on.
pub(crate) struct Sweep {
    items: Vec<Item>,
    bytes: Vec<Vec<u8>>,
    reads: Vec<PieceRead>,
    next_read: usize,
    reads_left: usize,
    next_item: usize,
}

impl Sweep {
    /// A sweep for these items.
    pub fn new(items: Vec<Item>) -> Sweep {
        let reads = reads(&items);
        let bytes = items.iter().map(|_| Vec::new()).collect();
        Sweep { reads_left: reads.len(), items, bytes, reads, next_read: 0, next_item: 0 }
    }

    /// The next read and its number, until [`Sweep::submitted`] is called.
    pub fn next_read(&self) -> Option<(usize, &PieceRead)> {
        Some((self.next_read, self.reads.get(self.next_read)?))
    }
    /// The next read is on its way.
    pub fn submitted(&mut self) {
        self.next_read += 1;
    }
    /// Which victim a read goes to.
    pub fn victim_of(&self, read: usize) -> Option<usize> {
        self.reads.get(read).map(|read| read.victim)
    }
    /// Something was passed on already.
    pub fn is_emptied(&self) -> bool {
        self.next_item > 0
    }
    /// What is not passed on yet.
    pub fn rest(&self) -> &[Item] {
        &self.items[self.next_item..]
    }

    /// A read came back; gives its length.
    pub fn take(&mut self, read: usize, buffer: &[u8]) -> usize {
        let PieceRead { position, length, items, .. } = &self.reads[read];
        for &item in items {
            if let Item::Piece { run, .. } = self.items[item] {
                let from = (u64::from(run.place) - position) as usize;
                self.bytes[item] = buffer[from..from + run.length as usize].to_vec();
            }
        }
        self.reads_left -= 1;
        *length
    }

    /// All reads are back.
    pub fn is_read(&self) -> bool {
        self.reads_left == 0
    }

    /// The next item with its bytes.
    pub fn pop(&mut self) -> Option<(Item, Vec<u8>)> {
        let item = *self.items.get(self.next_item)?;
        self.next_item += 1;
        Some((item, std::mem::take(&mut self.bytes[self.next_item - 1])))
    }
}

/// Checks the batches of a run, which begins at `first`, and passes on those that reach up to `start`.
pub(crate) fn for_each_batch(
    log: LogId,
    (start, first): (Offset, Offset),
    bytes: &[u8],
    mut pass: impl FnMut(&BatchHeader, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let (mut expected, mut covered) = (first, 0);
    for (at, header) in walk(bytes) {
        let batch = &bytes[at..at + header.total_bytes().unwrap_or(0)];
        if header.base_offset() != expected.0 || header.last_offset_delta() < 0 || !crc_is_valid(batch, &header) {
            return Err(format!("the batch at offset {expected} of log {log} is not what was written"));
        }
        let last = expected.plus(i64::from(header.last_offset_delta()));
        (expected, covered) = (last.plus(1), at + batch.len());
        if last >= start {
            pass(&header, batch)?;
        }
    }
    if covered == bytes.len() { Ok(()) } else { Err(format!("no batch at offset {expected} of log {log}")) }
}
