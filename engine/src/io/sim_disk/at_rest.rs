//! Damage at rest: what a disk does to bytes between two starts, of which nobody is told.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Entry, SimDisk, Stage};
use crate::limits::BLOCK_BYTES;

impl SimDisk {
    /// Flips bits of one byte: in what is seen, in what is durable and in what is not flushed yet. False if the file has no such byte.
    pub fn damage(&mut self, path: &Path, position: usize, mask: u8) -> bool {
        self.flip(path, position, &[mask])
    }

    fn flip(&mut self, path: &Path, position: usize, masks: &[u8]) -> bool {
        let Ok(id) = self.find(path) else {
            return false;
        };
        let node = self.node(id);
        if position + masks.len() > node.content.len() {
            return false;
        }
        let flip_in = |bytes: &mut [u8], start: usize| {
            for (at, mask) in masks.iter().enumerate() {
                if let Some(byte) = (position + at).checked_sub(start).and_then(|at| bytes.get_mut(at)) {
                    *byte ^= mask;
                }
            }
        };
        flip_in(&mut node.content, 0);
        flip_in(&mut node.durable, 0);
        for write in &mut node.unflushed {
            if write.position < position + masks.len() && position < write.position + write.data.len() {
                let mut data = write.data.to_vec();
                flip_in(&mut data, write.position);
                write.data = Bytes::from(data);
            }
        }
        true
    }

    /// A block of a file gets the bytes of another one, which keeps them: a write that went astray. False if a file is too short.
    pub fn copy_block(&mut self, from: (&Path, usize), to: (&Path, usize)) -> bool {
        let Some(bytes) = self.content(from.0).and_then(|content| content.get(from.1..from.1 + BLOCK_BYTES)) else {
            return false;
        };
        let bytes = bytes.to_vec();
        self.overwrite_at_rest(to.0, to.1, &bytes)
    }

    /// Overwrites bytes of a file. False if it is too short.
    pub fn overwrite_at_rest(&mut self, path: &Path, position: usize, bytes: &[u8]) -> bool {
        let Some(old) = self.content(path).and_then(|content| content.get(position..position + bytes.len())) else {
            return false;
        };
        let masks: Vec<u8> = old.iter().zip(bytes).map(|(old, new)| old ^ new).collect();
        self.flip(path, position, &masks)
    }

    /// A file is gone.
    pub fn lose(&mut self, path: &Path) {
        self.remove(path, Stage::Durable);
    }

    /// A file is there twice. False if there is none, or one at the other path.
    pub fn duplicate(&mut self, path: &Path, other: &Path) -> bool {
        let Ok(id) = self.find(path) else {
            return false;
        };
        if self.find(other).is_ok() {
            return false;
        }
        let content = self.nodes[&id.0].content.clone();
        let copy = self.add_node(content.clone());
        self.node(copy).durable = content;
        self.change_names(None, Some((PathBuf::from(other), Entry::File(copy))));
        self.flush_names(other);
        true
    }

    /// A file has another length. False if there is none.
    pub fn resize(&mut self, path: &Path, bytes: usize) -> bool {
        let Ok(id) = self.find(path) else {
            return false;
        };
        let node = self.node(id);
        node.content.resize(bytes, 0);
        node.durable.resize(bytes, 0);
        node.unflushed.retain(|write| write.position + write.data.len() <= bytes);
        true
    }
}
