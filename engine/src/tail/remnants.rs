//! What is left of commits that left the tail: the batches of quiet logs, copied, oldest first, in a few pieces of memory that come and go whole.
//! A piece of its own for each batch would break up the heap that the large buffers of commits come from.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;

use super::commit_overhead_bytes;
use crate::journal::commit::Entry;
use crate::journal::commit_buffer::SealedCommit;
use crate::ledger::{Charge, Ledger};
use crate::limits::{CHUNK_BYTES_LARGE, TAIL_REMNANT_PIECES};

/// The remnants of a shard.
#[derive(Debug)]
pub(crate) struct Remnants {
    pieces: VecDeque<Piece>,
    piece_bytes: usize,
    bytes_max: usize,
    /// Of all pieces, with what their commits and entries take.
    bytes: usize,
}

#[derive(Debug)]
struct Piece {
    room: BytesMut,
    charge: Arc<Charge>,
    remnants: Vec<Rc<SealedCommit>>,
    bytes: usize,
}

impl Remnants {
    pub fn new(bytes_max: usize) -> Remnants {
        let piece_bytes = (bytes_max / TAIL_REMNANT_PIECES).min(CHUNK_BYTES_LARGE);
        Remnants { pieces: VecDeque::new(), piece_bytes, bytes_max, bytes: 0 }
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of their memory alone.
    pub fn backing_bytes(&self) -> usize {
        self.pieces.len() * self.piece_bytes
    }

    /// The largest remnant.
    pub fn one_bytes_max(&self) -> usize {
        self.piece_bytes
    }

    /// Copies these entries of a commit, in all at most [`Remnants::one_bytes_max`]. The memory is charged to `buffers` as long as anybody holds
    /// a slice of it.
    pub fn keep(&mut self, commit: &SealedCommit, entries: Vec<Entry>, buffers: &Ledger) -> Rc<SealedCommit> {
        let length = entries.iter().map(|entry| entry.length as usize).sum();
        assert!(length <= self.piece_bytes, "a remnant lies in one piece");
        if self.pieces.back().is_none_or(|piece| piece.room.capacity() < length) {
            let (room, charge) =
                (BytesMut::with_capacity(self.piece_bytes), Arc::new(buffers.charge(self.piece_bytes)));
            self.pieces.push_back(Piece { room, charge, remnants: Vec::new(), bytes: self.piece_bytes });
            self.bytes += self.piece_bytes;
        }
        let piece = self.pieces.back_mut().expect("there is one now");
        let mut slices = Vec::new();
        for entry in &entries {
            commit.slices(entry.place as usize, entry.length as usize, &mut slices);
        }
        for slice in &slices {
            piece.room.extend_from_slice(slice);
        }
        let copy = Ledger::attach(piece.room.split().freeze(), &piece.charge);
        let remnant = Rc::new(commit.remnant(entries, &copy));
        let overhead = commit_overhead_bytes(&remnant);
        piece.bytes += overhead;
        self.bytes += overhead;
        piece.remnants.push(Rc::clone(&remnant));
        remnant
    }

    /// Forgets the oldest if they take more than they may, a piece at a time.
    pub fn forget(&mut self) -> Vec<Rc<SealedCommit>> {
        if self.bytes <= self.bytes_max {
            return Vec::new();
        }
        let oldest = self.pieces.pop_front().expect("what takes memory is there");
        self.bytes -= oldest.bytes;
        oldest.remnants
    }
}
