//! The search for the highest rate that holds: doubling until one fails, then halving the gap (on a logarithmic scale), then asking the
//! winner again.
//!
//! A probe near the limit is noisy, so a rate counts only when it was confirmed; one that fails its confirmation becomes a rate that fails.

/// Steps down from a start that fails, before the search gives up.
const RATE_SHARE_MIN: f64 = 1.0 / 64.0;

/// What the searcher wants to know next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// Does this rate hold? Records a second.
    Probe(f64),
    /// Does it hold again? The number of the confirmation counts from 1.
    Confirm(f64, u32),
}

/// The state of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    start: f64,
    cap: f64,
    precision: f64,
    confirmations: u32,
    holds: Option<f64>,
    fails: Option<f64>,
    /// What to try while nothing holds.
    below: f64,
    confirmed: u32,
}

impl Search {
    /// A search that begins at `start`, never asks above `cap`, ends when the gap is below `precision` (a share), and asks the winner
    /// `confirmations` times again.
    pub fn new(start: f64, cap: f64, precision: f64, confirmations: u32) -> Self {
        assert!(start > 0.0 && cap >= start && precision > 0.0, "the caller bounds the search");
        Self { start, cap, precision, confirmations, holds: None, fails: None, below: start, confirmed: 0 }
    }

    /// What to ask next; `None` when the answer is known, or known not to be.
    pub fn next(&self) -> Option<Question> {
        match (self.holds, self.fails) {
            (None, _) => (self.below >= self.start * RATE_SHARE_MIN).then_some(Question::Probe(self.below)),
            (Some(holds), None) if holds < self.cap => Some(Question::Probe((holds * 2.0).min(self.cap))),
            (Some(holds), Some(fails)) if fails / holds > 1.0 + self.precision => {
                Some(Question::Probe((holds * fails).sqrt()))
            }
            (Some(holds), _) => {
                (self.confirmed < self.confirmations).then_some(Question::Confirm(holds, self.confirmed + 1))
            }
        }
    }

    /// Takes the answer to the question.
    pub fn note(&mut self, question: Question, held: bool) {
        match question {
            Question::Probe(rate) if held => (self.holds, self.confirmed) = (Some(rate), 0),
            Question::Probe(rate) => (self.fails, self.below) = (Some(rate), rate / 2.0),
            Question::Confirm(_, number) if held => self.confirmed = number,
            // It was nearly one, so the next candidate is not at half of it.
            Question::Confirm(rate, _) => {
                (self.holds, self.fails, self.confirmed) = (None, Some(rate), 0);
                self.below = rate * (1.0 - 2.0 * self.precision).max(0.5);
            }
        }
    }

    /// The highest confirmed rate.
    pub fn answer(&self) -> Option<f64> {
        self.holds.filter(|_| self.next().is_none())
    }

    /// The lowest rate that failed.
    pub fn lowest_failing(&self) -> Option<f64> {
        self.fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a broker that holds what `holds` says; the answer and the number of questions.
    fn search(mut search: Search, mut holds: impl FnMut(f64) -> bool) -> (Option<f64>, usize) {
        let mut asked = 0;
        while let Some(question) = search.next() {
            asked += 1;
            assert!(asked < 100, "the search ends");
            let (Question::Probe(rate) | Question::Confirm(rate, _)) = question;
            search.note(question, holds(rate));
        }
        (search.answer(), asked)
    }

    #[test]
    fn the_limit_is_found_within_the_precision_from_above_and_from_below() {
        for limit in [97.0, 130.0, 1_000.0, 5_000.0] {
            for start in [20.0, 100.0, 3_000.0] {
                let (answer, asked) = search(Search::new(start, 1e6, 0.05, 3), |rate| rate <= limit);
                let answer = answer.expect("there is a limit");
                assert!(answer <= limit && answer * 1.06 > limit, "limit {limit} from {start}: {answer}");
                assert!(asked < 25, "{asked} probes for limit {limit} from {start}");
            }
        }
    }

    #[test]
    fn nothing_above_the_cap_is_asked() {
        let (answer, _) = search(Search::new(10.0, 75.0, 0.05, 2), |rate| {
            assert!(rate <= 75.0);
            true
        });
        assert_eq!(answer, Some(75.0));
    }

    #[test]
    fn a_broker_that_holds_nothing_has_no_answer() {
        assert_eq!(search(Search::new(1_000.0, 1e6, 0.05, 3), |_| false).0, None);
    }

    #[test]
    fn a_winner_by_luck_is_not_confirmed() {
        let mut asked_at_120 = 0;
        let (answer, _) = search(Search::new(60.0, 120.0, 0.05, 3), |rate| {
            if rate > 119.0 {
                asked_at_120 += 1;
                return asked_at_120 < 3;
            }
            rate <= 100.0
        });
        assert!(answer.is_some_and(|answer| answer <= 100.0 && answer > 90.0), "{answer:?}");
    }
}
