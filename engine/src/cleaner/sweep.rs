//! One sweep over the victims: the items of a round, read in the order of the files, passed on in the order of the logs.

use super::plan::{Item, PieceRead, reads};
use crate::batch::{BatchHeader, crc_is_valid, walk};
use crate::journal::index::Run;
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

/// Checks the batches of a run, and passes on those that reach up to `start`. After an error what was passed on is not to be used.
///
/// What a batch's CRC does not tell, the run does: its leader epoch, and whose it is.
pub(crate) fn for_each_batch(
    log: LogId,
    start: Offset,
    run: &Run,
    bytes: &[u8],
    mut pass: impl FnMut(&BatchHeader, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let (mut expected, mut covered, mut crc_sum) = (run.base_offset, 0, 0_u32);
    for (at, header) in walk(bytes) {
        let batch = &bytes[at..at + header.total_bytes().unwrap_or(0)];
        let is_in_place = header.base_offset() == expected.0
            && header.last_offset_delta() >= 0
            && header.leader_epoch() == run.leader_epoch;
        if !is_in_place || !crc_is_valid(batch, &header) {
            return Err(format!("the batch at offset {expected} of log {log} is not what was written"));
        }
        crc_sum = crc_sum.wrapping_add(header.crc());
        let last = expected.plus(i64::from(header.last_offset_delta()));
        (expected, covered) = (last.plus(1), at + batch.len());
        if last >= start {
            pass(&header, batch)?;
        }
    }
    if covered == bytes.len() && crc_sum == run.crc_sum {
        return Ok(());
    }
    Err(format!("no batch at offset {expected} of log {log}, or others than were written before it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BATCH_HEADER_BYTES;
    use crate::batch::tests::batch;

    const LOG: LogId = LogId(1);

    /// Two batches as they were written, and the run that tells of them.
    fn written() -> (Run, Vec<u8>) {
        let mut bytes = Vec::new();
        for base in [10, 12] {
            let mut one = batch(2, 100, (-1, -1, -1), base);
            let mut header = BatchHeader::parse(&one).expect("whole");
            header.place_at(base, 8);
            one[..BATCH_HEADER_BYTES].copy_from_slice(header.bytes());
            bytes.append(&mut one);
        }
        let crc_sum = walk(&bytes).fold(0, |sum: u32, (_, header)| sum.wrapping_add(header.crc()));
        let length = bytes.len() as u32;
        let run = Run {
            base_offset: Offset(10),
            last_offset_delta: 3,
            place: 0,
            length,
            leader_epoch: 8,
            max_timestamp: 12,
            crc_sum,
        };
        (run, bytes)
    }

    fn passed(run: &Run, bytes: &[u8]) -> Result<usize, String> {
        let mut count = 0;
        let count_it = |_: &BatchHeader, _: &[u8]| {
            count += 1;
            Ok(())
        };
        for_each_batch(LOG, Offset(0), run, bytes, count_it).map(|()| count)
    }

    #[test]
    fn every_flipped_bit_of_a_run_is_seen_also_where_no_crc_is() {
        let (run, bytes) = written();
        assert_eq!(passed(&run, &bytes), Ok(2));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(passed(&run, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn valid_batches_of_another_log_with_the_same_offsets_are_not_copied() {
        let (run, bytes) = written();
        let foreign = Run { crc_sum: run.crc_sum.wrapping_add(1), ..run };
        assert!(passed(&foreign, &bytes).is_err());
    }
}
