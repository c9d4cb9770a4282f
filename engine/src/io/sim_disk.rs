//! CONTRACT: what a disk and its file system hold: what reads see, what is on stable storage, and what lies between.
//!
//! Three layers a file: `content` is what a running process sees, `durable` what the last flush proved, and `unflushed` the
//! writes between them, of which a power cut keeps any subset of sectors. Names likewise: a created, renamed or removed
//! name is durable only after its directory was flushed.

mod at_rest;
mod crash;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::files;
use crate::limits::BLOCK_BYTES;

/// The smallest unit that a device writes whole.
const SECTOR_BYTES: usize = 512;

/// A simulated disk with its file system. A clone is a snapshot.
#[derive(Clone, Debug)]
pub struct SimDisk {
    nodes: BTreeMap<u64, Node>,
    names: BTreeMap<PathBuf, Entry>,
    durable_names: BTreeMap<PathBuf, Entry>,
    unflushed_names: Vec<NameChange>,
    next_node: u64,
    next_write: u64,
    capacity_bytes: u64,
}

/// A file, by number: open files outlive their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct NodeId(u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Directory,
    File(NodeId),
}

#[derive(Clone, Debug, Default)]
struct Node {
    content: Vec<u8>,
    durable: Vec<u8>,
    unflushed: Vec<Unflushed>,
}

#[derive(Clone, Debug)]
struct Unflushed {
    number: u64,
    position: usize,
    data: Bytes,
    /// A flush that should have covered it failed: no later flush makes it durable, though it will claim to.
    doomed: bool,
}

/// One atomic change of names.
#[derive(Clone, Debug)]
struct NameChange {
    removed: Option<PathBuf>,
    added: Option<(PathBuf, Entry)>,
}

/// How far an operation on names came. Each step holds the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// A name without its content: an empty new file, a temporary file written in part.
    Begun,
    /// Everything is in place, but the directory is not flushed.
    Visible,
    /// Done.
    Durable,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new(1 << 40)
    }
}

