//! Group records: what differs between two states, and how a state takes them over. Live path and replay alike.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Message;
use protocol::messages::consumer_group_log::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue, TopicPartitions,
};
use protocol::messages::consumer_offsets::{decode_versioned, encode_versioned};
use protocol::reader::DecodeError;

use super::super::JoinProtocol;
use super::state::{ClassicProfile, ConsumerMember, ConsumerState, Current, MemberState, Partitions, Profile};

const EPOCH_KEY: i16 = 3;
const PROFILE_KEY: i16 = 5;
const TARGET_EPOCH_KEY: i16 = 6;
const TARGET_KEY: i16 = 7;
const CURRENT_KEY: i16 = 8;
const VALUE_VERSION: i16 = 0;

/// One record of a group. A value of `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerRecord {
    /// The epoch, and the hash of what is read. Its tombstone ends the group.
    Epoch(Option<(i32, i64)>),
    /// The epoch of the targets.
    TargetEpoch(Option<i32>),
    /// What a member has said.
    Profile(String, Option<Box<Profile>>),
    /// What a member shall have.
    Target(String, Option<Partitions>),
    /// What a member has.
    Current(String, Option<Box<Current>>),
}

impl ConsumerState {
    /// What must be logged so that `old` becomes this.
    pub(in super::super) fn records_since(&self, old: &ConsumerState) -> Vec<ConsumerRecord> {
        let mut records = Vec::new();
        for member_id in old.members.keys().filter(|member_id| !self.members.contains_key(*member_id)) {
            records.extend(member_tombstones(member_id));
        }
        let nobody = ConsumerMember::default();
        for (member_id, member) in &self.members {
            let was = old.members.get(member_id);
            if was.is_some_and(|was| Arc::ptr_eq(was, member)) {
                continue;
            }
            let id = || member_id.to_string();
            let old = was.map_or(&nobody, |was| &**was);
            if was.is_none() || old.profile != member.profile {
                records.push(ConsumerRecord::Profile(id(), Some(Box::new(member.profile.clone()))));
            }
            if old.target != member.target {
                records.push(ConsumerRecord::Target(id(), Some(member.target.clone())));
            }
            if old.current != member.current {
                records.push(ConsumerRecord::Current(id(), Some(Box::new(member.current.clone()))));
            }
        }
        if (old.epoch, old.metadata_hash) != (self.epoch, self.metadata_hash) {
            records.push(ConsumerRecord::Epoch(Some((self.epoch, self.metadata_hash))));
        }
        if old.target_epoch != self.target_epoch {
            records.push(ConsumerRecord::TargetEpoch(Some(self.target_epoch)));
        }
        records
    }

    /// What forgets the group.
    pub(in super::super) fn tombstones(&self) -> Vec<ConsumerRecord> {
        let members = self.members.keys().flat_map(|member_id| member_tombstones(member_id));
        members.chain([ConsumerRecord::TargetEpoch(None), ConsumerRecord::Epoch(None)]).collect()
    }

    /// Takes over a record.
    pub(in super::super) fn apply(&mut self, record: &ConsumerRecord) {
        let mut put = |member_id: &str, change: &dyn Fn(&mut ConsumerMember)| {
            let member = self.members.entry(Arc::from(member_id)).or_default();
            change(Arc::make_mut(member));
        };
        match record {
            ConsumerRecord::Epoch(Some((epoch, metadata_hash))) => {
                (self.epoch, self.metadata_hash) = (*epoch, *metadata_hash);
            }
            ConsumerRecord::Epoch(None) => *self = ConsumerState::default(),
            ConsumerRecord::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or(0),
            ConsumerRecord::Profile(id, Some(profile)) => put(id, &|member| member.profile = (**profile).clone()),
            ConsumerRecord::Profile(id, None) => drop(self.members.remove(id.as_str())),
            ConsumerRecord::Target(id, Some(target)) => put(id, &|member| member.target = target.clone()),
            ConsumerRecord::Current(id, Some(current)) => put(id, &|member| member.current = (**current).clone()),
            // The member's own tombstone follows.
            ConsumerRecord::Target(_, None) | ConsumerRecord::Current(_, None) => {}
        }
    }
}

