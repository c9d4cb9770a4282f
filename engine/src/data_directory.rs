//! The data directory: who owns it, what it is, and whether it was left cleanly (see FORMAT.md).
//!
//! [`DirectoryLock`] keeps other processes out and must be held as long as any `Io` on the directory lives;
//! [`DataDirectory`] reads or makes what all shards share.

mod lock;
mod open_error;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

pub use self::lock::DirectoryLock;
pub use self::open_error::OpenError;
use crate::io::Io;
use crate::journal::segment::SegmentGeometry;
use crate::journal::superblock::{SUPERBLOCK_NAME, SuperblockFile};
use crate::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SHARDS_MAX};
use crate::offset::{CommitSequence, Incarnation, ShardId};
use crate::recovery::cases::Case;

const LOCK_NAME: &str = "lock";
const META_NAME: &str = "meta";
const CLEAN_NAME: &str = "clean";
/// What an interrupted replacement of the meta file leaves.
const META_UNFINISHED_NAME: &str = ".meta.new";
const FORMAT_VERSION: u32 = 3;
const META_BYTES_MAX: usize = 4096;
const CLEAN_BYTES_MAX: usize = 128 * (SHARDS_MAX as usize + 1);
/// How long a start waits for the lock: after kill -9 the kernel may hold a ring's files for a moment.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// What a new directory is made with; an existing one keeps its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectorySettings {
    /// Number of shards.
    pub shards: u32,
    /// Bytes of a segment.
    pub segment_bytes: u64,
}

/// Where a shard's journal ended at a clean stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanEnd {
    /// The shard.
    pub shard: ShardId,
    /// The start that ended.
    pub incarnation: Incarnation,
    /// Its last commit, flushed.
    pub last_commit: CommitSequence,
}

/// An opened data directory: what its shards share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// Its identity.
    pub id: Uuid,
    /// Number of shards.
    pub shards: u32,
    /// Segment size.
    pub geometry: SegmentGeometry,
    clean_ends: Vec<CleanEnd>,
    /// What the meta file says.
    format_version: u32,
}

impl DataDirectory {
    /// Reads the directory (names that a killed process left unflushed are flushed first), or makes a new one when it is empty. The caller holds its [`DirectoryLock`].
    pub fn open_or_create<I: Io>(
        io: &mut I,
        path: &Path,
        settings: DirectorySettings,
    ) -> Result<DataDirectory, OpenError> {
        let made = io.create_directory(path).and_then(|()| io.sync_directory(path));
        made.map_err(|error| OpenError::of_io("make directory", path, error))?;
        match DataDirectory::open(io, path)? {
            Some(directory) => directory.upgrade(io),
            None => DataDirectory::create(io, path, settings),
        }
    }

    /// From here on older versions of this program refuse the directory; what its files hold is rewritten as they grow.
    fn upgrade(mut self, io: &mut impl Io) -> Result<DataDirectory, OpenError> {
        if self.format_version < FORMAT_VERSION {
            let path = self.path.join(META_NAME);
            let (from, to) = (self.format_version, FORMAT_VERSION);
            tracing::info!(path = %path.display(), from, to, "the data directory is upgraded");
            io.replace_file(&path, self.meta().as_bytes()).map_err(|error| OpenError::of_io("write", &path, error))?;
            self.format_version = FORMAT_VERSION;
        }
        Ok(self)
    }

    /// Reads the directory; None if it has no meta file, so that it never was one or has lost it.
    pub fn open<I: Io>(io: &mut I, path: &Path) -> Result<Option<DataDirectory>, OpenError> {
        let meta_path = path.join(META_NAME);
        let meta =
            io.read_file(&meta_path, META_BYTES_MAX).map_err(|error| OpenError::of_io("read", &meta_path, error))?;
        let Some(meta) = meta else {
            return Ok(None);
        };
        let mut directory = DataDirectory::from_meta(path, &meta)?;
        directory.clean_ends = directory.read_clean_marker(io)?;
        Ok(Some(directory))
    }

    /// The folder of a shard.
    pub fn shard_path(&self, shard: ShardId) -> PathBuf {
        self.path.join(shard_name(shard))
    }

