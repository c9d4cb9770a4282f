//! The rebalance itself: when it starts, when it ends, which protocol and which leader it gives, and what time does to it.

use super::state::{Group, GroupEffect, InitialDelay, Persisting, Phase};
use super::{GroupError, Response};
use crate::limits::GROUP_REBALANCE_EXTENSION_MS_MIN;

impl Group {
    /// After a member came, changed or went: begins a rebalance, or lets a running one see whether it is complete.
    pub(super) fn rebalance_or_complete_join(&mut self, now_ms: i64) {
        if matches!(self.phase, Phase::PreparingRebalance { .. }) {
            self.complete_join_if_all_joined(now_ms);
        } else {
            self.prepare_rebalance(now_ms);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now_ms: i64) {
        let was_empty = self.phase == Phase::Empty;
        self.drop_assignments(GroupError::RebalanceInProgress, now_ms);
        let rebalance_timeout_ms = self.rebalance_timeout_ms();
        if was_empty {
            let delay_ms = i64::from(self.config.initial_rebalance_delay_ms);
            let remaining_ms = (rebalance_timeout_ms - delay_ms).max(0);
            let initial = Some(InitialDelay { remaining_ms, member_added: false });
            self.enter(Phase::PreparingRebalance { deadline_ms: now_ms.saturating_add(delay_ms), initial }, now_ms);
            if delay_ms <= 0 {
                self.complete_join(now_ms);
            }
        } else {
            let deadline_ms = now_ms.saturating_add(rebalance_timeout_ms);
            self.enter(Phase::PreparingRebalance { deadline_ms, initial: None }, now_ms);
            self.complete_join_if_all_joined(now_ms);
        }
    }

    /// Answers waiting syncs and forgets an assignment that is not in force yet.
    pub(super) fn drop_assignments(&mut self, error: GroupError, now_ms: i64) {
        self.persisting_assignments = None;
        self.pending_syncs.clear();
        let mut tokens = Vec::new();
        let has_none_yet = self.phase == Phase::CompletingRebalance;
        for member in self.members.values_mut() {
            if has_none_yet {
                // What is still there is of a generation that is two behind.
                member.assignment.clear();
            }
            if let Some(token) = member.sync_token.take() {
                member.heard(now_ms);
                tokens.push(token);
            }
        }
        for token in tokens {
            self.reply(token, Response::Sync(Err(error)));
        }
    }

    /// The initial delay runs to its end even when all have joined: it waits for those not seen yet.
    pub(super) fn complete_join_if_all_joined(&mut self, now_ms: i64) {
        let Phase::PreparingRebalance { initial, .. } = self.phase else {
            return;
        };
        let all_joined = self.members.values().all(|member| member.join_token.is_some());
        let nobody_is_left = self.members.is_empty();
        if (initial.is_none() || nobody_is_left) && all_joined && self.pending_members.is_empty() {
            self.complete_join(now_ms);
        }
    }

    /// Ends the gathering: the next generation is who joined, and the static members that may still come.
    fn complete_join(&mut self, now_ms: i64) {
        let gone =
            self.members.iter().filter(|(_, member)| member.join_token.is_none() && member.instance_id.is_none());
        let gone: Vec<_> = gone.map(|(member_id, _)| member_id.clone()).collect();
        for member_id in gone {
            self.remove_member(&member_id);
        }
        if self.members.is_empty() {
            return self.become_empty(now_ms);
        }
        if !self.elect_joined_leader() {
            // Only static members, and none is back: they have until their sessions end.
            let wait_ms = self.rebalance_timeout_ms().max(GROUP_REBALANCE_EXTENSION_MS_MIN);
            let deadline_ms = now_ms.saturating_add(wait_ms);
            return self.enter(Phase::PreparingRebalance { deadline_ms, initial: None }, now_ms);
        }
        self.generation_id = self.generation_id.saturating_add(1);
        self.protocol_name = self.elected_protocol();
        self.enter(Phase::CompletingRebalance, now_ms);
        self.pending_syncs = self.members.keys().cloned().collect();
        self.sync_deadline_ms = now_ms.saturating_add(self.rebalance_timeout_ms());
        self.answer_joins(now_ms);
    }

    fn become_empty(&mut self, now_ms: i64) {
        self.generation_id = self.generation_id.saturating_add(1);
        self.protocol_name = None;
        self.leader_id = None;
        self.enter(Phase::Empty, now_ms);
        let metadata = self.metadata_with(None);
        self.effects.push(GroupEffect::Persist { metadata, then: Persisting::Empty });
    }

    fn answer_joins(&mut self, now_ms: i64) {
        let mut joined = Vec::new();
        for (member_id, member) in &mut self.members {
            if let Some(token) = member.join_token.take() {
                member.heard(now_ms);
                joined.push((token, member_id.clone()));
            }
        }
        for (token, member_id) in joined {
            let is_leader = self.leader_id.as_deref() == Some(&member_id);
            let response = self.join_response(member_id, is_leader);
            self.reply(token, Response::Join(response));
        }
    }

    /// Keeps the leader if it joined again, else takes one that did. False when nobody did.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |member_id: &String| self.members.get(member_id).is_some_and(|member| member.join_token.is_some());
        if self.leader_id.as_ref().is_some_and(joined) {
            return true;
        }
        let successor = self.members.keys().find(|member_id| joined(member_id)).cloned();
        if successor.is_some() {
            self.leader_id = successor;
            return true;
        }
        false
    }

