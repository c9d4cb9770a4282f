//! One member as a machine of steps: what it asks next, and what an answer makes of it. No socket and no clock of its own.

mod presence;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::error_code::ErrorCode;

use super::question::{Answer, Judgement, Question, judge};
use super::{Group, GroupSettings};
use crate::error::Error;

/// Kafka's `retry.backoff.ms`.
const RETRY_BACKOFF_NS: u64 = 100_000_000;

/// A coordinator that moves or loads its groups is there again by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member of a group.
#[derive(Debug)]
pub struct Member {
    group: Arc<Group>,
    settings: GroupSettings,
    place: u32,
    id: String,
    generation: i32,
    step: Step,
    /// What follows when the positions of a member with partitions are committed.
    parting: Option<Parting>,
    is_ending: bool,
    retry_at_ns: u64,
    trouble_since_ns: Option<u64>,
    /// Since when it has no partitions that it could read.
    without_since_ns: Option<u64>,
    heartbeat_at_ns: u64,
    commit_at_ns: u64,
    committed: BTreeMap<u32, i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Join,
    /// The leader knows all members.
    Sync(Vec<String>),
    /// It has partitions and must learn where to begin.
    Locate(Vec<u32>),
    Reading,
    Leave,
    /// Not a member for a while.
    Away,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parting {
    Rejoin,
    Leave,
}

/// What a consumer must do for its member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Read these partitions from there on.
    Assigned(Vec<(u32, i64)>),
    /// Read nothing more.
    Revoked,
    /// Look for the coordinator, and go on.
    Seek,
    /// Close all connections at once.
    Dies,
    /// Close all connections.
    Away,
    /// Open the connections again.
    Returns,
}

impl Member {
    /// A member that has not joined yet.
    pub fn new(group: Arc<Group>, settings: GroupSettings) -> Self {
        let place = group.enlist();
        Self {
            group,
            settings,
            place,
            id: String::new(),
            generation: -1,
            step: Step::Join,
            parting: None,
            is_ending: false,
            retry_at_ns: 0,
            trouble_since_ns: None,
            without_since_ns: None,
            heartbeat_at_ns: 0,
            commit_at_ns: 0,
            committed: BTreeMap::new(),
        }
    }

    /// Its group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Its settings.
    pub fn settings(&self) -> &GroupSettings {
        &self.settings
    }

    /// Its id; empty until the coordinator has given one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The generation that it is in.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// All is read: it leaves.
    pub fn end(&mut self) {
        self.is_ending = true;
    }

    /// Whether it has left for good.
    pub fn is_gone(&self) -> bool {
        self.step == Step::Gone
    }

    /// What is due. Without `may_ask` nothing is asked. `positions` are where the consumer has come in its partitions.
    pub fn tend(
        &mut self,
        now_ns: u64,
        may_ask: bool,
        positions: impl FnOnce() -> Vec<(u32, i64)>,
    ) -> Result<(Change, Option<Question>), Error> {
        if let Some(change) = self.come_or_go(now_ns) {
            return Ok((change, None));
        }
        self.check_patience(now_ns)?;
        if self.is_ending {
            self.step_towards_end();
        }
        if !may_ask || now_ns < self.retry_at_ns {
            return Ok((Change::None, None));
        }
        let question = match &self.step {
            Step::Away | Step::Gone => return Ok((Change::None, None)),
            Step::Join => {
                self.without_since_ns.get_or_insert(now_ns);
                Question::Join
            }
            Step::Sync(members) => Question::Sync(members.clone()),
            Step::Locate(partitions) => {
                let with_floor = |&partition: &u32| (partition, self.group.committed_to(partition));
                Question::Locate(partitions.iter().map(with_floor).collect())
            }
            Step::Leave => Question::Leave,
            Step::Reading => return Ok(self.tend_reading(now_ns, positions)),
        };
        Ok((Change::None, Some(question)))
    }

    fn tend_reading(&mut self, now_ns: u64, positions: impl FnOnce() -> Vec<(u32, i64)>) -> (Change, Option<Question>) {
        if self.parting.is_some() || now_ns >= self.commit_at_ns {
            self.commit_at_ns = now_ns + nanoseconds(self.settings.commit_interval);
            let mut moved = positions();
            moved.retain(|(partition, offset)| self.committed.get(partition) != Some(offset));
            if !moved.is_empty() {
                return (Change::None, Some(Question::Commit(moved)));
            }
        }
        if self.parting.is_some() {
            let change = self.part(now_ns);
            let question = if self.step == Step::Join { Question::Join } else { Question::Leave };
            return (change, Some(question));
        }
        let is_due = now_ns >= self.heartbeat_at_ns;
        (Change::None, is_due.then_some(Question::Heartbeat))
    }