    /// Where a shard's journal ended, if the last stop was clean. Recovery decides whether that still holds.
    pub fn clean_end(&self, shard: ShardId) -> Option<CleanEnd> {
        self.clean_ends.iter().find(|end| end.shard == shard).copied()
    }

    /// Takes the clean marker away. Between the recovery of all shards and the first append: an earlier removal would lose
    /// what the marker proves when the start is refused.
    pub fn remove_clean_marker(&self, io: &mut impl Io) -> Result<(), OpenError> {
        let path = self.path.join(CLEAN_NAME);
        io.remove_file(&path).map_err(|error| OpenError::of_io("remove", &path, error))
    }

    /// Writes the clean marker, after every shard's journal was flushed and closed.
    pub fn write_clean_marker(&self, io: &mut impl Io, ends: &[CleanEnd]) -> Result<(), OpenError> {
        let path = self.path.join(CLEAN_NAME);
        let mut text = String::new();
        for end in ends {
            let (shard, incarnation, commit) = (end.shard, end.incarnation.0, end.last_commit.0);
            let _ = writeln!(text, "{shard} {incarnation} {commit}");
        }
        io.replace_file(&path, with_crc_line(text).as_bytes()).map_err(|error| OpenError::of_io("write", &path, error))
    }

    /// A marker that cannot be read proves nothing, like one that is not there.
    fn read_clean_marker(&self, io: &mut impl Io) -> Result<Vec<CleanEnd>, OpenError> {
        let path = self.path.join(CLEAN_NAME);
        let content = match io.read_file(&path, CLEAN_BYTES_MAX) {
            Ok(content) => content.unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Vec::new(),
            Err(error) => return Err(OpenError::of_io("read", &path, error)),
        };
        let lines = lines_under_crc(&content).unwrap_or_default();
        Ok(lines.lines().map_while(clean_end_of_line).collect())
    }

    fn create(io: &mut impl Io, path: &Path, settings: DirectorySettings) -> Result<DataDirectory, OpenError> {
        let geometry = SegmentGeometry::new(settings.segment_bytes).ok_or_else(|| {
            let bytes = settings.segment_bytes;
            OpenError::Settings(format!(
                "segment size {bytes} is not a multiple of 4096 within {SEGMENT_BYTES_MIN}..={SEGMENT_BYTES_MAX}"
            ))
        })?;
        if !(1..=SHARDS_MAX).contains(&settings.shards) {
            let shards = settings.shards;
            return Err(OpenError::Settings(format!("{shards} shards are not within 1..={SHARDS_MAX}")));
        }
        let directory = DataDirectory {
            path: path.to_path_buf(),
            id: Uuid::from_u64_pair(io.random_u64(), io.random_u64()),
            shards: settings.shards,
            geometry,
            clean_ends: Vec::new(),
            format_version: FORMAT_VERSION,
        };
        directory.check_that_nothing_is_lost(io)?;
        for shard in (0..settings.shards).map(ShardId) {
            let shard_path = directory.shard_path(shard);
            io.create_directory(&shard_path).map_err(|error| OpenError::of_io("make directory", &shard_path, error))?;
            let superblock_path = shard_path.join(SUPERBLOCK_NAME);
            SuperblockFile::create(io, &superblock_path, shard, directory.id)
                .map_err(|error| OpenError::of_io("make", &superblock_path, error))?;
        }
        // Last: only a directory with everything in it is one.
        let meta_path = path.join(META_NAME);
        io.replace_file(&meta_path, directory.meta().as_bytes())
            .map_err(|error| OpenError::of_io("write", &meta_path, error))?;
        Ok(directory)
    }

    /// Without a meta file, only what an unfinished creation leaves may be there. A journal would mean that the meta file was lost.
    fn check_that_nothing_is_lost(&self, io: &mut impl Io) -> Result<(), OpenError> {
        for name in list(io, &self.path)? {
            if [LOCK_NAME, CLEAN_NAME, META_UNFINISHED_NAME].contains(&name.as_str()) {
                continue;
            }
            if !is_shard_name(&name) {
                return Err(OpenError::Foreign { path: self.path.clone() });
            }
            let left = list(io, &self.path.join(&name))?;
            if let Some(other) = left.iter().find(|name| *name != SUPERBLOCK_NAME) {
                return Err(OpenError::Damaged {
                    case: Case::MetaLost,
                    place: self.path.join(META_NAME).display().to_string(),
                    detail: format!("the file is missing but {name}/{other} exists"),
                });
            }
        }
        Ok(())
    }

