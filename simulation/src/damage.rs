//! What a disk does to one place between two lives.

use std::path::{Path, PathBuf};

use engine::io::sim::SimDisk;
use engine::limits::BLOCK_BYTES;

use crate::dice::Dice;

/// Whether the kind strikes several places, so that it may take what proves along with what is proven: nothing is certain then but that
/// nothing false is shown.
pub fn strikes_several_places(kind: &str) -> bool {
    matches!(kind, "lost file" | "shortened file" | "misdirected block")
}

/// Strikes one place; gives the kind and the file, or none where there was nothing to strike.
pub fn strike(disk: &mut SimDisk, dice: &mut Dice) -> Option<(&'static str, PathBuf)> {
    let files = disk.files();
    let path = a_file(&files, dice)?;
    let bytes = disk.content(&path)?.len();
    let blocks = bytes / BLOCK_BYTES;
    let done = match dice.below(20) {
        0..=8 => (disk.damage(&path, a_used_byte(disk, &path, dice)?, 1 << dice.below(8)), "flipped bit"),
        9 | 10 => {
            let at = a_used_byte(disk, &path, dice)? / 512 * 512;
            (disk.overwrite_at_rest(&path, at, &vec![0; 512.min(bytes - at)]), "zeroed sector")
        }
        11 | 12 => {
            let at = a_used_byte(disk, &path, dice)? / BLOCK_BYTES * BLOCK_BYTES;
            (disk.overwrite_at_rest(&path, at, &vec![0; BLOCK_BYTES.min(bytes - at)]), "zeroed block")
        }
        13..=15 if blocks > 1 => {
            let from = a_used_byte(disk, &path, dice)? / BLOCK_BYTES * BLOCK_BYTES;
            let to = dice.below(blocks as u64) as usize * BLOCK_BYTES;
            (from / BLOCK_BYTES < blocks && disk.copy_block((&path, from), (&path, to)), "duplicated block")
        }
        16 if blocks > 1 => {
            // A write that landed elsewhere: its own place still holds zeros.
            let from = a_used_byte(disk, &path, dice)? / BLOCK_BYTES * BLOCK_BYTES;
            let to = dice.below(blocks as u64) as usize * BLOCK_BYTES;
            let copied = from / BLOCK_BYTES < blocks && disk.copy_block((&path, from), (&path, to));
            (copied && (to == from || disk.overwrite_at_rest(&path, from, &[0; BLOCK_BYTES])), "misdirected block")
        }
        17 => {
            disk.lose(&path);
            (true, "lost file")
        }
        18 => {
            let other = a_file(&files, dice).filter(|other| is_segment(other) && is_segment(&path))?;
            let copy = other.with_file_name("0000009999.segment");
            (disk.duplicate(&path, &copy), "file twice")
        }
        _ => (disk.resize(&path, dice.below(bytes as u64 + 1) as usize), "shortened file"),
    };
    done.0.then_some((done.1, path))
}

/// Mostly segments: they hold what matters.
fn a_file(files: &[PathBuf], dice: &mut Dice) -> Option<PathBuf> {
    let segments: Vec<&PathBuf> = files.iter().filter(|path| is_segment(path) || is_clustered(path)).collect();
    let path = if dice.chance(700) && !segments.is_empty() {
        segments[dice.below(segments.len() as u64) as usize]
    } else {
        files.get(dice.below(files.len() as u64) as usize)?
    };
    Some(path.clone())
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "segment")
}

fn is_clustered(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "clustered")
}

/// A byte of the part of a file that holds something; its first block more often than chance.
fn a_used_byte(disk: &SimDisk, path: &Path, dice: &mut Dice) -> Option<usize> {
    let content = disk.content(path)?;
    let blocks = content.chunks(512).rposition(|sector| sector.iter().any(|byte| *byte != 0))? + 1;
    let used = (blocks * 512).min(content.len());
    let upto = if dice.chance(200) { used.min(BLOCK_BYTES) } else { used };
    Some(dice.below(upto as u64) as usize)
}
