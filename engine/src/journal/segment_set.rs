//! The segment files of a shard: the active one, spares made ahead of need, sealed ones, and how their space comes back.

mod swap;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use uuid::Uuid;

use super::disk_space::{DiskLevel, DiskSpace, RoomFor};
use super::index::IndexBuilder;
use super::live_segments::SegmentName;
use super::operations::{Operations, Purpose};
use super::segment::{SegmentGeometry, clustered_name, index_name, segment_name};
use crate::io::{FileId, Io, Op};
use crate::limits::RING_WRITE_BYTES_MAX;
use crate::offset::{CommitSequence, SegmentSequence, ShardId};

/// A segment that holds commits.
#[derive(Debug)]
pub struct Segment {
    /// Number of its file name.
    pub slot: u32,
    /// Its file.
    pub file: FileId,
    /// 0, or that of a clustered segment.
    pub generation: u32,
    /// Bytes of its file.
    pub file_bytes: u64,
    /// Logs with data in it.
    pub live_logs: usize,
    /// Reads that need it.
    pub leases: usize,
    /// Runs of its commits, until they are in an index file.
    pub index: Option<IndexBuilder>,
    /// Its first commit, once there is one.
    pub first_commit: Option<CommitSequence>,
    /// End of its commits, once no more will follow.
    pub end_place: Option<u32>,
    index_writing: bool,
}

/// A file ready to become a segment.
#[derive(Debug)]
struct Spare {
    slot: u32,
    file: FileId,
    /// Zeros (or an earlier life) up to here; the rest is unwritten extents.
    zeroed: u64,
    zeroing: bool,
    synced: bool,
}

/// The segment files of a shard.
#[derive(Clone, Copy, Debug)]
pub struct SegmentStats {
    /// Size of one.
    pub bytes_each: u64,
    /// With data: the active one and those that are sealed.
    pub used: usize,
    /// Ready to become the next.
    pub spare: usize,
    /// What is left of the disk, as a level.
    pub disk_level: DiskLevel,
}

/// All segments of a shard.
#[derive(Debug)]
pub struct SegmentSet {
    directory: PathBuf,
    geometry: SegmentGeometry,
    segments: BTreeMap<SegmentSequence, Segment>,
    spares: VecDeque<Spare>,
    next_slot: u32,
    creating: bool,
    space: DiskSpace,
    /// Segments below have their state repeated in a durable checkpoint, so they may go when they hold no data.
    checkpointed_from: SegmentSequence,
}

impl SegmentSet {
    /// The segments of `directory`; `free` are files whose earlier life is over, `next_slot` is a number that no file has.
    pub fn new(
        directory: PathBuf,
        geometry: SegmentGeometry,
        space: DiskSpace,
        segments: BTreeMap<SegmentSequence, Segment>,
        free: Vec<(u32, FileId)>,
        next_slot: u32,
    ) -> SegmentSet {
        let spares = free
            .into_iter()
            .map(|(slot, file)| Spare { slot, file, zeroed: geometry.segment_bytes(), zeroing: false, synced: true })
            .collect();
        SegmentSet {
            directory,
            geometry,
            segments,
            spares,
            next_slot,
            creating: false,
            space,
            checkpointed_from: SegmentSequence(0),
        }
    }

    /// A segment that holds commits.
    pub fn get(&self, sequence: SegmentSequence) -> Option<&Segment> {
        self.segments.get(&sequence)
    }
    /// The same, to change it.
    pub fn get_mut(&mut self, sequence: SegmentSequence) -> Option<&mut Segment> {
        self.segments.get_mut(&sequence)
    }
    /// The newest segment.
    pub fn newest(&self) -> Option<SegmentSequence> {
        self.segments.last_key_value().map(|(&sequence, _)| sequence)
    }
    /// How much room the disk has.
    pub fn disk_level(&self) -> DiskLevel {
        self.space.level()
    }
    /// Whether records must wait for the first look at the disk.
    pub fn disk_is_unknown(&self) -> bool {
        self.space.is_unknown()
    }
    /// Whether what found no segment will get none: the disk is full. Otherwise one is on its way.
    pub fn refuses(&mut self, wanted: RoomFor) -> bool {
        let refuses = self.space.is_refused() && self.spares.len() <= self.kept_spares(wanted);
        if refuses && wanted == RoomFor::Records {
            self.space.fill();
        }
        refuses
    }
    /// A segment is at hand.
    pub fn has_spare(&self) -> bool {
        !self.spares.is_empty()
    }
    /// How many there are.
    pub fn stats(&self, bytes_each: u64) -> SegmentStats {
        SegmentStats { bytes_each, used: self.segments.len(), spare: self.spares.len(), disk_level: self.disk_level() }
    }
    /// Path of a file in this shard's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// One more log has data in a segment.
    pub fn hold(&mut self, sequence: SegmentSequence) {
        self.segments.get_mut(&sequence).expect("a span names a known segment").live_logs += 1;
    }
    /// One log less has data in a segment. Its last data must be durably gone.
    pub fn release(&mut self, sequence: SegmentSequence) {
        let segment = self.segments.get_mut(&sequence).expect("a span names a known segment");
        assert!(segment.live_logs > 0, "segment released more often than held");
        segment.live_logs -= 1;
    }
    /// The checkpoint at the head of `sequence` is durable.
    pub fn checkpoint_is_durable(&mut self, sequence: SegmentSequence) {
        self.checkpointed_from = self.checkpointed_from.max(sequence);
    }

