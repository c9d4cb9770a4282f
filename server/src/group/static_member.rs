//! A static member that comes back under a new id: it takes the place of the old one, without a rebalance when it can.

use super::state::{Group, GroupEffect, Persisting, Phase};
use super::{GroupError, JoinRequest, ReplyToken, Response};

impl Group {
    /// Replaces `old_id` by `new_id`. The old id is fenced from now on.
    pub(super) fn replace_static_member(
        &mut self,
        token: ReplyToken,
        old_id: &str,
        new_id: String,
        request: JoinRequest,
        now_ms: i64,
    ) {
        let was_leader = self.leader_id.as_deref() == Some(old_id);
        self.rename_member(old_id, &new_id);
        let supports_skip_assignment = request.supports_skip_assignment;
        if self.phase == Phase::Stable {
            let member = self.members.get_mut(&new_id).expect("the member was renamed");
            member.update(request, now_ms);
            // Only another choice of protocol makes the running assignment wrong. Metadata does differ after a restart
            // (the owned partitions are gone), and a rebalance for that would make static membership pointless.
            if self.protocol_name == self.elected_protocol() {
                return self.answer_static_member(token, old_id, new_id, was_leader, supports_skip_assignment);
            }
            self.members.get_mut(&new_id).expect("the member was renamed").join_token = Some(token);
        } else {
            self.update_member(token, &new_id, request, now_ms);
        }
        self.rebalance_or_complete_join(now_ms);
    }

    fn rename_member(&mut self, old_id: &str, new_id: &str) {
        let mut member = self.members.remove(old_id).expect("static_members names members");
        let (join_token, sync_token) = (member.join_token.take(), member.sync_token.take());
        if let Some(instance_id) = member.instance_id.clone() {
            self.static_members.insert(instance_id, new_id.to_owned());
        }
        self.members.insert(new_id.to_owned(), member);
        if self.pending_syncs.remove(old_id) {
            self.pending_syncs.insert(new_id.to_owned());
        }
        if self.leader_id.as_deref() == Some(old_id) {
            self.leader_id = Some(new_id.to_owned());
        }
        if let Some(token) = join_token {
            self.refuse_join(token, old_id.to_owned(), GroupError::FencedInstanceId);
        }
        if let Some(token) = sync_token {
            self.reply(token, Response::Sync(Err(GroupError::FencedInstanceId)));
        }
    }

    /// The new id is persisted before it is told: after a restart the group must know it.
    fn answer_static_member(
        &mut self,
        token: ReplyToken,
        old_id: &str,
        new_id: String,
        was_leader: bool,
        supports_skip_assignment: bool,
    ) {
        let instance_id = self.members[&new_id].instance_id.clone().unwrap_or_default();
        let told_as_leader = was_leader && supports_skip_assignment;
        let mut response = self.join_response(new_id, told_as_leader);
        response.skip_assignment = told_as_leader;
        if was_leader && !supports_skip_assignment {
            // An old client that hears it is the leader would assign anew, which nobody waits for. It is told the name
            // of its former self, so that it acts as a follower and fetches its assignment.
            old_id.clone_into(&mut response.leader);
        }
        let metadata = self.metadata_with(None);
        let then = Persisting::StaticMember { token, instance_id, response: Box::new(response) };
        self.effects.push(GroupEffect::Persist { metadata, then });
    }
}
