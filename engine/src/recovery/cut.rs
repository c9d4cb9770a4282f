//! Overwrites what lies behind the end. Real zeros, never a punched hole: that would unwrite the extents.

use super::end::Leftovers;
use super::slots::{Slot, Slots};
use crate::data_directory::OpenError;
use crate::io::Io;
use crate::journal::segment::FIRST_COMMIT_PLACE;
use crate::limits::{BLOCK_BYTES, CHUNK_BYTES_LARGE};

/// Zeros the leftovers and flushes. Interrupted at any point, the next recovery finds the same end.
pub(super) fn run(
    io: &mut impl Io,
    slots: &Slots,
    end_index: usize,
    end_place: u32,
    leftovers: &Leftovers,
) -> Result<(), OpenError> {
    // Behind the end first: as long as the end's own segment has leftovers, they are found again.
    for &(index, upto) in &leftovers.free {
        give_back(io, &slots.free[index].at, upto)?;
    }
    for &(index, upto) in &leftovers.segments {
        give_back(io, &slots.segments[index].at, upto)?;
    }
    if let (Some(upto), Some(segment)) = (leftovers.end_segment_upto, slots.segments.get(end_index)) {
        zero(io, &segment.at, end_place, upto)?;
    }
    Ok(())
}

/// Makes a segment's file free: its commits go first, so that no crash leaves them without their header.
pub(super) fn give_back(io: &mut impl Io, slot: &Slot, upto: u32) -> Result<(), OpenError> {
    // At least the first block, where commits of the file's earlier life may stand.
    zero(io, slot, FIRST_COMMIT_PLACE, upto.max(FIRST_COMMIT_PLACE + BLOCK_BYTES as u32))?;
    zero(io, slot, 0, FIRST_COMMIT_PLACE)
}

fn zero(io: &mut impl Io, slot: &Slot, from: u32, upto: u32) -> Result<(), OpenError> {
    let mut zeros = io.buffer(CHUNK_BYTES_LARGE);
    zeros.fill(0);
    let mut place = from;
    while place < upto {
        let bytes = CHUNK_BYTES_LARGE.min((upto - place) as usize);
        io.write_at(slot.file, u64::from(place), &zeros, bytes)
            .map_err(|error| OpenError::of_io("write zeros to", &slot.path, error))?;
        place += bytes as u32;
    }
    io.sync_data(slot.file).map_err(|error| OpenError::of_io("flush", &slot.path, error))
}
