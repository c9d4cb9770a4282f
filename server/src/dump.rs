//! `posthaste dump`: the commits, entries and batches of one segment file, for a person. Reads the file alone and trusts nothing in it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;

use engine::batch::BatchHeader;
use engine::journal::commit::{
    CommitHeader, Entry, EntryKind, FLAG_CHECKPOINT, FLAG_CHECKPOINT_END, HEADER_BYTES, check_payload, decode_entries,
};
use engine::journal::segment::{FIRST_COMMIT_PLACE, SegmentHeader, SegmentHeaderError};
use engine::limits::BLOCK_BYTES;

use crate::cli::DumpArguments;
use crate::exit;

/// Runs the command.
pub fn run(arguments: &DumpArguments) -> ExitCode {
    match Dump::open(arguments).and_then(|mut dump| dump.print()) {
        Ok(0) => ExitCode::from(exit::OK),
        Ok(_) => ExitCode::from(exit::DAMAGED),
        // The reader of a pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(exit::OK),
        Err(error) => {
            eprintln!("posthaste: {}: {error}", arguments.file.display());
            ExitCode::from(exit::DATA_DIRECTORY)
        }
    }
}

struct Dump<'a> {
    arguments: &'a DumpArguments,
    file: File,
    bytes: u64,
    out: BufWriter<io::StdoutLock<'static>>,
    damaged: usize,
}

impl Dump<'_> {
    fn open(arguments: &DumpArguments) -> io::Result<Dump<'_>> {
        let path: &Path = &arguments.file;
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Dump { arguments, file, bytes, out: BufWriter::new(io::stdout().lock()), damaged: 0 })
    }

    /// Prints everything; gives the number of places that are not what was written.
    fn print(&mut self) -> io::Result<usize> {
        let block = self.read(0, BLOCK_BYTES)?;
        let header = match SegmentHeader::decode(&block) {
            Ok(header) => header,
            Err(error) => {
                writeln!(self.out, "no segment: {error}")?;
                self.out.flush()?;
                return Ok(usize::from(error == SegmentHeaderError::Damaged));
            }
        };
        writeln!(
            self.out,
            "segment {} of shard {}, directory {}, {} bytes, opened by start {}",
            header.sequence.0, header.shard, header.directory_id, header.segment_bytes, header.incarnation.0
        )?;
        let mut place = u64::from(FIRST_COMMIT_PLACE);
        while place + BLOCK_BYTES as u64 <= self.bytes {
            let block = self.read(place, HEADER_BYTES)?;
            let ours = CommitHeader::decode_prefix(&block).ok().filter(|commit| {
                commit.segment == header.sequence
                    && commit.directory_id == header.directory_id
                    && place + u64::from(commit.length) <= self.bytes
            });
            match ours {
                Some(commit) => {
                    self.commit(place, &commit)?;
                    place += u64::from(commit.length);
                }
                None => place = self.gap(place, &header)?,
            }
        }
        self.out.flush()?;
        Ok(self.damaged)
    }

    /// What stands between commits: the end, or an earlier life of the file. Gives the place of the next commit of this segment.
    fn gap(&mut self, from: u64, segment: &SegmentHeader) -> io::Result<u64> {
        let mut place = from;
        while place + BLOCK_BYTES as u64 <= self.bytes {
            let next = CommitHeader::decode_prefix(&self.read(place, HEADER_BYTES)?);
            if next.is_ok_and(|next| next.segment == segment.sequence && next.directory_id == segment.directory_id) {
                writeln!(self.out, "{from:>10}  {} bytes that are no commit of this segment", place - from)?;
                self.damaged += 1;
                return Ok(place);
            }
            place += BLOCK_BYTES as u64;
        }
        writeln!(self.out, "{from:>10}  end of the commits")?;
        Ok(place)
    }

    fn commit(&mut self, place: u64, header: &CommitHeader) -> io::Result<()> {
        let bytes = self.read(place, header.length as usize)?;
        let table = &bytes[header.table_place as usize..header.table_end()];
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().expect("a commit is longer than its header");
        let state = match header.verify(head, table) {
            Ok(()) => String::new(),
            Err(error) => {
                self.damaged += 1;
                format!("  DAMAGED: {error}")
            }
        };
        let checkpoint = match header.flags & (FLAG_CHECKPOINT | FLAG_CHECKPOINT_END) {
            0 => "",
            FLAG_CHECKPOINT => "  checkpoint",
            _ => "  end of checkpoint",
        };
        writeln!(
            self.out,
            "{place:>10}  commit {} of start {}, {} bytes, {} entries, durable up to {}{checkpoint}{state}",
            header.sequence.0, header.incarnation.0, header.length, header.entry_count, header.durable_upto.0
        )?;
        if self.arguments.commits {
            return Ok(());
        }
        match decode_entries(header, table) {
            Ok(entries) => entries.iter().try_for_each(|entry| self.entry(entry, &bytes)),
            Err(error) => {
                self.damaged += 1;
                writeln!(self.out, "            entry table DAMAGED: {error}")
            }
        }
    }

    fn entry(&mut self, entry: &Entry, commit: &[u8]) -> io::Result<()> {
        let damage = check_payload(commit, entry).err();
        self.damaged += usize::from(damage.is_some());
        if self.arguments.log.is_some_and(|log| log != entry.log.0) {
            return Ok(());
        }
        let kind = entry.kind;
        write!(self.out, "            {kind:?} log {}", entry.log)?;
        match kind {
            EntryKind::Batch => {
                write!(
                    self.out,
                    " offsets {}..={} records {} epoch {} max timestamp {} place {} bytes {}",
                    entry.base_offset,
                    entry.last_offset(),
                    entry.count,
                    entry.leader_epoch,
                    entry.max_timestamp,
                    entry.place,
                    entry.length
                )?;
                if let Some(header) = entry.payload(commit).and_then(BatchHeader::parse) {
                    write!(
                        self.out,
                        " attributes {:#06x} producer {}:{} sequence {} crc {:08x}",
                        header.attributes(),
                        header.producer_id(),
                        header.producer_epoch(),
                        header.base_sequence(),
                        header.crc()
                    )?;
                }
            }
            EntryKind::Watermark => {}
            _ => write!(self.out, " offset {} epoch {} bytes {}", entry.base_offset, entry.leader_epoch, entry.length)?,
        }
        match damage {
            Some(error) => writeln!(self.out, "  DAMAGED: {error}"),
            None => writeln!(self.out),
        }
    }

    /// Bytes of the file; callers ask within its length and a commit's bound.
    fn read(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes)
    }
}
