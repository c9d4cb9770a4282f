//! The topics that there are, and which of them a member reads.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::sync::Arc;

use uuid::Uuid;

use super::regexes::ResolvedRegexes;
use super::state::{ConsumerState, Profile};
use crate::catalog::{Catalog, Topic};

/// A view of the catalog and its number: another view has another one.
#[derive(Debug, Clone, Default)]
pub struct TopicsView {
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// How many views came before it.
    pub number: u64,
}

impl TopicsView {
    /// The name of a topic that is there.
    pub(super) fn name(&self, id: Uuid) -> Option<&str> {
        self.catalog.topic_by_id(id).map(|topic| topic.name.as_str())
    }
}

/// The topics with what patterns mean.
#[derive(Clone, Copy)]
pub(super) struct Topics<'a> {
    pub(super) view: &'a TopicsView,
    pub(super) regexes: &'a ResolvedRegexes,
}

impl<'a> Topics<'a> {
    /// The topics that a member reads and that exist, each once.
    pub(super) fn read_by<'b>(self, profile: &'b Profile) -> impl Iterator<Item = &'a Arc<Topic>> + use<'a, 'b> {
        let by_pattern = profile.regex.as_ref().and_then(|regex| self.regexes.topics(regex));
        let by_pattern = by_pattern.into_iter().flat_map(|topics| topics.iter());
        let more = by_pattern.filter(|name| !profile.topics.contains(name.as_str()));
        profile
            .topics
            .iter()
            .filter_map(move |name| self.view.catalog.topic(name))
            .chain(more.filter_map(move |name| self.view.catalog.topic(name)))
    }

    /// The same by id.
    pub(super) fn ids_read_by(self, profile: &Profile) -> BTreeSet<Uuid> {
        self.read_by(profile).map(|topic| topic.id).collect()
    }

    /// A hash of all topics that members read: another one, another partition of it, or none of that name any more gives another hash.
    pub(super) fn hash_of(self, state: &ConsumerState) -> i64 {
        let mut read = std::collections::BTreeMap::<&str, &Topic>::new();
        for member in state.members.values() {
            read.extend(self.read_by(&member.profile).map(|topic| (topic.name.as_str(), &**topic)));
        }
        if read.is_empty() {
            return 0;
        }
        let mut hash = Fnv::default();
        for (name, topic) in read {
            hash.write(name.as_bytes());
            hash.write(topic.id.as_bytes());
            hash.write(&topic.partition_count().to_be_bytes());
        }
        hash.finish().cast_signed()
    }
}

/// FNV-1a: it is stored, so that it must be the same in every version.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
