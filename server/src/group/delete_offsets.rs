//! `OffsetDelete`: a group forgets single partitions that none of its members reads.

use std::collections::BTreeSet;

use protocol::Message;
use protocol::messages::consumer_protocol::ConsumerProtocolSubscription;
use protocol::reader::Reader;

use super::coordinator::{Coordinator, Then};
use super::forget::offsets;
use super::member::Member;
use super::{CommitResponse, Group, GroupError, ReplyToken, Response, TopicPartitions};

/// Members of this type say what they read.
const CONSUMERS: &str = "consumer";

/// Later versions of a subscription only add fields behind those of this one.
const SUBSCRIPTION_VERSION: i16 = 1;

impl Coordinator {
    /// Partitions without a commit are forgotten already.
    pub(super) fn delete_offsets(
        &mut self,
        token: ReplyToken,
        group_id: &str,
        asked: &[TopicPartitions<i32>],
        now_ms: i64,
    ) {
        let entry = match self.groups.get(group_id) {
            _ if group_id.is_empty() => {
                return self.reply(token, Response::DeleteOffsets(Err(GroupError::InvalidGroupId)));
            }
            None => return self.reply(token, Response::DeleteOffsets(Err(GroupError::GroupIdNotFound))),
            Some(entry) if entry.consumers.is_none() && entry.group.has_members_of_another_type() => {
                return self.reply(token, Response::DeleteOffsets(Err(GroupError::NonEmptyGroup)));
            }
            Some(entry) => entry,
        };
        let reads = |topic: &str| match &entry.consumers {
            Some(consumers) => consumers.reads(topic),
            None => entry.group.reads(topic),
        };
        let outcome = |topic: &str| if reads(topic) { Err(GroupError::GroupSubscribedToTopic) } else { Ok(()) };
        let outcomes = asked.iter().map(|asked| {
            let outcome = outcome(&asked.topic);
            let partitions = asked.partitions.iter().map(|&partition| (partition, outcome)).collect();
            TopicPartitions { topic: asked.topic.clone(), partitions }
        });
        let outcomes = CommitResponse { topics: outcomes.collect() };
        let under_way: BTreeSet<(&str, i32)> = offsets(self.records_under_way())
            .filter(|(id, ..)| *id == group_id)
            .map(|(_, topic, partition)| (topic, partition))
            .collect();
        // A commit on its way would be there again after the tombstone of the one that is there.
        let is_there = |topic: &str, partition: i32| {
            entry.offsets.has(topic, partition) || under_way.contains(&(topic, partition))
        };
        let doomed = outcomes.topics.iter().flat_map(|topic| {
            let free = topic
                .partitions
                .iter()
                .filter(|(partition, outcome)| outcome.is_ok() && is_there(&topic.topic, *partition));
            free.map(|(partition, _)| (topic.topic.clone(), *partition))
        });
        let doomed: BTreeSet<(String, i32)> = doomed.collect();
        if doomed.is_empty() {
            return self.reply(token, Response::DeleteOffsets(Ok(outcomes)));
        }
        self.forget(group_id, doomed, false, Then::OffsetsDeleted(token, outcomes), now_ms);
    }
}

impl Group {
    /// Nobody but consumers tells the broker what it reads.
    fn has_members_of_another_type(&self) -> bool {
        self.empty_since_ms().is_none() && self.protocol_type() != Some(CONSUMERS)
    }

    /// Whether a member reads the topic. Who does not say so in the way of consumers may read anything.
    fn reads(&self, topic: &str) -> bool {
        self.members().any(|member| member.reads(topic))
    }
}

impl Member {
    fn reads(&self, topic: &str) -> bool {
        let says_no = |metadata: &[u8]| {
            let mut reader = Reader::new(metadata);
            let version = reader.read_i16().ok()?.clamp(0, SUBSCRIPTION_VERSION);
            let subscription = ConsumerProtocolSubscription::decode(&mut reader, version).ok()?;
            Some(!subscription.topics.contains(&topic))
        };
        !self.protocols.iter().all(|protocol| says_no(&protocol.metadata) == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::messages::consumer_offsets::encode_versioned;

    use super::*;
    use crate::group::JoinProtocol;

    fn member(metadata: impl Into<Bytes>) -> Member {
        let mut member = Member::restored(None, Bytes::new());
        member.protocols = vec![JoinProtocol { name: "range".to_owned(), metadata: metadata.into() }];
        member
    }

    #[test]
    fn members_read_what_they_say_in_any_version_and_anything_when_they_say_nothing() {
        let subscription = ConsumerProtocolSubscription { topics: vec!["a", "b"], ..Default::default() };
        let written = encode_versioned(&subscription, 1);
        let mut newer = written.to_vec();
        newer[1] = 3;
        newer.extend([0, 0, 0, 7, 255, 255]);
        for metadata in [written.to_vec(), newer] {
            let member = member(metadata);
            assert!(member.reads("a") && member.reads("b") && !member.reads("c"));
        }
        assert!(member(&b"opaque"[..]).reads("c"));
    }
}
