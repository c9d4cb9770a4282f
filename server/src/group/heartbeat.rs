//! Signs of life and their opposite: `Heartbeat`, `LeaveGroup`, and whether a caller is who it says.

use super::state::{Group, Phase};
use super::{
    CommitRequest, GroupError, HeartbeatRequest, LeaveRequest, LeaveResponse, LeavingMember, ReplyToken, Response,
};

impl Group {
    /// Whether `member_id` is in the group, and still owns its instance id.
    pub(super) fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(GroupError::UnknownMemberId),
                Some(owner) if owner != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    pub(super) fn check_generation(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: i32,
    ) -> Result<(), GroupError> {
        self.check_member(member_id, instance_id)?;
        if generation_id == self.generation_id { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    pub(super) fn heartbeat(&mut self, token: ReplyToken, request: &HeartbeatRequest, now_ms: i64) {
        let outcome = self
            .check_generation(&request.member_id, request.instance_id.as_deref(), request.generation_id)
            .and_then(|()| {
                self.heard(&request.member_id, now_ms);
                match self.phase {
                    Phase::Empty => Err(GroupError::UnknownMemberId),
                    Phase::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
                    Phase::CompletingRebalance | Phase::Stable => Ok(()),
                }
            });
        self.reply(token, Response::Heartbeat(outcome));
    }

    /// Whether offsets may be committed by this caller now. A member's commit is a sign of life.
    pub fn check_commit(&mut self, request: &CommitRequest, now_ms: i64) -> Result<(), GroupError> {
        let (member_id, instance_id) = (&request.member_id, request.instance_id.as_deref());
        if request.generation_id < 0 && self.phase == Phase::Empty {
            // An administrator, or a consumer that assigns its partitions itself.
            return Ok(());
        }
        if request.generation_id < 0 && member_id.is_empty() && instance_id.is_none() {
            return Err(GroupError::UnknownMemberId);
        }
        self.check_generation(member_id, instance_id, request.generation_id)?;
        if self.phase == Phase::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        self.heard(member_id, now_ms);
        Ok(())
    }

    /// The same for a commit in a transaction, as Kafka has it: older clients name no member, and a rebalance does not matter.
    pub fn check_transactional_commit(&mut self, request: &CommitRequest, now_ms: i64) -> Result<(), GroupError> {
        let (member_id, instance_id) = (&request.member_id, request.instance_id.as_deref());
        let names_nobody = request.generation_id < 0 && member_id.is_empty() && instance_id.is_none();
        if names_nobody || (request.generation_id < 0 && self.phase == Phase::Empty) {
            return Ok(());
        }
        self.check_generation(member_id, instance_id, request.generation_id)?;
        self.heard(member_id, now_ms);
        Ok(())
    }

    fn heard(&mut self, member_id: &str, now_ms: i64) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.heard(now_ms);
        }
    }

    pub(super) fn leave(&mut self, token: ReplyToken, request: LeaveRequest, now_ms: i64) {
        let members_before = self.members.len();
        let mut members = Vec::with_capacity(request.members.len());
        for member in request.members {
            let outcome = self.leave_one(&member);
            members.push((member.member_id, member.instance_id, outcome));
        }
        self.reply(token, Response::Leave(Ok(LeaveResponse { members })));
        if self.members.len() == members_before {
            // A pending member may have been the last that a rebalance waited for.
            self.complete_join_if_all_joined(now_ms);
        } else {
            self.rebalance_or_complete_join(now_ms);
        }
    }

    fn leave_one(&mut self, member: &LeavingMember) -> Result<(), GroupError> {
        if self.pending_members.remove(&member.member_id).is_some() {
            return Ok(());
        }
        let member_id = match &member.instance_id {
            // An administrator knows the instance id only.
            Some(instance_id) if member.member_id.is_empty() => {
                self.static_members.get(instance_id).cloned().ok_or(GroupError::UnknownMemberId)?
            }
            instance_id => {
                self.check_member(&member.member_id, instance_id.as_deref())?;
                member.member_id.clone()
            }
        };
        self.remove_member(&member_id);
        Ok(())
    }
}
