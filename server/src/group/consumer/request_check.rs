//! What no heartbeat may be, whatever the group: checked in Kafka's order, refused in Kafka's words; and the bounds of this broker.

use super::super::{GroupConfig, GroupError};
use super::assignor::Assignor;
use super::heartbeat::LEFT_FOR_A_WHILE;
use super::request::{ConsumerHeartbeatRequest, Refusal};
use crate::limits::{
    GROUP_MEMBER_METADATA_BYTES_MAX, GROUP_MEMBER_NAME_BYTES_MAX, GROUP_MEMBER_PARTITIONS_MAX, GROUP_MEMBER_TOPICS_MAX,
    GROUP_SHOWN_CHARS_MAX,
};

/// The epoch with which a member leaves.
pub(super) const LEAVES: i32 = -1;

impl ConsumerHeartbeatRequest {
    /// Whether it is well formed.
    pub(in super::super) fn check(&self, config: &GroupConfig) -> Result<(), Refusal> {
        let invalid = |message: &str| Err(Refusal::new(GroupError::InvalidRequest, message));
        let is_blank = |text: &str| text.trim().is_empty();
        let needs_id = self.makes_its_id || self.member_epoch > 0 || self.member_epoch == LEAVES;
        if needs_id && is_blank(&self.member_id) {
            return invalid("MemberId can't be empty.");
        }
        if is_blank(&self.group_id) {
            return invalid("GroupId can't be empty.");
        }
        if self.instance_id.as_deref().is_some_and(is_blank) {
            return invalid("InstanceId can't be empty.");
        }
        if self.rack_id.as_deref().is_some_and(is_blank) {
            return invalid("RackId can't be empty.");
        }
        match self.member_epoch {
            0 if self.rebalance_timeout_ms == -1 => {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            }
            0 if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) => {
                return invalid("TopicPartitions must be empty when (re-)joining.");
            }
            0 if self.topics.is_none() && self.regex.is_none() => {
                return invalid(
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
                );
            }
            LEFT_FOR_A_WHILE if is_blank(&self.member_id) => return invalid("MemberId can't be empty."),
            LEFT_FOR_A_WHILE if self.instance_id.is_none() => return invalid("InstanceId can't be null."),
            ..LEFT_FOR_A_WHILE => return invalid("MemberEpoch is invalid."),
            _ => {}
        }
        self.check_assignor(config)?;
        self.check_bounds()
    }

    fn check_assignor(&self, config: &GroupConfig) -> Result<(), Refusal> {
        let Some(name) = &self.assignor else { return Ok(()) };
        let assignors = config.consumer.assignors;
        if Assignor::named(name).is_some_and(|assignor| assignors.all().any(|known| known == assignor)) {
            return Ok(());
        }
        let shown: String = name.chars().take(GROUP_SHOWN_CHARS_MAX).collect();
        let message = format!("ServerAssignor {shown} is not supported. Supported assignors: {}.", assignors.listed());
        Err(Refusal::new(GroupError::UnsupportedAssignor, message))
    }

    /// Kafka has no bounds but that of a request; a group lives longer than a request.
    fn check_bounds(&self) -> Result<(), Refusal> {
        let too_large = |what: &str, most: usize| {
            Err(Refusal::new(GroupError::InvalidRequest, format!("{what}: more than {most} is not served.")))
        };
        let names = [Some(&self.member_id), self.instance_id.as_ref(), self.rack_id.as_ref()];
        if names.into_iter().flatten().any(|name| name.len() > GROUP_MEMBER_NAME_BYTES_MAX) {
            return too_large("Bytes of MemberId, InstanceId or RackId", GROUP_MEMBER_NAME_BYTES_MAX);
        }
        let topics = self.topics.as_deref().unwrap_or_default();
        if topics.len() > GROUP_MEMBER_TOPICS_MAX {
            return too_large("Topics of SubscribedTopicNames", GROUP_MEMBER_TOPICS_MAX);
        }
        if topics.iter().map(String::len).sum::<usize>() > GROUP_MEMBER_METADATA_BYTES_MAX {
            return too_large("Bytes of SubscribedTopicNames", GROUP_MEMBER_METADATA_BYTES_MAX);
        }
        let owned = self.owned.as_deref().unwrap_or_default();
        if owned.iter().map(|(_, partitions)| 1 + partitions.len()).sum::<usize>() > GROUP_MEMBER_PARTITIONS_MAX {
            return too_large("TopicPartitions", GROUP_MEMBER_PARTITIONS_MAX);
        }
        Ok(())
    }
}
