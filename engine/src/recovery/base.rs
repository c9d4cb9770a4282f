//! Where the replay begins: the newest segment with a complete checkpoint before which everything is known to be durable.
//!
//! The second condition matters: when power fails, a new segment's checkpoint may be on disk while the end of the segment before
//! it is not. Only a commit that proves a place inside the new segment shows that nothing before it can be missing.

use super::cases::Case;
use super::scan::{Journal, SegmentReader, damaged};
use super::slots::SegmentSlot;
use crate::data_directory::OpenError;
use crate::io::Io;
use crate::journal::commit::{FLAG_CHECKPOINT, FLAG_CHECKPOINT_END};
use crate::journal::segment::FIRST_COMMIT_PLACE;
use crate::offset::{JournalPosition, SegmentSequence};

/// The place of the replay's first segment among `segments`, below `limit`; None if there are none.
pub(super) fn find(
    io: &mut impl Io,
    journal: &Journal,
    segments: &[SegmentSlot],
    limit: usize,
) -> Result<Option<usize>, OpenError> {
    let mut proven_upto = JournalPosition(0);
    for (index, segment) in segments.iter().enumerate().rev() {
        let start = journal.geometry.position(segment.sequence, FIRST_COMMIT_PLACE);
        let has_checkpoint = look(io, journal, segment, start, &mut proven_upto)?;
        // A segment is recycled only after a durable commit proved a place in a later one. So behind an unproven segment all
        // older ones must still be there, and without any the question does not arise.
        if index < limit && has_checkpoint && (proven_upto > start || index == 0) {
            return Ok(Some(index));
        }
        if index == 0 {
            // The first segment of all may end inside its checkpoint: nothing was acked before it was complete.
            if segment.sequence == SegmentSequence(1) {
                return Ok(Some(index));
            }
            let detail = "no segment begins with a complete checkpoint".to_owned();
            return Err(damaged(Case::CheckpointMissing, &segment.at.path, FIRST_COMMIT_PLACE, detail));
        }
    }
    Ok(None)
}

/// Walks the headers of a segment until its checkpoint is complete and `proven_upto` lies beyond `start`, or they end.
/// Gives whether the checkpoint is complete. Payloads are judged by the replay.
fn look(
    io: &mut impl Io,
    journal: &Journal,
    segment: &SegmentSlot,
    start: JournalPosition,
    proven_upto: &mut JournalPosition,
) -> Result<bool, OpenError> {
    let mut reader = SegmentReader::new(journal, &segment.at);
    let (mut place, mut in_checkpoint, mut complete) = (FIRST_COMMIT_PLACE, true, false);
    while !(complete && *proven_upto > start) {
        let Some(header) = reader.header_at(io, place)? else {
            break;
        };
        if !segment.owns(&header) {
            break;
        }
        in_checkpoint &= header.flags & FLAG_CHECKPOINT != 0;
        complete |= in_checkpoint && header.flags & FLAG_CHECKPOINT_END != 0;
        *proven_upto = header.durable_upto.max(*proven_upto);
        place += header.length;
    }
    Ok(complete)
}
