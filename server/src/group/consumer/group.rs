//! The door of a group of the consumer protocol: one event after the other, and nothing is told before it is durable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::{GroupConfig, GroupError, GroupEvent, JoinResponse, ReplyToken, Response};
use super::records::ConsumerRecord;
use super::regexes::ResolvedRegexes;
use super::request::{ConsumerHeartbeatRequest, Refusal};
use super::request_check::LEAVES;
use super::state::ConsumerState;
use super::timers::MemberTimers;
use super::topics::TopicsView;
use crate::limits::{GROUP_REPAIR_INTERVAL_MS, GROUP_WAITING_EVENTS_MAX};

/// What happens to a group.
#[derive(Debug, Clone)]
pub enum ConsumerEvent {
    /// A member of the consumer protocol speaks.
    Heartbeat(ReplyToken, ConsumerHeartbeatRequest),
    /// A member of the classic protocol speaks.
    Classic(GroupEvent),
    /// Time passed; see [`ConsumerGroup::next_deadline_ms`].
    Tick,
}

/// What a group wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerEffect {
    /// Answer a token.
    Reply(ReplyToken, Response),
    /// Make these durable, then call [`ConsumerGroup::persisted`].
    Persist(Vec<ConsumerRecord>),
    /// The last member of the consumer protocol went: this state goes on as a classic group.
    BecomeClassic(Box<ConsumerState>, Option<(ReplyToken, Response)>),
}

/// A change on its way to the log.
#[derive(Debug)]
struct UnderWay {
    records: Vec<ConsumerRecord>,
    reply: Option<(ReplyToken, Response)>,
    /// The member that spoke.
    heard: Option<Arc<str>>,
}

/// The next state and what follows from it.
pub(super) struct Step {
    pub(super) next: ConsumerState,
    pub(super) reply: Option<(ReplyToken, Response)>,
    pub(super) heard: Option<Arc<str>>,
}

/// One group without its offsets.
#[derive(Debug)]
pub struct ConsumerGroup {
    pub(super) id: String,
    pub(super) config: GroupConfig,
    pub(super) state: ConsumerState,
    pub(super) timers: BTreeMap<Arc<str>, MemberTimers>,
    pub(super) regexes: ResolvedRegexes,
    /// The view of the topics that the epoch was last compared with.
    pub(super) view: u64,
    pub(super) empty_since_ms: i64,
    /// Place of the last change among the coordinator's appends.
    pub(in super::super) logged_order: u64,
    under_way: Option<UnderWay>,
    /// What failed to be written and may be in the log all the same.
    doubtful: Vec<ConsumerRecord>,
    /// After a failure time does not count before this: the log may refuse for long.
    pub(super) not_before_ms: i64,
    waiting: VecDeque<ConsumerEvent>,
    /// Another group takes its place.
    has_ended: bool,
    pub(super) effects: Vec<ConsumerEffect>,
}

impl ConsumerGroup {
    /// A group in a state that is in force.
    pub fn new(id: String, config: GroupConfig, state: ConsumerState, now_ms: i64) -> Self {
        let mut group = Self {
            id,
            config,
            state,
            timers: BTreeMap::new(),
            regexes: ResolvedRegexes::default(),
            view: 0,
            empty_since_ms: now_ms,
            logged_order: 0,
            under_way: None,
            doubtful: Vec::new(),
            not_before_ms: 0,
            waiting: VecDeque::new(),
            has_ended: false,
            effects: Vec::new(),
        };
        group.restart_timers(now_ms);
        group
    }

    /// The settings are these now. They count from the next heartbeat of each member.
    pub(in super::super) fn configure(&mut self, config: GroupConfig) {
        self.config = config;
    }

    /// The state in force.
    pub fn state(&self) -> &ConsumerState {
        &self.state
    }

    /// The state that the log will hold when all that is on its way has come.
    pub fn state_to_be(&self) -> ConsumerState {
        let mut state = self.state.clone();
        self.under_way.iter().flat_map(|under_way| &under_way.records).for_each(|record| state.apply(record));
        state
    }

    /// After its replay.
    pub(in super::super) fn restart(&mut self, now_ms: i64) {
        self.empty_since_ms = now_ms;
        self.restart_timers(now_ms);
    }

    pub(in super::super) fn state_mut(&mut self) -> &mut ConsumerState {
        &mut self.state
    }

