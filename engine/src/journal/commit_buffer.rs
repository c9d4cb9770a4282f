//! The bytes of one commit: filled while open, immutable and shared once sealed.
//!
//! A batch is copied once, into chunks of aligned memory; the sealed chunks are what the ring writes and what tail readers get.

use bytes::Bytes;

use super::commit::{CommitHeader, ENTRY_BYTES, Entry, HEADER_BYTES, encode_entries};
use crate::io::Io;
use crate::io::buffer::AlignedBuffer;
use crate::ledger::Ledger;
use crate::limits::{BLOCK_BYTES, CHUNK_BYTES_LARGE, CHUNK_BYTES_SMALL};

/// A commit that still takes entries.
pub struct OpenCommit {
    chunks: Vec<AlignedBuffer>,
    /// Bytes in use, header included.
    length: usize,
    /// Bytes of all chunks.
    capacity: usize,
    entries: Vec<Entry>,
}

impl OpenCommit {
    /// An empty commit; its first chunk is small.
    pub fn new(io: &mut impl Io) -> OpenCommit {
        OpenCommit {
            chunks: vec![io.buffer(CHUNK_BYTES_SMALL)],
            length: HEADER_BYTES,
            capacity: CHUNK_BYTES_SMALL,
            entries: Vec::new(),
        }
    }

    /// Nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// Number of entries.
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }
    /// Bytes of header and payloads so far.
    pub fn length(&self) -> usize {
        self.length
    }
    /// Bytes on disk if it were sealed with `payload_bytes` and `entries` more.
    pub fn sealed_bytes(&self, payload_bytes: usize, entries: usize) -> usize {
        (self.length + payload_bytes + (self.entries.len() + entries) * ENTRY_BYTES).next_multiple_of(BLOCK_BYTES)
    }

    /// Copies a payload given in parts (a rewritten header and the untouched rest) and notes its entry; fills in place and length.
    pub fn push(&mut self, io: &mut impl Io, entry: Entry, parts: &[&[u8]]) -> Entry {
        let place = self.length;
        for part in parts {
            self.copy(io, part);
        }
        let entry = Entry { place: place as u32, length: (self.length - place) as u32, ..entry };
        self.entries.push(entry);
        entry
    }

    fn copy(&mut self, io: &mut impl Io, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.length == self.capacity {
                self.chunks.push(io.buffer(CHUNK_BYTES_LARGE));
                self.capacity += CHUNK_BYTES_LARGE;
            }
            let (index, at) = chunk_of(self.length);
            let chunk = &mut self.chunks[index][..chunk_capacity(index)];
            let count = bytes.len().min(chunk.len() - at);
            chunk[at..at + count].copy_from_slice(&bytes[..count]);
            self.length += count;
            bytes = &bytes[count..];
        }
    }

    /// Ends the commit: entry table, padding, header. `header` carries the identity; counts and places are filled in here. Its buffers
    /// are charged to `buffers` as long as anybody holds a slice of them.
    pub fn seal(mut self, io: &mut impl Io, header: CommitHeader, buffers: &Ledger) -> SealedCommit {
        let mut table = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        encode_entries(&self.entries, &mut table);
        let table_place = self.length;
        self.copy(io, &table);
        let length = self.length.next_multiple_of(BLOCK_BYTES);
        let padding = [0_u8; BLOCK_BYTES];
        self.copy(io, &padding[..length - self.length]);
        let header = CommitHeader {
            entry_count: self.entries.len() as u32,
            table_place: table_place as u32,
            length: length as u32,
            ..header
        };
        let mut encoded = [0_u8; HEADER_BYTES];
        header.encode(&table, &mut encoded);
        self.chunks[0][..HEADER_BYTES].copy_from_slice(&encoded);

        let mut left = length;
        let mut backing_bytes = 0;
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for (index, chunk) in self.chunks.into_iter().enumerate() {
            let used = left.min(chunk_capacity(index));
            backing_bytes += chunk.capacity();
            chunks.push(buffers.freeze(chunk).slice(..used));
            left -= used;
        }
        assert_eq!(left, 0, "chunks do not cover the commit");
        SealedCommit { header, entries: self.entries, chunks, backing_bytes }
    }
}

/// A commit whose bytes no longer change.
#[derive(Debug)]
pub struct SealedCommit {
    /// Its header as written.
    pub header: CommitHeader,
    /// Its entries in order.
    pub entries: Vec<Entry>,
    chunks: Vec<Bytes>,
    backing_bytes: usize,
}

impl SealedCommit {
    /// The ring writes of this commit: place in the commit, bytes.
    pub fn writes(&self) -> impl Iterator<Item = (usize, &Bytes)> {
        self.chunks.iter().enumerate().map(|(index, chunk)| (chunk_start(index), chunk))
    }

    /// Memory that a holder of any slice keeps alive.
    pub fn backing_bytes(&self) -> usize {
        self.backing_bytes
    }

    /// What is left of it in `copy`: these entries, whose bytes lie there one behind the other. For memory alone: it is never written.
    #[must_use]
    pub fn remnant(&self, mut entries: Vec<Entry>, copy: &Bytes) -> SealedCommit {
        let mut place = 0;
        for entry in &mut entries {
            entry.place = place;
            place += entry.length;
        }
        let chunks = (0..).map(|index| chunk_start(index)..chunk_start(index) + chunk_capacity(index));
        let chunks = chunks.take_while(|chunk| chunk.start < copy.len());
        let chunks = chunks.map(|chunk| copy.slice(chunk.start..chunk.end.min(copy.len()))).collect();
        SealedCommit { header: self.header, entries, chunks, backing_bytes: copy.len() }
    }

    /// Refcounted slices of `length` bytes from `place` on.
    pub fn slices(&self, place: usize, length: usize, into: &mut Vec<Bytes>) {
        let (mut place, end) = (place, place + length);
        while place < end {
            let (index, at) = chunk_of(place);
            let count = (end - place).min(chunk_capacity(index) - at);
            into.push(self.chunks[index].slice(at..at + count));
            place += count;
        }
    }
}

/// Capacity of the chunk with this index.
fn chunk_capacity(index: usize) -> usize {
    if index == 0 { CHUNK_BYTES_SMALL } else { CHUNK_BYTES_LARGE }
}

/// Place in the commit at which the chunk with this index starts.
fn chunk_start(index: usize) -> usize {
    if index == 0 { 0 } else { CHUNK_BYTES_SMALL + (index - 1) * CHUNK_BYTES_LARGE }
}

/// Index of the chunk that holds a place, and the place in it.
fn chunk_of(place: usize) -> (usize, usize) {
    match place.checked_sub(CHUNK_BYTES_SMALL) {
        None => (0, place),
        Some(rest) => (1 + rest / CHUNK_BYTES_LARGE, rest % CHUNK_BYTES_LARGE),
    }
}