    /// Each member votes for the first of its protocols that all support; ties go to the first name.
    pub(super) fn elected_protocol(&self) -> Option<String> {
        let supported_by_all = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes = std::collections::BTreeMap::<&str, usize>::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().find(|protocol| supported_by_all(&protocol.name));
            if let Some(choice) = choice {
                *votes.entry(&choice.name).or_default() += 1;
            }
        }
        let winner = votes.into_iter().max_by(|(a_name, a), (b_name, b)| a.cmp(b).then(b_name.cmp(a_name)));
        winner.map(|(name, _)| name.to_owned())
    }

    /// Takes a member out. What it waits for is answered: it is no member any more.
    pub(super) fn remove_member(&mut self, member_id: &str) {
        let Some(member) = self.members.remove(member_id) else {
            return;
        };
        self.pending_syncs.remove(member_id);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.leader_id.as_deref() == Some(member_id) {
            self.leader_id = self.members.keys().next().cloned();
        }
        if let Some(token) = member.join_token {
            self.refuse_join(token, member_id.to_owned(), GroupError::UnknownMemberId);
        }
        if let Some(token) = member.sync_token {
            self.reply(token, Response::Sync(Err(GroupError::UnknownMemberId)));
        }
    }

    /// Everything that is due: ids never used, silent members, syncs never sent, and the gathering of joins.
    pub(super) fn tick(&mut self, now_ms: i64) {
        let pending_before = self.pending_members.len();
        self.pending_members.retain(|_, deadline_ms| *deadline_ms > now_ms);
        let silent = self.members.iter().filter(|(_, member)| member.deadline_ms().is_some_and(|at| at <= now_ms));
        let mut dropped: Vec<_> = silent.map(|(member_id, _)| member_id.clone()).collect();
        if !self.pending_syncs.is_empty() && self.sync_deadline_ms <= now_ms {
            dropped.extend(std::mem::take(&mut self.pending_syncs));
        }
        for member_id in &dropped {
            self.remove_member(member_id);
        }
        if !dropped.is_empty() {
            self.rebalance_or_complete_join(now_ms);
        } else if self.pending_members.len() != pending_before {
            self.complete_join_if_all_joined(now_ms);
        }
        self.tick_phase(now_ms);
    }

    fn tick_phase(&mut self, now_ms: i64) {
        let Phase::PreparingRebalance { deadline_ms, initial } = self.phase else {
            return;
        };
        if deadline_ms > now_ms {
            return;
        }
        match initial {
            Some(InitialDelay { remaining_ms, member_added: true }) if remaining_ms > 0 => {
                let delay_ms = i64::from(self.config.initial_rebalance_delay_ms).min(remaining_ms);
                let left = InitialDelay { remaining_ms: remaining_ms - delay_ms, member_added: false };
                let deadline_ms = now_ms.saturating_add(delay_ms);
                self.phase = Phase::PreparingRebalance { deadline_ms, initial: Some(left) };
            }
            _ => self.complete_join(now_ms),
        }
    }

    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms.max(0))).max().unwrap_or(0)
    }
}
