//! What administrators see, and what a coordinator must know of a group.

use super::super::{CommitRequest, GroupError};
use super::group::ConsumerGroup;
use super::request::ConsumerGroupDescription;
use super::state::{ConsumerMember, Partitions};

impl ConsumerGroup {
    /// The administrator's view.
    pub fn describe(&self) -> ConsumerGroupDescription {
        ConsumerGroupDescription {
            state: self.state.name(),
            epoch: self.state.epoch,
            target_epoch: self.state.target_epoch,
            assignor: self.assignor_of(&self.state).name(),
            members: self.state.members.iter().map(|(id, member)| (id.to_string(), (**member).clone())).collect(),
        }
    }

    /// Whether a member reads a topic.
    pub fn reads(&self, topic: &str) -> bool {
        self.state.members.values().any(|member| {
            let by_pattern = member.profile.regex.as_ref().and_then(|regex| self.regexes.topics(regex));
            member.profile.topics.contains(topic) || by_pattern.is_some_and(|topics| topics.contains(topic))
        })
    }

    /// Whether offsets may be committed by this caller now. `in_transaction`: older producers name no member.
    pub fn check_commit(&self, request: &CommitRequest, in_transaction: bool) -> Result<(), GroupError> {
        let names_nobody = request.member_id.is_empty() && request.instance_id.is_none();
        if request.generation_id < 0 && (self.state.members.is_empty() || in_transaction && names_nobody) {
            return Ok(());
        }
        let member = self.state.members.get(request.member_id.as_str()).ok_or(GroupError::UnknownMemberId)?;
        if !in_transaction && member.profile.classic.is_none() && !request.knows_member_epochs {
            return Err(GroupError::UnsupportedVersion);
        }
        match check_epoch(member, request.generation_id) {
            Err(GroupError::StaleMemberEpoch) if in_transaction => Err(GroupError::IllegalGeneration),
            outcome => outcome,
        }
    }

    /// Whether a member may read offsets now.
    pub fn check_fetch(&self, member_id: &str, member_epoch: i32) -> Result<(), GroupError> {
        let member = self.state.members.get(member_id).ok_or(GroupError::UnknownMemberId)?;
        check_epoch(member, member_epoch)
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let members = self.state.members.iter().map(|(id, member)| id.len() + member.memory_bytes());
        self.id.len() + size_of::<Self>() + members.sum::<usize>() + self.regexes.memory_bytes()
    }
}

fn check_epoch(member: &ConsumerMember, epoch: i32) -> Result<(), GroupError> {
    if epoch == member.current.epoch {
        Ok(())
    } else if member.profile.classic.is_some() {
        Err(GroupError::IllegalGeneration)
    } else {
        Err(GroupError::StaleMemberEpoch)
    }
}

impl ConsumerMember {
    fn memory_bytes(&self) -> usize {
        /// What the timers of a member and its places in maps take.
        const FIXED_BYTES: usize = 256;
        const PARTITION_BYTES: usize = 8;
        let partitions = |partitions: &Partitions| -> usize {
            partitions.values().map(|some| 64 + some.len() * PARTITION_BYTES).sum()
        };
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let profile = &self.profile;
        let names: usize = profile.topics.iter().map(|name| size_of::<String>() + name.len()).sum();
        let classic = profile.classic.iter().flat_map(|classic| &classic.protocols);
        let classic: usize = classic.map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        let texts =
            text(&profile.instance_id) + text(&profile.rack_id) + text(&profile.regex) + text(&profile.assignor);
        let held = [&self.target, &self.current.assigned, &self.current.revoking];
        let held: usize = held.into_iter().map(partitions).sum();
        size_of::<Self>() + FIXED_BYTES + names + classic + texts + profile.client_id.len() + held
    }
}
