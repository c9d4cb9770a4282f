//! The file of a ledger: read with suspicion, appended to, written anew when it has grown beyond what it says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::{Entry, Ledger, RunEntry, TopicEntry};
use crate::error::{Error, local};

/// The format of today.
const LEDGER_VERSION: u32 = 1;

/// A line is written with at most a thousand ranges; one that is longer is none of ours.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// A ledger that has to grow beyond this belongs to a broker that refuses every other batch.
const LEDGER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Below this nothing is gained by writing it anew.
const COMPACT_BYTES_MIN: u64 = 1024 * 1024;

/// A ledger and its file.
#[derive(Debug)]
pub struct LedgerFile {
    path: PathBuf,
    file: File,
    ledger: Ledger,
    bytes: u64,
    /// Beyond this it is written anew.
    compact_at_bytes: u64,
}

impl LedgerFile {
    /// A new ledger of a topic; a file that is there already is refused.
    pub fn create(path: &Path, bootstrap: &str, topic: &str, partitions: u32) -> Result<Self, Error> {
        let topic = TopicEntry { ledger: LEDGER_VERSION, bootstrap: bootstrap.into(), topic: topic.into(), partitions };
        let failed = || local(format!("cannot create the ledger {}", path.display()));
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed())?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed())?;
        let line = line_of(&Entry::Topic(topic.clone()));
        file.write_all(&line).and_then(|()| file.sync_all()).and_then(|()| sync_directory(path)).map_err(failed())?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            ledger: Ledger::new(topic),
            bytes: line.len() as u64,
            compact_at_bytes: COMPACT_BYTES_MIN,
        })
    }

    /// Reads a ledger to go on with it. A last line that is not whole is cut off.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (ledger, bytes) = read(path)?;
        let failed = || local(format!("cannot open the ledger {}", path.display()));
        let file = OpenOptions::new().append(true).open(path).map_err(failed())?;
        file.set_len(bytes).and_then(|()| file.sync_all()).map_err(failed())?;
        Ok(Self { path: path.to_path_buf(), file, ledger, bytes, compact_at_bytes: COMPACT_BYTES_MIN.max(bytes * 2) })
    }

    /// What it says.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A run begins, which is on disk before any of its records is sent.
    pub fn begin_run(&mut self, tag: u32, producers: u32) -> Result<(), Error> {
        self.append(&[Entry::Run(RunEntry { tag, producers })])
    }

    /// Nothing is left to judge.
    pub fn end(&mut self) -> Result<(), Error> {
        self.append(&[Entry::Ended])
    }

    /// Appends lines; they are on disk when this returns.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let failed = || local(format!("cannot write the ledger {}", self.path.display()));
        let mut lines = Vec::new();
        for entry in entries {
            self.ledger.apply(entry).map_err(|what| failed()(io::Error::other(what)))?;
            lines.extend_from_slice(&line_of(entry));
        }
        self.file.write_all(&lines).and_then(|()| self.file.sync_data()).map_err(failed())?;
        self.bytes += lines.len() as u64;
        if self.bytes > self.compact_at_bytes {
            self.compact().map_err(local(format!("cannot write the ledger {} anew", self.path.display())))?;
        }
        Ok(())
    }

    /// Writes the same in fewer bytes into a new file, which takes the old one's place when it is whole.
    fn compact(&mut self) -> io::Result<()> {
        let lines: Vec<u8> = self.ledger.entries().iter().flat_map(line_of).collect();
        if lines.len() as u64 > LEDGER_BYTES_MAX {
            return Err(io::Error::other("it would be larger than can be read again"));
        }
        let unfinished = self.path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&lines)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.path)?;
        sync_directory(&self.path)?;
        self.file = file;
        self.bytes = lines.len() as u64;
        self.compact_at_bytes = COMPACT_BYTES_MIN.max(self.bytes * 2);
        Ok(())
    }
}

/// All whole lines, and the bytes that they take.
fn read(path: &Path) -> Result<(Ledger, u64), Error> {
    let failed = || local(format!("cannot read the ledger {}", path.display()));
    let damaged = |number: usize, what: &str| Error::Ledger(format!("{}, line {number}: {what}", path.display()));
    let file = File::open(path).map_err(failed())?;
    let length = file.metadata().map_err(failed())?.len();
    if length > LEDGER_BYTES_MAX {
        return Err(Error::Ledger(format!("{}: {length} bytes are no ledger of ours", path.display())));
    }
    let mut reader = BufReader::new(file);
    let (mut ledger, mut bytes, mut line): (Option<Ledger>, u64, Vec<u8>) = (None, 0, Vec::new());
    for number in 1.. {
        line.clear();
        let taken = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed())? as u64;
        if taken == 0 {
            break;
        }
        let is_last = bytes + taken == length;
        match (entry_of(&line), &mut ledger) {
            (Some(Entry::Topic(topic)), None) if topic.ledger == LEDGER_VERSION => ledger = Some(Ledger::new(topic)),
            (Some(Entry::Topic(topic)), None) => {
                return Err(damaged(number, &format!("version {} is not known here", topic.ledger)));
            }
            (Some(entry), Some(ledger)) => ledger.apply(&entry).map_err(|what| damaged(number, what))?,
            // The program died while it wrote.
            (None, Some(_)) if is_last => break,
            _ => return Err(damaged(number, "it is not a line of a ledger, or it was changed")),
        }
        bytes += taken;
    }
    let ledger = ledger.ok_or_else(|| Error::Ledger(format!("{} is empty", path.display())))?;
    Ok((ledger, bytes))
}