    /// Spares that are not for this use: all before the first look, and the reserve as long as there is other room. The first segment of all
    /// needs none.
    fn kept_spares(&self, wanted: RoomFor) -> usize {
        let may_use_reserve = wanted != RoomFor::Records && self.space.is_refused();
        match (self.segments.is_empty() || may_use_reserve, self.space.is_unknown()) {
            (true, _) => 0,
            (false, true) => self.spares.len(),
            (false, false) => self.space.reserve_segments(),
        }
    }

    /// Makes the best spare the newest segment; None if there is none for this use.
    pub fn activate(&mut self, wanted: RoomFor) -> Option<(SegmentSequence, FileId)> {
        if self.spares.len() <= self.kept_spares(wanted) {
            return None;
        }
        let best =
            (0..self.spares.len()).filter(|&at| !self.spares[at].zeroing).max_by_key(|&at| self.spares[at].zeroed)?;
        let spare = self.spares.remove(best)?;
        let sequence = SegmentSequence(self.newest().map_or(1, |newest| newest.0 + 1));
        let segment = Segment {
            slot: spare.slot,
            file: spare.file,
            generation: 0,
            file_bytes: self.geometry.segment_bytes(),
            live_logs: 0,
            leases: 0,
            index: Some(IndexBuilder::default()),
            first_commit: None,
            end_place: None,
            index_writing: false,
        };
        self.segments.insert(sequence, segment);
        if self.space.is_refused() && self.spares.len() < self.space.reserve_segments() {
            self.space.fill();
        }
        Some((sequence, spare.file))
    }

    fn add_spare(&mut self, slot: u32, file: FileId) {
        self.next_slot = self.next_slot.max(slot + 1);
        self.spares.push_back(Spare { slot, file, zeroed: 0, zeroing: false, synced: false });
    }

    /// Keeps spares ahead of need: looks for room and makes files, zeroes them while the journal is idle, takes back dead segments.
    pub fn pump<I: Io>(&mut self, operations: &mut Operations<I>, idle: bool) {
        self.reclaim(operations);
        self.space.spares_are(self.spares.len());
        let is_wanted = self.spares.len() <= self.space.reserve_segments();
        if !self.creating && self.space.wants_look(is_wanted, operations.io.monotonic_ns()) {
            self.space.look_begins();
            operations.submit(Purpose::LookForSpace, Op::FreeBytes { path: self.directory.clone() });
        }
        if idle {
            self.zero_a_step(operations);
        }
    }

    /// The file system said how much is free. Where it does not say, the attempt shows it.
    pub fn look_ended<I: Io>(&mut self, operations: &mut Operations<I>, free: std::io::Result<u64>) {
        let free_bytes = free.unwrap_or_else(|error| {
            tracing::warn!(%error, "the file system does not say how much is free");
            u64::MAX
        });
        if self.space.look_ended(free_bytes, self.spares.len(), operations.io.monotonic_ns()) {
            self.creating = true;
            let slot = self.take_slot();
            let path = self.path(&segment_name(slot));
            operations
                .submit(Purpose::CreateSegment { slot }, Op::CreateFile { path, bytes: self.geometry.segment_bytes() });
        }
    }

    fn zero_a_step<I: Io>(&mut self, operations: &mut Operations<I>) {
        if self.spares.iter().any(|spare| spare.zeroing) {
            return;
        }
        let segment_bytes = self.geometry.segment_bytes();
        let Some(spare) = self.spares.iter_mut().find(|spare| !spare.synced) else {
            return;
        };
        let (slot, file) = (spare.slot, spare.file);
        spare.zeroing = true;
        if spare.zeroed == segment_bytes {
            operations.submit(Purpose::ZeroSync { slot }, Op::SyncData { file });
        } else {
            let length = (segment_bytes - spare.zeroed).min(RING_WRITE_BYTES_MAX as u64);
            operations.submit(Purpose::Zero { slot }, Op::WriteZeroes { file, position: spare.zeroed, length });
        }
    }

