//! What is left on a disk when a process or the power ends.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Entry, NameChange, SECTOR_BYTES, SimDisk, below, overwrite, parts};
use crate::limits::BLOCK_BYTES;

impl SimDisk {
    /// Power returns after a cut: of what was not flushed any subset of sectors is there, each whole or not, and any subset of
    /// the names.
    pub(in crate::io) fn power_cut(&mut self, random: &mut Xoshiro256PlusPlus) {
        // Evenly spread subsets rarely hold all or nothing, which are the frequent cases of a real device.
        let survival = [0, 10, 50, 90, 100][below(random, 5) as usize];
        let unit = [SECTOR_BYTES, BLOCK_BYTES][below(random, 2) as usize];
        for node in self.nodes.values_mut() {
            for write in std::mem::take(&mut node.unflushed) {
                for (place, part) in parts(write.position, &write.data, unit) {
                    if below(random, 100) < survival {
                        overwrite(&mut node.durable, place, part);
                    }
                }
            }
            node.content.clone_from(&node.durable);
        }
        for change in std::mem::take(&mut self.unflushed_names) {
            if below(random, 100) < survival {
                change.apply(&mut self.durable_names);
            }
        }
        self.names.clone_from(&self.durable_names);
        self.forget_unnamed();
    }

    /// The process ended. Of what a failed flush should have covered, the device shows to the next process either all (it is in its cache
    /// still, and a later flush will cover it) or nothing.
    pub(in crate::io) fn process_ended(&mut self, random: &mut Xoshiro256PlusPlus) {
        for node in self.nodes.values_mut().filter(|node| node.unflushed.iter().any(|write| write.doomed)) {
            if below(random, 2) == 0 {
                node.unflushed.retain(|write| !write.doomed);
                let length = node.content.len();
                node.content.clone_from(&node.durable);
                node.content.resize(length, 0);
                for write in &node.unflushed {
                    overwrite(&mut node.content, write.position, &write.data);
                }
            } else {
                node.unflushed.iter_mut().for_each(|write| write.doomed = false);
            }
        }
        self.forget_unnamed();
    }

    /// Files without a name are gone.
    fn forget_unnamed(&mut self) {
        let named = [&self.names, &self.durable_names];
        let kept: Vec<u64> = named
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|entry| match entry {
                Entry::File(id) => Some(id.0),
                Entry::Directory => None,
            })
            .chain(self.unflushed_names.iter().filter_map(NameChange::file))
            .collect();
        self.nodes.retain(|id, _| kept.contains(id));
    }
}
