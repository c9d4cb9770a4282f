//! The committed offsets of one group. What is here is durable: commits on their way are not seen.

use std::collections::BTreeMap;

use super::{OffsetFetchRequest, OffsetFetchResponse, TopicOffsets, TopicPartitions};

/// The committed position in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Next offset to read.
    pub offset: i64,
    /// Epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// The client's note.
    pub metadata: String,
    /// When it was committed.
    pub commit_timestamp_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    committed: CommittedOffset,
    /// Place of its append among the coordinator's, so that a late answer cannot undo a newer commit.
    order: u64,
}

/// All committed offsets of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    topics: BTreeMap<String, BTreeMap<i32, Stored>>,
}

impl Offsets {
    /// Takes over a durable commit, or a tombstone; live path and replay alike.
    pub fn apply(&mut self, topic: &str, partition: i32, value: Option<CommittedOffset>, order: u64) {
        if self.topics.get(topic).and_then(|topic| topic.get(&partition)).is_some_and(|stored| stored.order > order) {
            return;
        }
        if let Some(committed) = value {
            if !self.topics.contains_key(topic) {
                self.topics.insert(topic.to_owned(), BTreeMap::new());
            }
            let partitions = self.topics.get_mut(topic).expect("the topic was just made sure of");
            partitions.insert(partition, Stored { committed, order });
        } else if let Some(partitions) = self.topics.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// The order of the newest commit of a partition.
    pub(super) fn order(&self, topic: &str, partition: i32) -> Option<u64> {
        Some(self.topics.get(topic)?.get(&partition)?.order)
    }

    /// Committed partitions.
    pub fn len(&self) -> usize {
        self.topics.values().map(BTreeMap::len).sum()
    }

    /// Whether a partition has a commit.
    pub fn has(&self, topic: &str, partition: i32) -> bool {
        self.topics.get(topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Whether nothing is committed.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Everything, by topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, stored)| (topic.as_str(), *partition, &stored.committed))
        })
    }

    /// The answer to `OffsetFetch`; a partition without a commit has offset -1, which is no error.
    pub fn fetch(&self, request: &OffsetFetchRequest) -> OffsetFetchResponse {
        let topics = match &request.topics {
            Some(topics) => topics.iter().map(|asked| self.fetch_topic(&asked.topic, &asked.partitions)).collect(),
            None => self
                .topics
                .iter()
                .map(|(topic, partitions)| {
                    let all: Vec<_> = partitions.keys().copied().collect();
                    self.fetch_topic(topic, &all)
                })
                .collect(),
        };
        OffsetFetchResponse { topics }
    }

    /// The partitions whose offsets have outlived `retention_ms`. `idle_since_ms` is when the last member left, for a group
    /// that had members; without members ever, each commit counts for itself.
    pub fn expired(&self, idle_since_ms: Option<i64>, retention_ms: i64, now_ms: i64) -> Vec<(String, i32)> {
        self.iter()
            .filter(|(_, _, committed)| {
                let since_ms = committed.commit_timestamp_ms.max(idle_since_ms.unwrap_or(i64::MIN));
                now_ms.saturating_sub(since_ms) >= retention_ms
            })
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect()
    }

    fn fetch_topic(&self, topic: &str, partitions: &[i32]) -> TopicPartitions<TopicOffsets> {
        let stored = self.topics.get(topic);
        let partitions = partitions.iter().map(|&partition| {
            let committed = stored.and_then(|stored| stored.get(&partition)).map(|stored| &stored.committed);
            TopicOffsets {
                partition,
                offset: committed.map_or(-1, |committed| committed.offset),
                leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
                metadata: committed.map_or_else(String::new, |committed| committed.metadata.clone()),
                is_unstable: false,
            }
        });
        TopicPartitions { topic: topic.to_owned(), partitions: partitions.collect() }
    }
}