fn line_of(entry: &Entry) -> Vec<u8> {
    let json = serde_json::to_string(entry).unwrap_or_default();
    format!("{:08x} {json}\n", checksum::crc32c(json.as_bytes())).into_bytes()
}

fn entry_of(line: &[u8]) -> Option<Entry> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (crc, json) = text.split_once(' ')?;
    let is_whole = u32::from_str_radix(crc, 16).ok()? == checksum::crc32c(json.as_bytes());
    is_whole.then(|| serde_json::from_str(json).ok())?
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(directory: &Path) -> LedgerFile {
        let mut file = LedgerFile::create(&directory.join("a.ledger"), "h:1", "loadgen-x", 2).expect("created");
        file.begin_run(7, 3).expect("begun");
        file
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_the_ledger_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = new(directory.path());
        file.append(&[Entry::Acked(vec![(0, 1, 0, 10), (2, 0, 5, 6)])]).expect("written");
        let before = fs::read(file.path()).expect("readable");
        file.append(&[Entry::Acked(vec![(0, 1, 10, 20)])]).expect("written");
        let after = fs::read(file.path()).expect("readable");
        for cut in before.len()..after.len() {
            fs::write(file.path(), &after[..cut]).expect("cut");
            let mut opened = LedgerFile::open(file.path()).expect("the rest is whole");
            let acked = &opened.ledger().runs[0].acked;
            assert_eq!((acked[&(0, 1)].ranges(), acked[&(2, 0)].ranges()), (&[(0, 10)][..], &[(5, 6)][..]), "{cut}");
            opened.append(&[Entry::Acked(vec![(0, 1, 10, 30)])]).expect("written");
            assert_eq!(LedgerFile::open(file.path()).expect("whole").ledger(), opened.ledger());
        }
    }

    #[test]
    fn a_changed_line_in_the_middle_is_refused_with_its_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = new(directory.path());
        file.append(&[Entry::Acked(vec![(0, 1, 0, 10)])]).expect("written");
        file.append(&[Entry::Acked(vec![(0, 1, 10, 20)])]).expect("written");
        let whole = fs::read(file.path()).expect("readable");
        let third = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).expect("lines").0 + 1;
        let mut changed = whole.clone();
        changed[third + 20] ^= 1;
        fs::write(file.path(), changed).expect("changed");
        let error = LedgerFile::open(file.path()).expect_err("damaged").to_string();
        assert!(error.contains("line 3"), "{error}");
        for foreign in ["", "\n", "hello\n", "00000000 {}\n"] {
            fs::write(file.path(), foreign).expect("written");
            assert!(LedgerFile::open(file.path()).is_err(), "{foreign:?}");
        }
        assert!(LedgerFile::create(file.path(), "h:1", "loadgen-x", 2).is_err(), "nothing is overwritten");
    }

    #[test]
    fn a_line_that_cannot_follow_is_refused_and_not_believed() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = new(directory.path());
        for acked in [(0, 1, 5, 5), (3, 0, 0, 1), (0, 2, 0, 1)] {
            assert!(file.append(&[Entry::Acked(vec![acked])]).is_err(), "{acked:?}");
        }
        file.append(&[Entry::Acked(vec![(0, 1, 0, 10)])]).expect("written");
        assert!(file.append(&[Entry::Acked(vec![(0, 1, 9, 12)])]).is_err());
        assert!(file.begin_run(8, u32::MAX).is_err());
    }

    #[test]
    fn the_file_stays_small_however_long_a_run_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = new(directory.path());
        let mut largest = 0;
        for second in 0..80_u64 {
            let ranges = (0..1_000).map(|step| (1, 0, (second * 1_000 + step) * 10, (second * 1_000 + step) * 10 + 10));
            let entries: Vec<Entry> = (0..3).map(|_| Entry::Acked(Vec::new())).collect();
            file.append(&entries).expect("written");
            file.append(&super::super::in_lines(ranges)).expect("written");
            largest = largest.max(fs::metadata(file.path()).expect("there").len());
        }
        assert!(largest <= COMPACT_BYTES_MIN + LINE_BYTES_MAX, "{largest} bytes");
        assert!(file.bytes < largest, "it was written anew");
        let opened = LedgerFile::open(file.path()).expect("whole");
        assert_eq!(opened.ledger().runs[0].acked[&(1, 0)].ranges(), [(0, 800_000)]);
    }
}