    /// A step of zeroing ended. A failed one only means that the spare stays unwritten from here on.
    pub fn zero_ended(&mut self, slot: u32, ok: bool) {
        let segment_bytes = self.geometry.segment_bytes();
        if let Some(spare) = self.spares.iter_mut().find(|spare| spare.slot == slot) {
            spare.zeroing = false;
            spare.zeroed =
                if ok { (spare.zeroed + RING_WRITE_BYTES_MAX as u64).min(segment_bytes) } else { spare.zeroed };
            spare.synced |= !ok;
        }
    }
    /// The flush after zeroing succeeded.
    pub fn zero_sync_ended(&mut self, slot: u32) {
        if let Some(spare) = self.spares.iter_mut().find(|spare| spare.slot == slot) {
            (spare.zeroing, spare.synced) = (false, true);
        }
    }

    /// A new segment file was made, or could not be.
    pub fn created(&mut self, slot: u32, made: std::io::Result<FileId>, now_ns: u64) {
        self.creating = false;
        let ok = made.is_ok();
        match made {
            Ok(file) => self.add_spare(slot, file),
            Err(error) => tracing::debug!(slot, %error, "no journal segment was made"),
        }
        self.space.segment_made(ok, self.spares.len(), now_ns);
    }

    /// When [`SegmentSet::pump`] wants to be called again although nothing completes.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.space.next_look_ns().filter(|_| !self.creating)
    }

    /// Writes the indexes of sealed segments below `durable_below`, all of whose commits are durable.
    pub fn write_indexes<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        durable_below: SegmentSequence,
        shard: ShardId,
        directory_id: Uuid,
    ) {
        for (&sequence, segment) in self.segments.range_mut(..durable_below) {
            let (Some(builder), Some(end_place), Some(first_commit), false) =
                (&segment.index, segment.end_place, segment.first_commit, segment.index_writing)
            else {
                continue;
            };
            segment.index_writing = true;
            let content = builder.build(sequence, first_commit, end_place).encode(shard, directory_id);
            operations.submit(
                Purpose::IndexWrite(sequence),
                Op::ReplaceFile { path: self.directory.join(index_name(segment.slot)), content },
            );
        }
    }

    /// The index was written, or could not be: then it stays in memory, and a start rebuilds it.
    pub fn index_written(&mut self, sequence: SegmentSequence, result: std::io::Result<()>) {
        let Some(segment) = self.segments.get_mut(&sequence) else {
            return;
        };
        segment.index_writing = false;
        match result {
            Ok(()) => segment.index = None,
            Err(error) => {
                tracing::warn!(segment = sequence.0, %error, "index of a sealed segment was not written");
            }
        }
    }

    /// Sealed segments without data become spares. A clustered one stays until the journal says that it is gone.
    fn reclaim<I: Io>(&mut self, operations: &mut Operations<I>) {
        let dead: Vec<SegmentSequence> = self
            .segments
            .iter()
            .take_while(|(sequence, _)| **sequence < self.checkpointed_from)
            .filter(|(_, segment)| {
                segment.generation == 0
                    && segment.live_logs == 0
                    && segment.leases == 0
                    && segment.end_place.is_some()
                    && !segment.index_writing
            })
            .map(|(&sequence, _)| sequence)
            .collect();
        for sequence in dead {
            if let Some(segment) = self.segments.remove(&sequence) {
                self.give_back(operations, &segment);
            }
        }
    }

    /// The file of a segment that nobody needs: a spare, if there are few and it has their size; else the file system gets it back.
    fn give_back<I: Io>(&mut self, operations: &mut Operations<I>, segment: &Segment) {
        let (slot, file) = (segment.slot, segment.file);
        if segment.generation == 0 && self.spares.len() < self.space.spares_max() {
            let zeroed = self.geometry.segment_bytes();
            self.spares.push_back(Spare { slot, file, zeroed, zeroing: false, synced: true });
            return;
        }
        operations.io.close(file);
        let name = if segment.generation == 0 { segment_name(slot) } else { clustered_name(slot) };
        // The index first: a file without its index is understood, an index without its file would be taken for another's.
        for name in [index_name(slot), name] {
            operations.submit(Purpose::Remove, Op::RemoveFile { path: self.directory.join(name) });
        }
    }

    /// A number that no file has.
    pub fn take_slot(&mut self) -> u32 {
        self.next_slot += 1;
        self.next_slot - 1
    }

    /// Number of segments.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

impl Segment {
    /// A whole segment: found at start-up, or made by the cleaner.
    pub fn sealed(name: SegmentName, slot: u32, file: (FileId, u64), first_commit: Option<CommitSequence>) -> Segment {
        Segment {
            slot,
            file: file.0,
            generation: name.generation,
            file_bytes: file.1,
            live_logs: 0,
            leases: 0,
            index: None,
            first_commit,
            end_place: None,
            index_writing: false,
        }
    }

    /// Its index is in its file.
    pub fn has_index_file(&self) -> bool {
        self.index.is_none() && !self.index_writing && self.end_place.is_some()
    }
}
