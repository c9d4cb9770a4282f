//! The rows of the table for damage that a later commit proves.

use super::super::cases::Case;
use super::rows::{disk_of, flip, overwrite, recovered, refused, short_journal};
use super::segment_file;
use crate::limits::BLOCK_BYTES;
use crate::offset::Offset;

#[test]
fn damaged_and_zeroed_durable_commits() {
    let writer = short_journal();
    let commits = writer.commits.clone();
    let disk = disk_of(writer);
    // The last two are not proven: the watermark proves what was flushed before it was sealed, not itself.
    for commit in &commits[..commits.len() - 1] {
        let place = commit.place as usize;
        let mut damaged = disk.clone();
        flip(&mut damaged, &segment_file(1), place + 20);
        assert_eq!(refused(&damaged), Case::DurableCommitDamaged, "commit {}", commit.sequence.0);
        let mut zeroed = disk.clone();
        overwrite(&mut zeroed, &segment_file(1), place, BLOCK_BYTES, 0);
        assert_eq!(refused(&zeroed), Case::DurableCommitZeroed, "commit {}", commit.sequence.0);
    }
}

#[test]
fn damaged_durable_batches_quarantine_their_log() {
    let writer = short_journal();
    let commits = writer.commits.clone();
    let disk = disk_of(writer);
    let with_batches = commits[..commits.len() - 1].iter().filter(|commit| !commit.batches.is_empty());
    for commit in with_batches {
        let mut damaged = disk.clone();
        flip(&mut damaged, &segment_file(1), commit.place as usize + 96 + 70);
        let found = recovered(&damaged);
        assert!(found.cases.contains(&Case::DurableBatchDamaged) && !found.cut, "{:?}", found.cases);
        assert_eq!(found.next_commit.0, commits.last().expect("some").sequence.0 + 1, "nothing is cut");
        let (damaged_log, base, _) = &commit.batches[0];
        for (log, state) in &found.logs {
            assert_eq!(state.is_quarantined(), log == damaged_log, "log {log}");
            assert_eq!(state.next, Offset(4), "log {log}");
        }
        assert_eq!(found.logs[damaged_log].damaged_below, base.plus(2));
    }
}