fn member_tombstones(member_id: &str) -> [ConsumerRecord; 3] {
    let id = || member_id.to_owned();
    [ConsumerRecord::Current(id(), None), ConsumerRecord::Target(id(), None), ConsumerRecord::Profile(id(), None)]
}

impl ConsumerRecord {
    /// Whether a key is that of one of these records.
    pub(in super::super) fn is_key(version: i16) -> bool {
        [EPOCH_KEY, PROFILE_KEY, TARGET_EPOCH_KEY, TARGET_KEY, CURRENT_KEY].contains(&version)
    }

    pub(in super::super) fn encode(&self, group_id: &str) -> (Bytes, Option<Bytes>) {
        fn value<'a>(value: &impl Message<'a>) -> Bytes {
            encode_versioned(value, VALUE_VERSION)
        }
        match self {
            Self::Epoch(epoch) => {
                let epoch = epoch.map(|(epoch, metadata_hash)| ConsumerGroupMetadataValue { epoch, metadata_hash });
                let key = ConsumerGroupMetadataKey { group_id };
                (encode_versioned(&key, EPOCH_KEY), epoch.as_ref().map(value))
            }
            Self::TargetEpoch(epoch) => {
                let epoch =
                    epoch.map(|assignment_epoch| ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch });
                let key = ConsumerGroupTargetAssignmentMetadataKey { group_id };
                (encode_versioned(&key, TARGET_EPOCH_KEY), epoch.as_ref().map(value))
            }
            Self::Profile(member_id, profile) => {
                let key = ConsumerGroupMemberMetadataKey { group_id, member_id };
                (encode_versioned(&key, PROFILE_KEY), profile.as_deref().map(|profile| value(&profile_value(profile))))
            }
            Self::Target(member_id, target) => {
                let topic_partitions =
                    |target| ConsumerGroupTargetAssignmentMemberValue { topic_partitions: partitions_value(target) };
                let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id };
                (encode_versioned(&key, TARGET_KEY), target.as_ref().map(|target| value(&topic_partitions(target))))
            }
            Self::Current(member_id, current) => {
                let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id };
                (encode_versioned(&key, CURRENT_KEY), current.as_deref().map(|current| value(&current_value(current))))
            }
        }
    }

    /// Reads a record whose key has a version of [`ConsumerRecord::is_key`]; gives the group's id with it.
    pub(in super::super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<(String, Self)>, DecodeError> {
        let version = key.first_chunk().map_or(0, |version| i16::from_be_bytes(*version));
        let (group_id, record) = match version {
            EPOCH_KEY => {
                let (_, key) = decode_versioned::<ConsumerGroupMetadataKey<'_>>(key)?;
                let value = value.map(decode_versioned::<ConsumerGroupMetadataValue>).transpose()?;
                (key.group_id, Self::Epoch(value.map(|(_, value)| (value.epoch, value.metadata_hash))))
            }
            TARGET_EPOCH_KEY => {
                let (_, key) = decode_versioned::<ConsumerGroupTargetAssignmentMetadataKey<'_>>(key)?;
                let value = value.map(decode_versioned::<ConsumerGroupTargetAssignmentMetadataValue>).transpose()?;
                (key.group_id, Self::TargetEpoch(value.map(|(_, value)| value.assignment_epoch)))
            }
            PROFILE_KEY => {
                let (_, key) = decode_versioned::<ConsumerGroupMemberMetadataKey<'_>>(key)?;
                let value = value.map(decode_versioned::<ConsumerGroupMemberMetadataValue<'_>>).transpose()?;
                let profile = value.map(|(_, value)| Box::new(profile_of(value)));
                (key.group_id, Self::Profile(key.member_id.to_owned(), profile))
            }
            TARGET_KEY => {
                let (_, key) = decode_versioned::<ConsumerGroupTargetAssignmentMemberKey<'_>>(key)?;
                let value = value.map(decode_versioned::<ConsumerGroupTargetAssignmentMemberValue>).transpose()?;
                let target = value.map(|(_, value)| partitions_of(value.topic_partitions));
                (key.group_id, Self::Target(key.member_id.to_owned(), target))
            }
            CURRENT_KEY => {
                let (_, key) = decode_versioned::<ConsumerGroupCurrentMemberAssignmentKey<'_>>(key)?;
                let value = value.map(decode_versioned::<ConsumerGroupCurrentMemberAssignmentValue>).transpose()?;
                let current = value.map(|(_, value)| Box::new(current_of(value)));
                (key.group_id, Self::Current(key.member_id.to_owned(), current))
            }
            _ => return Ok(None),
        };
        Ok(Some((group_id.to_owned(), record)))
    }
}

fn profile_value(profile: &Profile) -> ConsumerGroupMemberMetadataValue<'_> {
    ConsumerGroupMemberMetadataValue {
        instance_id: profile.instance_id.as_deref(),
        rack_id: profile.rack_id.as_deref(),
        client_id: &profile.client_id,
        client_host: &profile.client_host,
        subscribed_topic_names: profile.topics.iter().map(String::as_str).collect(),
        subscribed_topic_regex: profile.regex.as_deref(),
        rebalance_timeout_ms: profile.rebalance_timeout_ms,
        server_assignor: profile.assignor.as_deref(),
        classic_member_metadata: profile.classic.as_ref().map(|classic| ClassicMemberMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            supported_protocols: classic
                .protocols
                .iter()
                .map(|protocol| ClassicProtocol { name: &protocol.name, metadata: &protocol.metadata })
                .collect(),
        }),
    }
}

