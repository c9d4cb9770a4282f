//! Which files older than the base are alive: those that its checkpoint lists, with the replacements since. The others are left over from
//! a crash between a swap of the cleaner and the removal, or before the swap.

use std::path::Path;

use super::Findings;
use super::cases::Case;
use super::scan::damaged;
use super::slots::{SegmentSlot, Slot, Slots};
use crate::data_directory::OpenError;
use crate::io::Io;
use crate::journal::live_segments::{LiveSegments, Replacement, SegmentName};
use crate::journal::segment::index_name;

/// What the journal says of the segments before the base.
#[derive(Default)]
pub(super) struct Named {
    /// The base's list. None: the base is of format version 1, to which every older segment was alive.
    pub listed: Option<LiveSegments>,
    /// Since then, in order.
    pub replacements: Vec<Replacement>,
}

/// The files before the base, parted.
#[derive(Default)]
pub(super) struct Resolved {
    /// Alive, in order.
    pub sealed: Vec<SegmentSlot>,
    /// Replaced or given back: free.
    pub dead: Vec<Slot>,
    /// Clustered segments that nothing names.
    pub orphans: Vec<Slot>,
    /// A clustered segment that is named and not there.
    missing: Option<SegmentName>,
    /// The highest generation that anything names.
    pub last_generation: u32,
}

/// Parts the files older than the base at `base`.
pub(super) fn resolve(slots: &Slots, base: usize, named: &Named) -> Resolved {
    let older = &slots.segments[..base];
    let mut live = named.listed.clone().unwrap_or_else(|| {
        let mut live = LiveSegments::default();
        for segment in older {
            live.insert(segment.name());
        }
        live
    });
    let listed = live.names();
    for replacement in &named.replacements {
        live.replace(replacement);
    }
    let (sealed, dead) = older.iter().chain(&slots.clustered).cloned().partition(|slot| live.holds(slot.name()));
    let (mut sealed, dead): (Vec<SegmentSlot>, Vec<SegmentSlot>) = (sealed, dead);
    sealed.sort_by_key(|segment| segment.sequence);
    let is_there = |name: &SegmentName| sealed.iter().any(|segment| segment.name() == *name);
    let missing = live.names().into_iter().find(|name| name.generation > 0 && !is_there(name));
    let outputs = named.replacements.iter().filter_map(|replacement| replacement.output);
    let on_disk = slots.clustered.iter().map(SegmentSlot::name);
    let last_generation = outputs.chain(on_disk).chain(listed).map(|name| name.generation).max().unwrap_or(0);
    let (dead, orphans): (Vec<_>, Vec<_>) = dead.into_iter().partition(|slot| slot.generation == 0);
    Resolved {
        sealed,
        dead: dead.into_iter().map(|slot| slot.at).collect(),
        orphans: orphans.into_iter().map(|slot| slot.at).chain(slots.unfinished.iter().cloned()).collect(),
        missing,
        last_generation,
    }
}

impl Resolved {
    /// Its batches are nowhere else: the victims that it replaced may have been overwritten, or hold what compaction took away since.
    pub fn check_that_none_is_missing(&self, folder: &Path) -> Result<(), OpenError> {
        self.missing.map_or(Ok(()), |name| {
            let detail = format!("segment {name} is alive, and no file holds it");
            Err(damaged(Case::ClusteredMissing, folder, 0, detail))
        })
    }

    /// Removes what nothing names.
    pub fn remove_orphans(&self, io: &mut impl Io, findings: &mut Findings) -> Result<(), OpenError> {
        for slot in &self.dead {
            findings.note(Case::SegmentDead, &slot.path, 0);
        }
        for slot in &self.orphans {
            findings.note(Case::ClusteredOrphan, &slot.path, 0);
            io.close(slot.file);
            let index = slot.path.with_file_name(index_name(slot.number));
            for path in [&index, &slot.path] {
                io.remove_file(path).map_err(|error| OpenError::of_io("remove", path, error))?;
            }
        }
        Ok(())
    }
}