    fn meta(&self) -> String {
        with_crc_line(format!(
            "format_version = {FORMAT_VERSION}\ndirectory_id = {}\nshards = {}\nsegment_bytes = {}\n",
            self.id,
            self.shards,
            self.geometry.segment_bytes()
        ))
    }

    fn from_meta(path: &Path, meta: &[u8]) -> Result<DataDirectory, OpenError> {
        let damaged = |detail: &str| OpenError::Damaged {
            case: Case::MetaDamaged,
            place: path.join(META_NAME).display().to_string(),
            detail: detail.to_owned(),
        };
        // The version comes first: a later release may write the rest, and its check, differently.
        let text = std::str::from_utf8(meta).map_err(|_| damaged("it is not text"))?;
        let found: u32 = value(text, "format_version").ok_or_else(|| damaged("it has no format version"))?;
        if found > FORMAT_VERSION {
            let (path, known) = (path.to_path_buf(), FORMAT_VERSION);
            return Err(OpenError::NewerFormat { path, found, known });
        }
        let lines = lines_under_crc(meta).ok_or_else(|| damaged("its CRC is wrong"))?;
        let missing = || damaged("a line is missing or out of its limits");
        Ok(DataDirectory {
            path: path.to_path_buf(),
            id: value(lines, "directory_id").ok_or_else(missing)?,
            shards: value(lines, "shards")
                .filter(|shards| found > 0 && (1..=SHARDS_MAX).contains(shards))
                .ok_or_else(missing)?,
            geometry: value(lines, "segment_bytes").and_then(SegmentGeometry::new).ok_or_else(missing)?,
            clean_ends: Vec::new(),
            format_version: found,
        })
    }
}

fn list(io: &mut impl Io, path: &Path) -> Result<Vec<String>, OpenError> {
    io.list_directory(path).map_err(|error| OpenError::of_io("list directory", path, error))
}

fn shard_name(shard: ShardId) -> String {
    format!("shard-{:04}", shard.0)
}

fn is_shard_name(name: &str) -> bool {
    let number = name.strip_prefix("shard-").and_then(|digits| digits.parse().ok());
    number.is_some_and(|number| shard_name(ShardId(number)) == name)
}

fn value<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(" = "));
    pairs.find(|(found, _)| *found == key)?.1.parse().ok()
}

fn with_crc_line(mut lines: String) -> String {
    let crc = checksum::crc32c(lines.as_bytes());
    let _ = writeln!(lines, "crc = {crc:08x}");
    lines
}

/// The lines before the last one, if that holds their CRC.
fn lines_under_crc(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
    let start = text.rfind('\n')? + 1;
    let (lines, last) = text.split_at(start);
    (with_crc_line(lines.to_owned()).strip_prefix(lines)?.trim_end() == last).then_some(lines)
}

