//! `JoinGroup`: who may join, under which id, and whether that means a rebalance.

use super::member::Member;
use super::state::{Group, InitialDelay, Phase};
use super::{GroupError, JoinMember, JoinRequest, JoinResponse, ReplyToken, Response};
use crate::limits::{GROUP_MEMBER_METADATA_BYTES_MAX, GROUP_MEMBER_PROTOCOLS_MAX, GROUP_PENDING_MEMBERS_MAX};

impl Group {
    pub(super) fn join(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let checked = self.check_join(&request);
        if let Err(error) = checked {
            return self.refuse_join(token, request.member_id, error);
        }
        if request.member_id.is_empty() {
            self.join_without_id(token, request, now_ms);
        } else if self.pending_members.contains_key(&request.member_id) {
            self.join_pending(token, request, now_ms);
        } else if let Err(error) = self.check_member(&request.member_id, request.instance_id.as_deref()) {
            self.refuse_join(token, request.member_id, error);
        } else {
            self.join_known(token, request, now_ms);
        }
    }

    fn check_join(&self, request: &JoinRequest) -> Result<(), GroupError> {
        let session_bounds = self.config.session_timeout_min_ms..=self.config.session_timeout_max_ms;
        if !session_bounds.contains(&request.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        let metadata_bytes: usize =
            request.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        if request.protocols.len() > GROUP_MEMBER_PROTOCOLS_MAX || metadata_bytes > GROUP_MEMBER_METADATA_BYTES_MAX {
            return Err(GroupError::InvalidRequest);
        }
        if !self.has_room_for(request) {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if !self.speaks_with_all(request) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// A member that is in already never finds the group full, nor does a static one that comes back.
    fn has_room_for(&self, request: &JoinRequest) -> bool {
        self.members.len() < self.config.members_max
            || self.members.contains_key(&request.member_id)
            || request.instance_id.as_ref().is_some_and(|instance_id| self.static_members.contains_key(instance_id))
    }

    fn speaks_with_all(&self, request: &JoinRequest) -> bool {
        if request.protocol_type.is_empty() || request.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        self.protocol_type.as_deref() == Some(&request.protocol_type)
            && request
                .protocols
                .iter()
                .any(|protocol| self.members.values().all(|member| member.supports(&protocol.name)))
    }

    fn join_without_id(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let prefix = request.instance_id.as_deref().unwrap_or(&request.client_id);
        let member_id = format!("{prefix}-{}", request.new_member_uuid);
        if let Some(instance_id) = request.instance_id.clone() {
            match self.static_members.get(&instance_id).cloned() {
                Some(old_id) => {
                    self.replace_static_member(token, &old_id, member_id, request, now_ms);
                }
                None => self.add_member(token, member_id, request, now_ms),
            }
        } else if request.requires_known_member_id {
            if self.pending_members.len() >= GROUP_PENDING_MEMBERS_MAX {
                return self.refuse_join(token, String::new(), GroupError::GroupMaxSizeReached);
            }
            let deadline_ms = now_ms.saturating_add(i64::from(request.session_timeout_ms));
            self.pending_members.insert(member_id.clone(), deadline_ms);
            self.refuse_join(token, member_id, GroupError::MemberIdRequired);
        } else {
            self.add_member(token, member_id, request, now_ms);
        }
    }

    /// The second join of a member that was given its id by the first.
    fn join_pending(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        if request.instance_id.is_some() {
            // Ids are only handed out in advance to members without an instance id.
            return self.refuse_join(token, request.member_id, GroupError::UnknownMemberId);
        }
        let member_id = request.member_id.clone();
        self.pending_members.remove(&member_id);
        self.add_member(token, member_id, request, now_ms);
    }

    fn add_member(&mut self, token: ReplyToken, member_id: String, request: JoinRequest, now_ms: i64) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if let Some(instance_id) = &request.instance_id {
            self.static_members.insert(instance_id.clone(), member_id.clone());
        }
        if self.leader_id.is_none() {
            self.leader_id = Some(member_id.clone());
        }
        let mut member = Member::new(request, now_ms);
        member.join_token = Some(token);
        self.members.insert(member_id, member);
        if let Phase::PreparingRebalance { initial: Some(InitialDelay { member_added, .. }), .. } = &mut self.phase {
            *member_added = true;
        }
        self.rebalance_or_complete_join(now_ms);
    }

    fn join_known(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let member_id = request.member_id.clone();
        let is_leader = self.leader_id.as_deref() == Some(&member_id);
        let unchanged = self.members[&member_id].protocols == request.protocols;
        match self.phase {
            // Its answer was lost on the way; nothing changed, so the same answer serves again.
            Phase::CompletingRebalance if unchanged => {
                self.repeat_join_answer(token, member_id, is_leader, now_ms);
            }
            Phase::Stable if unchanged && !is_leader => {
                self.repeat_join_answer(token, member_id, false, now_ms);
            }
            _ => {
                self.update_member(token, &member_id, request, now_ms);
                self.rebalance_or_complete_join(now_ms);
            }
        }
    }

    pub(super) fn update_member(&mut self, token: ReplyToken, member_id: &str, request: JoinRequest, now_ms: i64) {
        let member = self.members.get_mut(member_id).expect("the caller found the member");
        member.update(request, now_ms);
        let superseded = member.join_token.replace(token);
        if let Some(old_token) = superseded {
            // The client gave that answer up; a retriable one keeps the promise that every token is answered.
            self.refuse_join(old_token, member_id.to_owned(), GroupError::RebalanceInProgress);
        }
    }

    fn repeat_join_answer(&mut self, token: ReplyToken, member_id: String, with_members: bool, now_ms: i64) {
        if let Some(member) = self.members.get_mut(&member_id) {
            member.heard(now_ms);
        }
        let response = self.join_response(member_id, with_members);
        self.reply(token, Response::Join(response));
    }

    /// The answer of the current generation.
    pub(super) fn join_response(&self, member_id: String, with_members: bool) -> JoinResponse {
        let members = if with_members { self.join_members() } else { Vec::new() };
        JoinResponse {
            error: None,
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader_id.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id,
            members,
        }
    }

    fn join_members(&self) -> Vec<JoinMember> {
        let members = self.members.iter().map(|(member_id, member)| JoinMember {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(self.protocol_name.as_deref()),
        });
        members.collect()
    }

    pub(super) fn refuse_join(&mut self, token: ReplyToken, member_id: String, error: GroupError) {
        self.reply(token, Response::Join(JoinResponse::refused(member_id, error)));
    }
}
