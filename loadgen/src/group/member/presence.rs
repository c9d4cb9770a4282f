//! When a member comes, goes and ends.

use super::{Change, Member, Parting, Step};
use crate::group::Departure;

impl Member {
    pub(super) fn note_left(&mut self) -> Change {
        self.forget_membership();
        self.step = if self.is_ending { Step::Gone } else { Step::Away };
        Change::Away
    }

    pub(super) fn forget_membership(&mut self) {
        self.id.clear();
        self.committed.clear();
        (self.generation, self.parting, self.without_since_ns) = (-1, None, None);
        (self.trouble_since_ns, self.retry_at_ns) = (None, 0);
    }

    /// Follows the plan of comings and goings.
    pub(super) fn come_or_go(&mut self, now_ns: u64) -> Option<Change> {
        let (churn, timeline) = (self.settings.churn?, self.group.timeline()?);
        let is_to_be_away = !self.is_ending && churn.is_away(self.place, self.group.members(), timeline, now_ns);
        match (is_to_be_away, &self.step) {
            (true, Step::Away | Step::Gone | Step::Leave) => None,
            (true, step) => match churn.departure {
                Departure::Die => {
                    self.forget_membership();
                    self.step = Step::Away;
                    self.group.note_cause(now_ns, "death");
                    Some(Change::Dies)
                }
                Departure::Leave => {
                    // Who is about to get partitions leaves when it has them.
                    self.parting = if *step == Step::Reading { Some(Parting::Leave) } else { self.parting };
                    None
                }
            },
            (false, Step::Away) if !self.is_ending => {
                self.step = Step::Join;
                self.group.note_cause(now_ns, "return");
                Some(Change::Returns)
            }
            _ => None,
        }
    }

    pub(super) fn step_towards_end(&mut self) {
        match self.step {
            Step::Reading => self.parting = Some(Parting::Leave),
            Step::Join if self.id.is_empty() => self.step = Step::Gone,
            Step::Join | Step::Sync(_) | Step::Locate(_) => self.step = Step::Leave,
            Step::Away => self.step = Step::Gone,
            Step::Leave | Step::Gone => {}
        }
    }
}