fn clean_end_of_line(line: &str) -> Option<CleanEnd> {
    let mut numbers = line.split(' ');
    let end = CleanEnd {
        shard: ShardId(numbers.next()?.parse().ok()?),
        incarnation: Incarnation(numbers.next()?.parse().ok()?),
        last_commit: CommitSequence(numbers.next()?.parse().ok()?),
    };
    numbers.next().is_none().then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sim::{Crash, SimDisk, SimIo};
    use crate::limits::SEGMENT_BYTES_MIN;

    const SETTINGS: DirectorySettings = DirectorySettings { shards: 2, segment_bytes: SEGMENT_BYTES_MIN };

    fn open(io: &mut SimIo) -> Result<DataDirectory, OpenError> {
        DataDirectory::open_or_create(io, Path::new("/data"), SETTINGS)
    }

    #[test]
    fn a_locked_directory_is_refused_after_the_wait_and_free_after_the_drop() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("data");
        let lock = DirectoryLock::acquire(&path, Duration::ZERO).expect("nobody has it");
        let refusal = DirectoryLock::acquire(&path, Duration::from_millis(50)).expect_err("taken");
        assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal}");
        drop(lock);
        DirectoryLock::acquire(&path, Duration::ZERO).expect("free again");
    }

    #[test]
    fn a_lock_that_is_let_go_while_waiting_is_taken() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lock = DirectoryLock::acquire(directory.path(), Duration::ZERO).expect("nobody has it");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| DirectoryLock::acquire(directory.path(), LOCK_WAIT_MAX));
            drop(lock);
            waiting.join().expect("no panic").expect("taken after the wait");
        });
    }

    #[test]
    fn a_foreign_directory_is_left_as_it_is() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("thesis.txt"), "dear to somebody").expect("written");
        let refusal = DirectoryLock::acquire(directory.path(), Duration::ZERO).expect_err("foreign");
        assert!(matches!(refusal, OpenError::Foreign { .. }), "{refusal}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 1);
    }

    #[test]
    fn an_existing_directory_keeps_its_identity_and_numbers() {
        let mut io = SimIo::new(3, SimDisk::default());
        let made = open(&mut io).expect("made");
        let other = DirectorySettings { shards: 7, segment_bytes: SEGMENT_BYTES_MIN * 2 };
        let opened = DataDirectory::open_or_create(&mut io, Path::new("/data"), other).expect("opened");
        assert_eq!(opened, made);
        assert_eq!((opened.shards, opened.geometry.segment_bytes()), (2, SEGMENT_BYTES_MIN));
    }

    #[test]
    fn a_creation_that_was_interrupted_anywhere_is_begun_again() {
        for calls in 0..40 {
            for crash in [Crash::PowerCut, Crash::Kill] {
                let mut io = SimIo::new(calls, SimDisk::default());
                io.die_after(calls);
                let _ = open(&mut io);
                let mut io = SimIo::new(calls, io.crash(crash));
                let directory = open(&mut io).unwrap_or_else(|error| panic!("after {calls} calls: {error}"));
                for shard in [ShardId(0), ShardId(1)] {
                    crate::recovery::recover(&mut io, &directory, shard).expect("an empty shard");
                }
            }
        }
    }

    #[test]
    fn settings_out_of_their_limits_are_refused() {
        for settings in [
            DirectorySettings { shards: 0, ..SETTINGS },
            DirectorySettings { shards: SHARDS_MAX + 1, ..SETTINGS },
            DirectorySettings { segment_bytes: 4097, ..SETTINGS },
        ] {
            let mut io = SimIo::new(3, SimDisk::default());
            let refusal = DataDirectory::open_or_create(&mut io, Path::new("/data"), settings);
            assert!(matches!(refusal, Err(OpenError::Settings(_))), "{settings:?}");
        }
    }

    #[test]
    fn a_clean_marker_reads_back_and_no_flipped_byte_does() {
        let mut io = SimIo::new(3, SimDisk::default());
        let directory = open(&mut io).expect("made");
        let ends = [(0, 5, 77), (1, 6, 78)].map(|(shard, incarnation, commit)| CleanEnd {
            shard: ShardId(shard),
            incarnation: Incarnation(incarnation),
            last_commit: CommitSequence(commit),
        });
        directory.write_clean_marker(&mut io, &ends).expect("written");
        let opened = open(&mut io).expect("opened");
        assert_eq!(opened.clean_end(ShardId(1)), Some(ends[1]));
        let path = Path::new("/data/clean");
        let length = io.with_disk(|disk| disk.content(path).map_or(0, <[u8]>::len));
        for at in 0..length {
            io.with_disk(|disk| assert!(disk.damage(path, at, 4)));
            assert_eq!(open(&mut io).expect("opened").clean_end(ShardId(0)), None, "byte {at}");
            io.with_disk(|disk| assert!(disk.damage(path, at, 4)));
        }
        opened.remove_clean_marker(&mut io).expect("removed");
        assert_eq!(open(&mut io).expect("opened").clean_end(ShardId(0)), None);
    }
}
