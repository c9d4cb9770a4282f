//! Who goes: for good, for a while, or because it was silent for too long.

use std::sync::Arc;

use super::super::{ReplyToken, Response};
use super::group::{ConsumerGroup, Step};
use super::heartbeat::{LEFT_FOR_A_WHILE, check_owner, unknown_instance};
use super::request::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, Refusal};
use super::state::{ConsumerState, Partitions};
use super::topics::{Topics, TopicsView};

impl ConsumerGroup {
    /// A member says that it leaves.
    pub(super) fn leave(
        &mut self,
        token: ReplyToken,
        request: &ConsumerHeartbeatRequest,
        view: &TopicsView,
    ) -> Result<Option<Step>, Refusal> {
        let member_id = match &request.instance_id {
            None => {
                let found = self.state.members.get_key_value(request.member_id.as_str());
                Arc::clone(found.ok_or_else(|| self.unknown_member(&request.member_id))?.0)
            }
            Some(instance_id) => {
                let (owner_id, _) =
                    self.state.static_member(instance_id).ok_or_else(|| unknown_instance(instance_id))?;
                check_owner(owner_id, &request.member_id, instance_id)?;
                Arc::clone(owner_id)
            }
        };
        let response = ConsumerHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        };
        let reply = Some((token, Response::ConsumerHeartbeat(Ok(response))));
        if request.member_epoch == LEFT_FOR_A_WHILE && request.instance_id.is_some() {
            let mut next = self.state.clone();
            let member = next.member_mut(&member_id);
            member.current.epoch = LEFT_FOR_A_WHILE;
            member.current.revoking = Partitions::new();
            return Ok(Some(Step { next, reply, heard: None }));
        }
        let mut reply = reply;
        let next = self.without(&[member_id], Some(&mut reply), view);
        Ok(next.map(|next| Step { next, reply, heard: None }))
    }

    /// The state without some members. None where those that are left go on as a classic group, which then is an effect and takes the reply
    /// along.
    pub(super) fn without(
        &mut self,
        gone: &[Arc<str>],
        reply: Option<&mut Option<(ReplyToken, Response)>>,
        view: &TopicsView,
    ) -> Option<ConsumerState> {
        let mut next = self.state.clone();
        next.members.retain(|member_id, _| !gone.contains(member_id));
        if self.becomes_classic(&next) {
            let reply = reply.and_then(Option::take);
            self.become_classic(next, reply);
            return None;
        }
        next.epoch = next.epoch.saturating_add(1);
        next.metadata_hash = Topics { view, regexes: &self.regexes }.hash_of(&next);
        Some(next)
    }

    /// Whether those that are left can go on as a classic group.
    pub(super) fn becomes_classic(&self, left: &ConsumerState) -> bool {
        let had_both = !self.state.has_classic_members_only();
        had_both
            && !left.members.is_empty()
            && left.has_classic_members_only()
            && self.config.consumer.migration.downgrades
            && left.members.len() <= self.config.members_max
    }
}
