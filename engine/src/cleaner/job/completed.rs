//! What comes back from the disk to a job.

use std::io;

use super::{Ended, Job, Made, Phase};
use crate::cleaner::stats::CleanerStats;
use crate::io::{Io, Op, Outcome};
use crate::journal::index::SegmentIndex;
use crate::journal::operations::{CleanStep, Operations};
use crate::journal::segment::{clustered_chain, index_name, is_clustered};
use crate::journal::segment_set::SegmentSet;
use crate::journal::writer::JournalFailure;

impl Job {
    /// An operation of this job ended. An error must stop the process.
    pub fn completed<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        segments: &SegmentSet,
        step: CleanStep,
        result: io::Result<Outcome>,
        stats: &mut CleanerStats,
    ) -> Result<(), JournalFailure> {
        self.in_flight -= 1;
        let outcome = match (step, result) {
            (CleanStep::Sync, Err(error)) => {
                // It may have dropped what the journal wrote to the same device, and the journal's own would not say so.
                return Err(JournalFailure { what: "flush of a clustered segment", error });
            }
            (CleanStep::Index(victim) | CleanStep::Read(victim), Err(error)) => {
                let of_read = self.sweep.as_ref().filter(|_| matches!(step, CleanStep::Read(_)));
                let victim = of_read.and_then(|sweep| sweep.victim_of(victim)).unwrap_or(victim);
                self.ended.get_or_insert(Ended::LeaveAlone(victim, error.to_string()));
                return Ok(());
            }
            (_, Err(error)) => {
                self.ended.get_or_insert(Ended::Later(error.to_string()));
                return Ok(());
            }
            (_, Ok(outcome)) => outcome,
        };
        match (step, outcome) {
            (CleanStep::Index(victim), Outcome::Content(content)) => self.index_was_read(victim, &content, stats),
            (CleanStep::Read(read), Outcome::Bytes(buffer)) => {
                let length = self.sweep.as_mut().map_or(0, |sweep| sweep.take(read, &buffer));
                stats.bytes_read += length as u64;
            }
            (CleanStep::Create(bytes), Outcome::File(file)) => self.file = Some((file, bytes)),
            (CleanStep::Write, _) => {}
            (CleanStep::Sync, _) => {
                self.phase = Phase::WriteIndex;
                let path = segments.path(&index_name(self.slot));
                let content = self.output.index().encode(self.owner.shard, self.owner.directory_id);
                stats.bytes_written += content.len() as u64;
                self.submit(operations, CleanStep::IndexFile, Op::ReplaceFile { path, content });
            }
            (CleanStep::IndexFile, _) => {
                self.phase = Phase::Done;
                let (file, file_bytes) = self.file.expect("it was flushed");
                let index = self.output.index();
                self.ended.get_or_insert(Ended::Made(Made { slot: self.slot, file, file_bytes, index }));
            }
            (step, outcome) => {
                self.ended.get_or_insert(Ended::Later(format!("{step:?} came back as {outcome:?}")));
            }
        }
        Ok(())
    }

    fn index_was_read(&mut self, victim: usize, content: &[u8], stats: &mut CleanerStats) {
        stats.bytes_read += content.len() as u64;
        let name = self.victims[victim].name;
        let (shard, directory_id) = (self.owner.shard, self.owner.directory_id);
        match SegmentIndex::decode(content, name.sequence, shard, directory_id) {
            Ok(index) if is_of(&index, name.generation) => self.indexes[victim] = Some(index),
            Ok(_) => {
                self.ended.get_or_insert(Ended::LeaveAlone(victim, "its index is of another life".to_owned()));
            }
            Err(error) => {
                self.ended.get_or_insert(Ended::LeaveAlone(victim, error.to_string()));
            }
        }
    }
}

fn is_of(index: &SegmentIndex, generation: u32) -> bool {
    if generation == 0 { !is_clustered(index.first_commit) } else { index.first_commit == clustered_chain(generation) }
}
