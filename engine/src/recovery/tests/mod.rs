//! Recovery on the simulated disk, with a writer that keeps the format's rules and nothing else.

mod crashes;
mod damage;
mod proven_damage;
mod rows;
mod verify;
mod writer;

use std::path::{Path, PathBuf};

use super::{Recovered, recover};
use crate::data_directory::{DataDirectory, DirectorySettings, OpenError};
use crate::io::Io;
use crate::io::sim::{SimDisk, SimIo};
use crate::journal::index::SegmentIndex;
use crate::journal::segment::{index_name, segment_name};
use crate::limits::SEGMENT_BYTES_MIN;
use crate::offset::{LogId, Offset, ShardId};

const SHARD: ShardId = ShardId(0);
const SETTINGS: DirectorySettings = DirectorySettings { shards: 1, segment_bytes: SEGMENT_BYTES_MIN };

fn root() -> &'static Path {
    Path::new("/data")
}

/// A file of the shard's folder.
fn shard_file(name: &str) -> PathBuf {
    root().join("shard-0000").join(name)
}

fn segment_file(slot: u32) -> PathBuf {
    shard_file(&segment_name(slot))
}

fn index_file(slot: u32) -> PathBuf {
    shard_file(&index_name(slot))
}

/// A start on a disk.
fn start(io: &mut SimIo) -> Result<(DataDirectory, Recovered), OpenError> {
    let directory = DataDirectory::open_or_create(io, root(), SETTINGS)?;
    let recovered = recover(io, &directory, SHARD)?;
    Ok((directory, recovered))
}

/// A start on a copy of a disk.
fn start_on(disk: &SimDisk) -> Result<Recovered, OpenError> {
    start(&mut SimIo::new(1, disk.clone())).map(|(_, recovered)| recovered)
}

/// Every batch of a log from its start to its end, read through the indexes as a reader would.
fn read_log(io: &mut SimIo, directory: &DataDirectory, recovered: &Recovered, log: LogId) -> Vec<(Offset, Vec<u8>)> {
    let state = &recovered.logs[&log];
    let mut batches = Vec::new();
    for segment in &recovered.segments {
        if !state.spans.iter().any(|span| span.segment == segment.sequence) {
            continue;
        }
        let index = segment.index.clone().unwrap_or_else(|| {
            let bytes_max = SegmentIndex::file_bytes_max(directory.geometry.segment_bytes()) as usize;
            let content = io.read_file(&index_file(segment.slot), bytes_max).expect("read").expect("there");
            SegmentIndex::decode(&content, segment.sequence, SHARD, directory.id).expect("intact")
        });
        let bytes = io.read_at(segment.file, 0, directory.geometry.segment_bytes() as usize).expect("read");
        // A dead segment's file may hold parts of a life that never came to be: nobody reads below the start.
        let live = index.runs(log).iter().filter(|run| run.last_offset() >= state.start);
        for run in live {
            let stored = &bytes[run.place as usize..(run.place + run.length) as usize];
            for (at, header) in crate::batch::walk(stored) {
                let end = at + header.total_bytes().expect("whole");
                batches.push((Offset(header.base_offset()), stored[at..end].to_vec()));
            }
        }
    }
    batches.retain(|(base, bytes)| {
        let header = crate::batch::BatchHeader::parse(bytes).expect("whole");
        base.plus(i64::from(header.last_offset_delta())) >= state.start
    });
    batches
}
