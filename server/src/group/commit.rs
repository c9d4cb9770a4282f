//! Committed offsets of a coordinator: a commit is checked, written as one batch or not at all, and seen once it is durable.

use super::coordinator::{Coordinator, Then};
use super::records::encode_batch;
use super::{
    CommitRequest, CommitResponse, CommittedOffset, GroupError, OffsetFetchRequest, OffsetFetchResponse, Offsets,
    OffsetsRecord, ReplyToken, Response, TopicOffsets, TopicPartitions,
};
use crate::limits::{GROUP_OFFSETS_MAX, GROUPS_PER_COORDINATOR_MAX, OFFSETS_BATCH_BYTES_MAX};

impl Coordinator {
    pub(super) fn commit(&mut self, token: ReplyToken, request: &CommitRequest, now_ms: i64) {
        match self.check_commit(request, false, now_ms) {
            Ok(()) => self.commit_checked(token, request, now_ms),
            Err(error) => self.reply(token, Response::Commit(refused_commit(request, error))),
        }
        self.reschedule(&request.group_id);
    }

    fn commit_checked(&mut self, token: ReplyToken, request: &CommitRequest, now_ms: i64) {
        let (response, records) = self.commit_records(request, now_ms);
        if records.is_empty() {
            return self.reply(token, Response::Commit(response));
        }
        let batch = encode_batch(&records, now_ms);
        if batch.len() > OFFSETS_BATCH_BYTES_MAX {
            // As in Kafka, a commit is one batch or none: half of it must not be seen.
            let refused = refused_commit(request, GroupError::InvalidCommitOffsetSize);
            return self.reply(token, Response::Commit(refused));
        }
        self.append(batch, &request.group_id, records, Then::Commit(token, response));
    }

    pub(super) fn check_commit(
        &mut self,
        request: &CommitRequest,
        in_transaction: bool,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        if self.grows_no_more && !self.has_all(request) {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if !self.groups.contains_key(&request.group_id) {
            if request.generation_id >= 0 {
                return Err(GroupError::GroupIdNotFound);
            }
            if self.groups.len() >= GROUPS_PER_COORDINATOR_MAX {
                return Err(GroupError::InvalidCommitOffsetSize);
            }
            self.ensure_group(&request.group_id, now_ms);
        }
        let entry = self.groups.get_mut(&request.group_id).expect("the group was just made sure of");
        match &entry.consumers {
            Some(consumers) => consumers.check_commit(request, in_transaction)?,
            None if in_transaction => entry.group.check_transactional_commit(request, now_ms)?,
            None => entry.group.check_commit(request, now_ms)?,
        }
        let committed: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
        if entry.offsets.len() + entry.pending.len() + committed > GROUP_OFFSETS_MAX {
            return Err(GroupError::InvalidCommitOffsetSize);
        }
        Ok(())
    }

    /// Whether each partition of the request was committed by its group before.
    fn has_all(&self, request: &CommitRequest) -> bool {
        let offsets = self.groups.get(&request.group_id).map(|entry| &entry.offsets);
        let mut wanted = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |committed| (topic.topic.as_str(), committed.partition))
        });
        wanted.all(|(topic, partition)| offsets.is_some_and(|offsets| offsets.has(topic, partition)))
    }

    pub(super) fn commit_records(&self, request: &CommitRequest, now_ms: i64) -> (CommitResponse, Vec<OffsetsRecord>) {
        let mut records = Vec::new();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|committed| {
                if committed.metadata.len() > self.config.offset_metadata_bytes_max {
                    return (committed.partition, Err(GroupError::OffsetMetadataTooLarge));
                }
                records.push(OffsetsRecord::Offset {
                    group_id: request.group_id.clone(),
                    topic: topic.topic.clone(),
                    partition: committed.partition,
                    value: Some(CommittedOffset {
                        offset: committed.offset,
                        leader_epoch: committed.leader_epoch,
                        metadata: committed.metadata.clone(),
                        commit_timestamp_ms: now_ms,
                    }),
                });
                (committed.partition, Ok(()))
            });
            TopicPartitions { topic: topic.topic.clone(), partitions: partitions.collect() }
        });
        let response = CommitResponse { topics: topics.collect() };
        (response, records)
    }

    pub(super) fn fetch_offsets(&self, request: &OffsetFetchRequest) -> Result<OffsetFetchResponse, GroupError> {
        let Some(entry) = self.groups.get(&request.group_id) else {
            return Ok(Offsets::default().fetch(request));
        };
        if let (Some(consumers), Some((member_id, epoch))) = (&entry.consumers, &request.member) {
            consumers.check_fetch(member_id, *epoch)?;
        }
        let mut response = entry.offsets.fetch(request);
        if request.requires_stable {
            for topic in &mut response.topics {
                for offsets in &mut topic.partitions {
                    if entry.pending.has(&topic.topic, offsets.partition) {
                        *offsets = TopicOffsets::unstable(offsets.partition);
                    }
                }
            }
        }
        Ok(response)
    }
}

/// The same refusal for every partition.
pub(super) fn refused_commit(request: &CommitRequest, error: GroupError) -> CommitResponse {
    let topics = request.topics.iter().map(|topic| TopicPartitions {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(|committed| (committed.partition, Err(error))).collect(),
    });
    CommitResponse { topics: topics.collect() }
}
