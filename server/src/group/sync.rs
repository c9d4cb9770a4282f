//! `SyncGroup`: the leader's assignment is persisted first, then everybody is answered.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::records::metadata_bytes;
use super::state::{Group, GroupEffect, Persisting, Phase};
use super::{GroupError, JoinResponse, ReplyToken, Response, SyncRequest, SyncResponse};
use crate::limits::GROUP_METADATA_BYTES_MAX;

impl Group {
    pub(super) fn sync(&mut self, token: ReplyToken, request: SyncRequest, now_ms: i64) {
        match self.check_sync(&request) {
            Err(error) => self.reply(token, Response::Sync(Err(error))),
            Ok(()) if self.phase == Phase::Stable => {
                self.answer_sync(token, &request.member_id, now_ms);
            }
            Ok(()) => self.await_assignment(token, request, now_ms),
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.check_generation(&request.member_id, request.instance_id.as_deref(), request.generation_id)?;
        let agrees = |asked: &Option<String>, ours: &Option<String>| asked.is_none() || asked == ours;
        if !agrees(&request.protocol_type, &self.protocol_type) || !agrees(&request.protocol_name, &self.protocol_name)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        match self.phase {
            Phase::Empty => Err(GroupError::UnknownMemberId),
            Phase::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
            Phase::CompletingRebalance | Phase::Stable => Ok(()),
        }
    }

    fn await_assignment(&mut self, token: ReplyToken, request: SyncRequest, now_ms: i64) {
        let member = self.members.get_mut(&request.member_id).expect("check_sync found the member");
        let superseded = member.sync_token.replace(token);
        if let Some(old_token) = superseded {
            self.reply(old_token, Response::Sync(Err(GroupError::RebalanceInProgress)));
        }
        self.pending_syncs.remove(&request.member_id);
        let is_leader = self.leader_id.as_deref() == Some(&request.member_id);
        if is_leader && self.persisting_assignments.is_none() {
            self.persist_assignments(request.assignments, now_ms);
        }
    }

    /// Members that the leader forgot get an empty assignment, ids that are none of ours are dropped.
    fn persist_assignments(&mut self, assignments: Vec<(String, Bytes)>, now_ms: i64) {
        let known = assignments.into_iter().filter(|(member_id, _)| self.members.contains_key(member_id));
        let assignments: BTreeMap<_, _> = known.collect();
        let metadata = self.metadata_with(Some(&assignments));
        if metadata_bytes(&metadata) > GROUP_METADATA_BYTES_MAX {
            // As in Kafka, where the record would not fit its topic: everyone hears it and joins again.
            self.drop_assignments(GroupError::InvalidRequest, now_ms);
            return self.prepare_rebalance(now_ms);
        }
        self.persisting_assignments = Some(assignments);
        let then = Persisting::Assignment { generation_id: self.generation_id };
        self.effects.push(GroupEffect::Persist { metadata, then });
    }

    pub(super) fn persisted(&mut self, then: Persisting, durable: bool, now_ms: i64) {
        match then {
            Persisting::Assignment { generation_id } => {
                self.assignment_persisted(generation_id, durable, now_ms);
            }
            Persisting::StaticMember { token, instance_id, response } => {
                let error = self.static_member_error(&instance_id, &response, durable);
                let response =
                    error.map_or(*response.clone(), |error| JoinResponse::refused(response.member_id, error));
                self.reply(token, Response::Join(response));
            }
            // An empty group that the log does not know of is harmless: its members expire again after a restart.
            Persisting::Empty => {}
        }
    }

    /// The answer was made before it was durable: what happened since may have made it wrong.
    fn static_member_error(&self, instance_id: &str, response: &JoinResponse, durable: bool) -> Option<GroupError> {
        if !durable {
            return Some(GroupError::CoordinatorNotAvailable);
        }
        match self.check_generation(&response.member_id, Some(instance_id), response.generation_id) {
            Ok(()) => None,
            Err(GroupError::IllegalGeneration) => Some(GroupError::RebalanceInProgress),
            Err(error) => Some(error),
        }
    }

    fn assignment_persisted(&mut self, generation_id: i32, durable: bool, now_ms: i64) {
        if self.phase != Phase::CompletingRebalance || self.generation_id != generation_id {
            // A rebalance began meanwhile and has answered everyone.
            return;
        }
        let Some(mut assignments) = self.persisting_assignments.take() else {
            return;
        };
        if !durable {
            self.drop_assignments(GroupError::CoordinatorNotAvailable, now_ms);
            return self.prepare_rebalance(now_ms);
        }
        let mut waiting = Vec::new();
        for (member_id, member) in &mut self.members {
            member.assignment = assignments.remove(member_id).unwrap_or_default();
            waiting.extend(member.sync_token.take().map(|token| (token, member_id.clone())));
        }
        self.enter(Phase::Stable, now_ms);
        for (token, member_id) in waiting {
            self.answer_sync(token, &member_id, now_ms);
        }
    }

    fn answer_sync(&mut self, token: ReplyToken, member_id: &str, now_ms: i64) {
        self.pending_syncs.remove(member_id);
        let member = self.members.get_mut(member_id).expect("the caller found the member");
        member.heard(now_ms);
        let response = SyncResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: member.assignment.clone(),
        };
        self.reply(token, Response::Sync(Ok(response)));
    }
}