fn profile_of(value: ConsumerGroupMemberMetadataValue<'_>) -> Profile {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let protocol = |protocol: ClassicProtocol<'_>| JoinProtocol {
        name: protocol.name.to_owned(),
        metadata: Bytes::copy_from_slice(protocol.metadata),
    };
    Profile {
        instance_id: owned(value.instance_id),
        rack_id: owned(value.rack_id),
        client_id: value.client_id.to_owned(),
        client_host: value.client_host.to_owned(),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        topics: value.subscribed_topic_names.into_iter().map(str::to_owned).collect(),
        // Kafka writes an empty one where there is none.
        regex: owned(value.subscribed_topic_regex).filter(|regex| !regex.is_empty()),
        assignor: owned(value.server_assignor),
        classic: value.classic_member_metadata.map(|classic| ClassicProfile {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.supported_protocols.into_iter().map(protocol).collect(),
        }),
    }
}

fn current_value(current: &Current) -> ConsumerGroupCurrentMemberAssignmentValue {
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: match current.state {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
        },
        assigned_partitions: partitions_value(&current.assigned),
        partitions_pending_revocation: partitions_value(&current.revoking),
    }
}

fn current_of(value: ConsumerGroupCurrentMemberAssignmentValue) -> Current {
    Current {
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        state: match value.state {
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Stable,
        },
        assigned: partitions_of(value.assigned_partitions),
        revoking: partitions_of(value.partitions_pending_revocation),
    }
}

fn partitions_value(partitions: &Partitions) -> Vec<TopicPartitions> {
    let topic = |(id, partitions): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| TopicPartitions {
        topic_id: *id,
        partitions: partitions.iter().copied().collect(),
    };
    partitions.iter().map(topic).collect()
}

fn partitions_of(topics: Vec<TopicPartitions>) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        partitions.entry(topic.topic_id).or_default().extend(topic.partitions);
    }
    partitions
}