impl SimDisk {
    /// An empty disk with a durable root directory.
    pub fn new(capacity_bytes: u64) -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Entry::Directory)]);
        Self {
            nodes: BTreeMap::new(),
            names: root.clone(),
            durable_names: root,
            unflushed_names: Vec::new(),
            next_node: 0,
            next_write: 0,
            capacity_bytes,
        }
    }

    /// Changes the size of the disk; what is there stays.
    pub fn set_capacity_bytes(&mut self, capacity_bytes: u64) {
        self.capacity_bytes = capacity_bytes;
    }

    /// What a process sees in a file.
    pub fn content(&self, path: &Path) -> Option<&[u8]> {
        let node = self.find(path).ok()?;
        Some(&self.nodes[&node.0].content)
    }

    /// Paths of all files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.names.iter();
        files.filter(|(_, entry)| matches!(entry, Entry::File(_))).map(|(path, _)| path.clone()).collect()
    }

    /// The number that the next write will get: a flush submitted now covers the ones below it.
    pub(super) fn next_write(&self) -> u64 {
        self.next_write
    }

    pub(super) fn write(&mut self, file: NodeId, position: u64, data: Bytes) -> io::Result<()> {
        let number = self.next_write;
        self.next_write += 1;
        let position = position as usize;
        let node = self.node(file);
        if position + data.len() > node.content.len() {
            // Journal files never grow by writing: an extending write would cost a metadata commit each.
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        overwrite(&mut node.content, position, &data);
        node.unflushed.push(Unflushed { number, position, data, doomed: false });
        Ok(())
    }

    /// A write that did not come to its end: any subset of its sectors lands.
    pub(super) fn write_torn(&mut self, file: NodeId, position: u64, data: &Bytes, random: &mut Xoshiro256PlusPlus) {
        let unit = [SECTOR_BYTES, BLOCK_BYTES][below(random, 2) as usize];
        let survival = [0, 50, 100][below(random, 3) as usize];
        for (place, part) in parts(position as usize, data, unit) {
            if below(random, 100) < survival {
                // Beyond the end nothing can land.
                let _ = self.write(file, place as u64, data.slice_ref(part));
            }
        }
    }

    pub(super) fn read(&self, file: NodeId, position: u64, into: &mut [u8]) -> io::Result<()> {
        let start = position as usize;
        let content = self.nodes[&file.0].content.get(start..start + into.len());
        into.copy_from_slice(content.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// Makes the writes with these numbers durable, except those that an earlier flush failed to.
    pub(super) fn sync(&mut self, file: NodeId, covers: &Range<u64>) {
        let node = self.node(file);
        node.durable.resize(node.content.len(), 0);
        let is_covered = |write: &Unflushed| covers.contains(&write.number) && !write.doomed;
        let (covered, mut later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut node.unflushed).into_iter().partition(is_covered);
        // An older write must not come back over a newer one that is now durable: a doomed one is gone, of another the rest is left.
        later.retain_mut(|old| {
            let newer = |write: &&Unflushed| write.number > old.number && write.overlaps(old);
            let newer: Vec<&Unflushed> = covered.iter().filter(newer).collect();
            let is_kept = newer.is_empty() || !old.doomed;
            for newer in newer {
                old.take_over(newer);
            }
            is_kept
        });
        node.unflushed = later;
        for write in covered {
            overwrite(&mut node.durable, write.position, &write.data);
        }
    }

    /// A flush that failed: what it covered is lost from the cache, and no later flush will say so (reliability 0.3).
    pub(super) fn sync_failed(&mut self, file: NodeId, covers: &Range<u64>) {
        for write in &mut self.node(file).unflushed {
            write.doomed |= covers.contains(&write.number);
        }
    }

    /// A whole block as a process sees it.
    pub(super) fn block(&self, file: NodeId, position: u64) -> Bytes {
        let start = position as usize;
        Bytes::copy_from_slice(&self.nodes[&file.0].content[start..start + BLOCK_BYTES])
    }

    pub(super) fn create(&mut self, path: &Path, bytes: u64, stage: Stage) -> io::Result<NodeId> {
        self.expect_parent(path)?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if bytes > self.free_bytes() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = if stage == Stage::Begun { 0 } else { bytes };
        let id = self.add_node(vec![0; length as usize]);
        self.change_names(None, Some((path.to_owned(), Entry::File(id))));
        if stage == Stage::Durable {
            self.sync(id, &(0..self.next_write));
            self.flush_names(path);
        }
        Ok(id)
    }

    pub(super) fn replace(
        &mut self,
        path: &Path,
        content: &[u8],
        stage: Stage,
        random: &mut Xoshiro256PlusPlus,
    ) -> io::Result<()> {
        self.expect_parent(path)?;
        if content.len() as u64 > self.free_bytes() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let temporary = files::temporary_name(path)?;
        if stage == Stage::Begun {
            let length = below(random, content.len() as u64 + 1) as usize;
            let id = self.add_node(content[..length].to_vec());
            self.change_names(None, Some((temporary, Entry::File(id))));
            return Ok(());
        }
        let id = self.add_node(content.to_vec());
        self.node(id).durable = content.to_vec();
        self.change_names(Some(temporary), Some((path.to_owned(), Entry::File(id))));
        if stage == Stage::Durable {
            self.flush_names(path);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path, stage: Stage) {
        if self.find(path).is_ok() {
            self.change_names(Some(path.to_owned()), None);
        }
        if stage == Stage::Durable {
            self.flush_names(path);
        }
    }

    pub(super) fn create_directory(&mut self, path: &Path) {
        let missing: Vec<_> =
            path.ancestors().filter(|ancestor| !self.names.contains_key(*ancestor)).map(Path::to_owned).collect();
        for ancestor in missing.into_iter().rev() {
            self.change_names(None, Some((ancestor.clone(), Entry::Directory)));
            self.flush_names(&ancestor);
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if self.names.get(path) != Some(&Entry::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entries = self.names.keys();
        Ok(entries
            .filter(|entry| entry.parent() == Some(path))
            .filter_map(|entry| Some(entry.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
        match self.names.get(path) {
            Some(Entry::File(id)) => Ok(*id),
            Some(Entry::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn length(&self, file: NodeId) -> u64 {
        self.nodes[&file.0].content.len() as u64
    }

    pub(super) fn free_bytes(&self) -> u64 {
        let named = self.names.values().map(|entry| match entry {
            Entry::File(id) => self.length(*id),
            Entry::Directory => 0,
        });
        let used: u64 = named.sum();
        self.capacity_bytes.saturating_sub(used)
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id.0).expect("a node lives while it is named or open")
    }

    fn add_node(&mut self, content: Vec<u8>) -> NodeId {
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, Node { content, ..Node::default() });
        NodeId(id)
    }

    fn change_names(&mut self, removed: Option<PathBuf>, added: Option<(PathBuf, Entry)>) {
        let change = NameChange { removed, added };
        change.apply(&mut self.names);
        self.unflushed_names.push(change);
    }

    /// Flushes the directory that holds `path`.
    fn flush_names(&mut self, path: &Path) {
        if let Some(directory) = path.parent() {
            self.flush_names_in(directory);
        }
    }

    pub(super) fn flush_names_in(&mut self, directory: &Path) {
        let (flushed, later) = std::mem::take(&mut self.unflushed_names)
            .into_iter()
            .partition(|change| change.directory() == Some(directory));
        self.unflushed_names = later;
        for change in flushed {
            change.apply(&mut self.durable_names);
        }
    }

    fn expect_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().and_then(|parent| self.names.get(parent));
        match parent {
            Some(Entry::Directory) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Unflushed {
    /// The part of a newer write that lies in it.
    fn take_over(&mut self, newer: &Unflushed) {
        let (from, to) = (self.position.max(newer.position), self.end().min(newer.end()));
        let mut data = self.data.to_vec();
        overwrite(&mut data, from - self.position, &newer.data[from - newer.position..to - newer.position]);
        self.data = data.into();
    }

    fn end(&self) -> usize {
        self.position + self.data.len()
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.position < other.end() && other.position < self.end()
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Entry>) {
        if let Some(path) = &self.removed {
            names.remove(path);
        }
        if let Some((path, entry)) = &self.added {
            names.insert(path.clone(), *entry);
        }
    }

    fn directory(&self) -> Option<&Path> {
        let added = self.added.as_ref().map(|(path, _)| path);
        added.or(self.removed.as_ref())?.parent()
    }

    fn file(&self) -> Option<u64> {
        match self.added {
            Some((_, Entry::File(id))) => Some(id.0),
            _ => None,
        }
    }
}

/// A number below `bound` (0 for 0). The bias of the remainder is of no matter for faults.
pub(super) fn below(random: &mut Xoshiro256PlusPlus, bound: u64) -> u64 {
    random.next_u64() % bound.max(1)
}

fn overwrite(target: &mut Vec<u8>, position: usize, data: &[u8]) {
    let end = position + data.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[position..end].copy_from_slice(data);
}

/// The parts of a write that a device keeps or loses as a whole, with their positions.
fn parts(position: usize, data: &[u8], unit: usize) -> impl Iterator<Item = (usize, &[u8])> {
    data.chunks(unit).enumerate().map(move |(index, part)| (position + index * unit, part))
}