    /// Whether nothing is left of it, in memory or in the log.
    pub fn is_nothing(&self) -> bool {
        self.state == ConsumerState::default() && self.is_idle() && self.doubtful.is_empty()
    }

    /// Whether events wait.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.is_some() || self.has_ended
    }

    fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.waiting.is_empty()
    }

    /// Since when the group is empty.
    pub fn empty_since_ms(&self) -> Option<i64> {
        (self.state.members.is_empty() && self.is_idle()).then_some(self.empty_since_ms)
    }

    /// Takes one event and gives what must be done because of it, in order.
    pub fn handle(&mut self, event: ConsumerEvent, view: &TopicsView, now_ms: i64) -> Vec<ConsumerEffect> {
        if !self.is_busy() {
            self.take(event, view, now_ms);
        } else if self.waiting.len() < GROUP_WAITING_EVENTS_MAX {
            if !matches!(event, ConsumerEvent::Tick) {
                self.waiting.push_back(event);
            }
        } else {
            self.refuse(event, GroupError::CoordinatorNotAvailable);
        }
        std::mem::take(&mut self.effects)
    }

    /// The end of the last [`ConsumerEffect::Persist`].
    pub fn persisted(&mut self, durable: bool, view: &TopicsView, now_ms: i64) -> Vec<ConsumerEffect> {
        let UnderWay { records, reply, heard } = self.under_way.take().expect("one change is under way");
        if durable {
            self.doubtful.clear();
            let before = self.state.clone();
            for record in &records {
                self.state.apply(record);
            }
            self.take_over(&before, heard.as_deref(), now_ms);
            self.answer(reply, now_ms);
        } else {
            self.doubtful.extend(records);
            self.not_before_ms = now_ms.saturating_add(GROUP_REPAIR_INTERVAL_MS);
            let failed = |(token, response)| ConsumerEffect::Reply(token, not_persisted(response));
            self.effects.extend(reply.map(failed));
        }
        self.take_all_waiting(view, now_ms);
        std::mem::take(&mut self.effects)
    }

    fn take_all_waiting(&mut self, view: &TopicsView, now_ms: i64) {
        while !self.is_busy()
            && let Some(event) = self.waiting.pop_front()
        {
            self.take(event, view, now_ms);
        }
    }

    /// The last change does not fit a batch of the log: it is not made.
    pub(in super::super) fn too_large(&mut self, view: &TopicsView, now_ms: i64) -> Vec<ConsumerEffect> {
        let UnderWay { reply, .. } = self.under_way.take().expect("one change is under way");
        // What a conversion brought with it is not in the log yet.
        self.doubtful.push(ConsumerRecord::TargetEpoch(Some(self.state.target_epoch)));
        let message = "The group is too large: its change does not fit one batch of __consumer_offsets.";
        if let Some((token, response)) = reply {
            let response = match not_persisted(response) {
                Response::ConsumerHeartbeat(_) => {
                    Response::ConsumerHeartbeat(Err(Refusal::new(GroupError::InvalidRequest, message)))
                }
                other => other,
            };
            self.reply(token, response);
        }
        self.take_all_waiting(view, now_ms);
        std::mem::take(&mut self.effects)
    }

    /// What waits here, for the group that takes this one's place.
    pub(in super::super) fn take_waiting(&mut self) -> impl Iterator<Item = ConsumerEvent> {
        std::mem::take(&mut self.waiting).into_iter()
    }

    fn take(&mut self, event: ConsumerEvent, view: &TopicsView, now_ms: i64) {
        if !self.doubtful.is_empty() {
            self.refuse(event, GroupError::CoordinatorNotAvailable);
            return self.repair();
        }
        match event {
            ConsumerEvent::Heartbeat(token, request) => {
                let outcome = if request.member_epoch <= LEAVES {
                    self.leave(token, &request, view)
                } else {
                    self.heartbeat(&request, view, now_ms).map(|(next, response)| {
                        let heard = Some(Arc::from(response.member_id.as_str()));
                        Some(Step { next, reply: Some((token, Response::ConsumerHeartbeat(Ok(response)))), heard })
                    })
                };
                match outcome {
                    Ok(Some(step)) => self.settle(step, now_ms),
                    Ok(None) => {}
                    Err(refusal) => self.reply(token, Response::ConsumerHeartbeat(Err(refusal))),
                }
            }
            ConsumerEvent::Classic(event) => self.classic_event(event, view, now_ms),
            ConsumerEvent::Tick => self.tick(view, now_ms),
        }
    }

    /// Carries a step out: at once where it changes nothing that is logged.
    pub(super) fn settle(&mut self, step: Step, now_ms: i64) {
        let records = step.next.records_since(&self.state);
        if records.is_empty() {
            self.heard(step.heard.as_deref(), now_ms);
            self.answer(step.reply, now_ms);
        } else {
            self.persist(records, step.reply, step.heard);
        }
    }

    fn persist(
        &mut self,
        records: Vec<ConsumerRecord>,
        reply: Option<(ReplyToken, Response)>,
        heard: Option<Arc<str>>,
    ) {
        self.effects.push(ConsumerEffect::Persist(records.clone()));
        self.under_way = Some(UnderWay { records, reply, heard });
    }

    /// Tells the log the whole state in force, and that nobody else is in it.
    fn repair(&mut self) {
        let mut failed = ConsumerState::default();
        self.doubtful.iter().for_each(|record| failed.apply(record));
        failed.members.retain(|member_id, _| !self.state.members.contains_key(member_id));
        let mut records = failed.tombstones();
        records.extend(self.state.records_since(&ConsumerState::default()));
        self.persist(records, None, None);
    }

    /// Makes the state that a classic group was made into durable with its first step: what was logged of it is nothing yet.
    pub(in super::super) fn log_from_nothing(&mut self, effects: &mut [ConsumerEffect]) {
        let Some(under_way) = &mut self.under_way else { return };
        let mut next = self.state.clone();
        under_way.records.iter().for_each(|record| next.apply(record));
        under_way.records = next.records_since(&ConsumerState::default());
        for effect in effects {
            if let ConsumerEffect::Persist(records) = effect {
                records.clone_from(&under_way.records);
            }
        }
    }

    /// The group ends: what is left of it goes on as a classic group.
    pub(super) fn become_classic(&mut self, left: ConsumerState, reply: Option<(ReplyToken, Response)>) {
        self.has_ended = true;
        self.effects.push(ConsumerEffect::BecomeClassic(Box::new(left), reply));
    }

    fn answer(&mut self, reply: Option<(ReplyToken, Response)>, now_ms: i64) {
        let Some((token, response)) = reply else { return };
        if let Response::Join(joined) = &response {
            self.joined(&joined.member_id, now_ms);
        }
        self.reply(token, response);
    }

    pub(super) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(ConsumerEffect::Reply(token, response));
    }

    fn refuse(&mut self, event: ConsumerEvent, error: GroupError) {
        let refused = match event {
            ConsumerEvent::Heartbeat(token, _) => Some((token, Response::ConsumerHeartbeat(Err(Refusal::from(error))))),
            ConsumerEvent::Classic(event) => refused(event, error),
            ConsumerEvent::Tick => None,
        };
        self.effects.extend(refused.map(|(token, response)| ConsumerEffect::Reply(token, response)));
    }
}

/// The refusal of a request of the classic protocol.
pub(super) fn refused(event: GroupEvent, error: GroupError) -> Option<(ReplyToken, Response)> {
    Some(match event {
        GroupEvent::Join(token, request) => (token, Response::Join(JoinResponse::refused(request.member_id, error))),
        GroupEvent::Sync(token, _) => (token, Response::Sync(Err(error))),
        GroupEvent::Heartbeat(token, _) => (token, Response::Heartbeat(Err(error))),
        GroupEvent::Leave(token, _) => (token, Response::Leave(Err(error))),
        GroupEvent::Persisted { .. } | GroupEvent::Tick => return None,
    })
}

/// What is answered instead where the change could not be written.
pub(in super::super) fn not_persisted(response: Response) -> Response {
    let error = GroupError::CoordinatorNotAvailable;
    match response {
        Response::ConsumerHeartbeat(_) => Response::ConsumerHeartbeat(Err(error.into())),
        Response::Join(joined) => Response::Join(JoinResponse::refused(joined.member_id, error)),
        Response::Sync(_) => Response::Sync(Err(error)),
        Response::Heartbeat(_) => Response::Heartbeat(Err(error)),
        Response::Leave(_) => Response::Leave(Err(error)),
        other => other,
    }
}