    /// Takes the answer to a question that was written at `sent_ns`.
    pub fn take(&mut self, question: &Question, answer: Answer, sent_ns: u64, now_ns: u64) -> Result<Change, Error> {
        if *question == Question::Leave {
            return Ok(self.note_left());
        }
        let code = answer.code();
        if matches!(question, Question::Commit(_)) {
            self.group.note_commit(sent_ns, now_ns, code);
        }
        match judge(code) {
            Judgement::Fine => {
                self.trouble_since_ns = None;
                return Ok(self.take_success(question, answer, now_ns));
            }
            Judgement::NeedsId => {
                if let Answer::Joined { id, .. } = answer {
                    self.id = id;
                }
            }
            Judgement::Again => self.wait(now_ns),
            Judgement::Seek => {
                self.wait(now_ns);
                return Ok(Change::Seek);
            }
            Judgement::Rejoin => return Ok(self.rejoin(question, now_ns)),
            Judgement::Expelled { keeps_id } => {
                if !keeps_id {
                    self.id.clear();
                }
                self.group.note_cause(now_ns, "expelled");
                self.wait(now_ns);
                return Ok(self.drop_out(now_ns));
            }
            Judgement::Refused => return Err(self.refusal(question, code)),
        }
        Ok(Change::None)
    }

    /// The connection was lost before the answer; whether that makes it a member no more.
    pub fn note_lost(&mut self, question: &Question) -> bool {
        let has_left = *question == Question::Leave;
        if has_left {
            self.note_left();
        }
        has_left
    }

    fn take_success(&mut self, question: &Question, answer: Answer, now_ns: u64) -> Change {
        match (question, answer) {
            (Question::Join, Answer::Joined { generation, id, members, .. }) => {
                (self.generation, self.id) = (generation, id);
                self.step = Step::Sync(members);
                Change::None
            }
            (Question::Sync(_), Answer::Synced { partitions, .. }) if !partitions.is_empty() => {
                self.step = Step::Locate(partitions);
                Change::None
            }
            (Question::Sync(_), _) => self.begin_reading(Vec::new(), now_ns),
            (Question::Locate(asked), Answer::Located { offsets, .. }) => {
                let starts = asked.iter().map(|&(partition, floor)| {
                    let found = offsets.iter().find(|found| found.0 == partition).map_or(-1, |found| found.1);
                    let start = if found < 0 { self.group.book(partition).start_offset() } else { found };
                    if start < floor {
                        self.group.note_lost_commit();
                    }
                    (partition, start)
                });
                let starts = starts.collect();
                self.begin_reading(starts, now_ns)
            }
            (Question::Commit(positions), _) => {
                for &(partition, offset) in positions {
                    self.group.note_committed(partition, offset);
                    self.committed.insert(partition, offset);
                }
                if self.parting.is_some() { self.part(now_ns) } else { Change::None }
            }
            _ => {
                self.heartbeat_at_ns = now_ns + nanoseconds(self.settings.heartbeat_interval);
                Change::None
            }
        }
    }

    fn begin_reading(&mut self, starts: Vec<(u32, i64)>, now_ns: u64) -> Change {
        self.step = Step::Reading;
        self.parting = None;
        self.committed = starts.iter().copied().collect();
        self.heartbeat_at_ns = now_ns + nanoseconds(self.settings.heartbeat_interval);
        self.commit_at_ns = now_ns + nanoseconds(self.settings.commit_interval);
        self.group.note_assigned(self.generation, self.without_since_ns.take().unwrap_or(now_ns), now_ns);
        Change::Assigned(starts)
    }

    /// Another generation is being made. What was read is committed before partitions are given up, unless that was just refused.
    fn rejoin(&mut self, question: &Question, now_ns: u64) -> Change {
        if self.step != Step::Reading {
            self.step = Step::Join;
            if *question == Question::Join {
                self.wait(now_ns);
            }
            return Change::None;
        }
        if matches!(question, Question::Commit(_)) && self.parting.is_some() {
            return self.part(now_ns);
        }
        self.parting.get_or_insert(Parting::Rejoin);
        Change::None
    }

    /// Gives the partitions up.
    fn part(&mut self, now_ns: u64) -> Change {
        self.without_since_ns = Some(now_ns);
        self.committed.clear();
        self.step = match self.parting.take() {
            Some(Parting::Leave) => {
                self.group.note_cause(now_ns, "leave");
                Step::Leave
            }
            _ => Step::Join,
        };
        Change::Revoked
    }

    fn drop_out(&mut self, now_ns: u64) -> Change {
        self.without_since_ns.get_or_insert(now_ns);
        self.committed.clear();
        (self.step, self.parting, self.generation) = (Step::Join, None, -1);
        Change::Revoked
    }

    fn wait(&mut self, now_ns: u64) {
        self.retry_at_ns = now_ns + RETRY_BACKOFF_NS;
        self.trouble_since_ns.get_or_insert(now_ns);
    }

    fn check_patience(&self, now_ns: u64) -> Result<(), Error> {
        let waited_ns = self.trouble_since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns));
        if waited_ns > nanoseconds(PATIENCE) {
            return Err(Error::Deadline { phase: "winning the coordinator of a group over", limit: PATIENCE });
        }
        Ok(())
    }

    fn refusal(&self, question: &Question, code: i16) -> Error {
        if code == ErrorCode::InvalidSessionTimeout.code() {
            return Error::SessionTimeout(self.settings.session_timeout);
        }
        Error::Broker { api: question.api(), code }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests;
