//! What members must do until when: speak, give partitions up, and in the classic protocol join again and sync. Who does not is dropped.

use std::sync::Arc;

use super::group::{ConsumerGroup, Step};
use super::state::{ConsumerState, MemberState};
use super::topics::TopicsView;

/// The deadlines of one member, ms.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MemberTimers {
    pub(super) session: i64,
    pub(super) revocation: Option<i64>,
    pub(super) rejoin: Option<i64>,
    pub(super) sync: Option<i64>,
}

impl MemberTimers {
    fn first_ms(&self) -> i64 {
        let others = [self.revocation, self.rejoin, self.sync].into_iter().flatten().min();
        others.map_or(self.session, |other| other.min(self.session))
    }
}

impl ConsumerGroup {
    /// When [`super::ConsumerEvent::Tick`] is due, if nothing else happens.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        // What is on its way is answered before time counts again.
        if self.is_busy() {
            return None;
        }
        let first_ms = self.timers.values().map(MemberTimers::first_ms).min();
        first_ms.map(|at_ms| at_ms.max(self.not_before_ms))
    }

    /// Everybody gets a whole session to be heard, and the whole time for what it has to do.
    pub(super) fn restart_timers(&mut self, now_ms: i64) {
        self.timers.clear();
        self.take_over(&ConsumerState::default(), None, now_ms);
    }

    /// After the state in force has changed.
    pub(super) fn take_over(&mut self, before: &ConsumerState, heard: Option<&str>, now_ms: i64) {
        if self.state.members.is_empty() && !before.members.is_empty() {
            self.empty_since_ms = now_ms;
        }
        let members = &self.state.members;
        self.timers.retain(|member_id, _| members.contains_key(member_id));
        let new: Vec<Arc<str>> =
            members.keys().filter(|member_id| !self.timers.contains_key(*member_id)).cloned().collect();
        for member_id in new {
            self.timers.insert(Arc::clone(&member_id), MemberTimers::default());
            self.heard(Some(&member_id), now_ms);
        }
        self.heard(heard, now_ms);
        for (member_id, member) in &self.state.members {
            let was = before.members.get(member_id);
            let timers = self.timers.get_mut(member_id).expect("every member has timers");
            if member.current.state != MemberState::UnrevokedPartitions {
                timers.revocation = None;
            } else if was.is_none_or(|was| was.current.revoking != member.current.revoking) {
                let timeout_ms = i64::from(member.profile.rebalance_timeout_ms.max(0));
                timers.revocation = Some(now_ms.saturating_add(timeout_ms));
            }
        }
    }

    /// A member lives.
    pub(super) fn heard(&mut self, member_id: Option<&str>, now_ms: i64) {
        let Some(member_id) = member_id else { return };
        let (Some(member), Some(timers)) = (self.state.members.get(member_id), self.timers.get_mut(member_id)) else {
            return;
        };
        let classic = member.profile.classic.as_ref().map(|classic| classic.session_timeout_ms);
        let timeout_ms = classic.unwrap_or(self.config.consumer.session_timeout_ms);
        timers.session = now_ms.saturating_add(i64::from(timeout_ms));
    }

    /// Drops everybody whose time is up.
    pub(super) fn tick(&mut self, view: &TopicsView, now_ms: i64) {
        let due = self.timers.iter().filter(|(_, timers)| timers.first_ms() <= now_ms);
        let due: Vec<Arc<str>> = due.map(|(member_id, _)| Arc::clone(member_id)).collect();
        if due.is_empty() {
            return;
        }
        if let Some(next) = self.without(&due, None, view) {
            self.settle(Step { next, reply: None, heard: None }, now_ms);
        }
    }
}
