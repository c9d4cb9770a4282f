//! The transactions of one producer as a machine: what may be written, what is asked next, what an answer makes of it. No socket and no
//! clock of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hdrhistogram::Histogram;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::Error;
use crate::recorder::Histograms;
use crate::workload::TransactionSettings;

/// The Java client's pause while the transaction before is still being completed.
const CONCURRENT_BACKOFF_NS: u64 = 20_000_000;

/// Kafka's `retry.backoff.ms`.
const RETRY_BACKOFF_NS: u64 = 100_000_000;

/// A coordinator that moves or loads its transactions is there again by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a producer's transactions.
#[derive(Debug, Clone)]
pub struct TransactionReport {
    /// Ended with a commit.
    pub committed: u64,
    /// Ended with an abort.
    pub aborted: u64,
    /// Commits in the measured window: from the write of the request to its answer, nanoseconds.
    pub commits: Histogram<u64>,
    /// Requests that were asked again, by Kafka's error code.
    pub retried: BTreeMap<i16, u64>,
}

/// The transactions of one producer.
#[derive(Debug)]
pub(super) struct Transactions {
    settings: TransactionSettings,
    random: Xoshiro256PlusPlus,
    state: State,
    added: BTreeSet<u32>,
    wanted: BTreeSet<u32>,
    retry_at_ns: u64,
    trouble_since_ns: Option<u64>,
    pub(super) report: TransactionReport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        began_ns: u64,
        records: u64,
    },
    /// What is written goes out; then it is ended.
    Ending {
        commits: bool,
    },
}

/// What a producer asks the coordinator of its transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// To take partitions into the transaction.
    Add(Vec<u32>),
    /// To end it.
    End {
        /// Or abort.
        commits: bool,
    },
}

/// What an answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing that others need to know.
    None,
    /// The coordinator is elsewhere.
    Seek,
    /// The records of the transaction are decided.
    Ended {
        /// Or aborted.
        commits: bool,
    },
}

impl Transactions {
    /// Those of the producer with this number.
    pub(super) fn new(settings: TransactionSettings, seed: u64, index: u32) -> Self {
        // Another stream than those of the schedule and the records.
        let random = Xoshiro256PlusPlus::seed_from_u64(seed ^ ((u64::from(index) << 32) | 0x7a_b027));
        let commits = Histograms::empty().response;
        Self {
            settings,
            random,
            state: State::Closed,
            added: BTreeSet::new(),
            wanted: BTreeSet::new(),
            retry_at_ns: 0,
            trouble_since_ns: None,
            report: TransactionReport { committed: 0, aborted: 0, commits, retried: BTreeMap::new() },
        }
    }

    /// Records that may still be written before the transaction ends.
    pub(super) fn room(&self) -> u64 {
        match self.state {
            State::Closed => self.settings.records_max,
            State::Open { records, .. } => self.settings.records_max - records,
            State::Ending { .. } => 0,
        }
    }

    /// Whether all these partitions are in the transaction; those that are not will be asked for.
    pub(super) fn may_write(&mut self, partitions: impl IntoIterator<Item = u32>, now_ns: u64) -> bool {
        if self.room() == 0 {
            return false;
        }
        let Self { added, wanted, .. } = self;
        wanted.extend(partitions.into_iter().filter(|partition| !added.contains(partition)));
        if self.state == State::Closed {
            self.state = State::Open { began_ns: now_ns, records: 0 };
        }
        self.wanted.is_empty()
    }

    /// So many records were written.
    pub(super) fn note_written(&mut self, count: u64) {
        let State::Open { records, .. } = &mut self.state else { return };
        *records += count;
        if *records >= self.settings.records_max {
            self.begin_end();
        }
    }

    /// Nothing may be written until an answer has come.
    pub(super) fn is_held(&self) -> bool {
        self.room() == 0 || !self.wanted.is_empty()
    }

    /// What is written is to go out without waiting for company.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.state, State::Ending { .. })
    }

    /// No transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Closed
    }

    /// When `tend` is worth calling again, if nothing is answered before.
    pub(super) fn next_wake_ns(&self) -> u64 {
        let end_ns = match self.state {
            State::Open { began_ns, .. } => began_ns + self.settings.duration.as_nanos() as u64,
            State::Closed | State::Ending { .. } => u64::MAX,
        };
        if self.retry_at_ns > 0 { end_ns.min(self.retry_at_ns) } else { end_ns }
    }

    /// What is due to be asked. `is_flushed` when everything written is answered, `is_stopping` when nothing more will be written.
    pub(super) fn tend(&mut self, now_ns: u64, is_flushed: bool, is_stopping: bool) -> Result<Option<Question>, Error> {
        let waited_ns = self.trouble_since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns));
        if waited_ns > PATIENCE.as_nanos() as u64 {
            return Err(Error::Deadline { phase: "winning the coordinator of transactions over", limit: PATIENCE });
        }
        if let State::Open { began_ns, .. } = self.state
            && (is_stopping || now_ns >= began_ns + self.settings.duration.as_nanos() as u64)
        {
            self.begin_end();
        }
        if now_ns < self.retry_at_ns {
            return Ok(None);
        }
        self.retry_at_ns = 0;
        match self.state {
            State::Open { .. } if !self.wanted.is_empty() => {
                Ok(Some(Question::Add(self.wanted.iter().copied().collect())))
            }
            State::Ending { .. } if self.added.is_empty() => {
                // Its time was over before anything could be written.
                self.close();
                Ok(None)
            }
            State::Ending { commits } if is_flushed => Ok(Some(Question::End { commits })),
            _ => Ok(None),
        }
    }

    /// Takes the answer to a question that was written at `sent_ns`, inside of the measured window or not.
    pub(super) fn take(
        &mut self,
        question: &Question,
        code: i16,
        sent_ns: u64,
        now_ns: u64,
        measured: bool,
    ) -> Result<Outcome, Error> {
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::ConcurrentTransactions) => return Ok(self.ask_again(code, now_ns + CONCURRENT_BACKOFF_NS)),
            Some(ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator) => {
                self.trouble_since_ns.get_or_insert(now_ns);
                self.ask_again(code, now_ns + RETRY_BACKOFF_NS);
                return Ok(Outcome::Seek);
            }
            Some(passing) if passing.is_retriable() => {
                self.trouble_since_ns.get_or_insert(now_ns);
                return Ok(self.ask_again(code, now_ns + RETRY_BACKOFF_NS));
            }
            _ => return Err(Error::Broker { api: question.api(), code }),
        }
        self.trouble_since_ns = None;
        match question {
            Question::Add(partitions) => {
                for partition in partitions {
                    self.wanted.remove(partition);
                    self.added.insert(*partition);
                }
                Ok(Outcome::None)
            }
            &Question::End { commits } => {
                if commits && measured {
                    self.report.commits.saturating_record(now_ns.saturating_sub(sent_ns));
                }
                let count = if commits { &mut self.report.committed } else { &mut self.report.aborted };
                *count += 1;
                self.close();
                Ok(Outcome::Ended { commits })
            }
        }
    }

    fn ask_again(&mut self, code: i16, at_ns: u64) -> Outcome {
        *self.report.retried.entry(code).or_default() += 1;
        self.retry_at_ns = at_ns;
        Outcome::None
    }

    fn begin_end(&mut self) {
        self.wanted.clear();
        self.state = State::Ending { commits: self.random.random::<f64>() >= self.settings.abort_share };
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.added.clear();
    }
}

impl Question {
    pub(super) fn api(&self) -> ApiKey {
        match self {
            Self::Add(_) => ApiKey::AddPartitionsToTxn,
            Self::End { .. } => ApiKey::EndTxn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn transactions(abort_share: f64) -> Transactions {
        let duration = Duration::from_millis(100);
        Transactions::new(TransactionSettings { records_max: 10, duration, abort_share }, 1, 0)
    }

    fn add(one: &mut Transactions, partition: u32, now_ns: u64) {
        assert!(!one.may_write([partition], now_ns) && one.is_held());
        let question = one.tend(now_ns, false, false).expect("in time").expect("due");
        assert_eq!(question, Question::Add(vec![partition]));
        assert_eq!(one.take(&question, 0, now_ns, now_ns, true).expect("fine"), Outcome::None);
        assert!(one.may_write([partition], now_ns) && !one.is_held());
    }

    #[test]
    fn partitions_come_in_before_records_and_the_end_after_their_answers() {
        let mut one = transactions(0.0);
        add(&mut one, 3, 1);
        one.note_written(9);
        add(&mut one, 4, 2);
        assert_eq!((one.room(), one.is_ending()), (1, false));
        one.note_written(1);
        assert!(one.is_ending() && !one.may_write([3], 3), "it is full");
        assert_eq!(one.tend(3, false, false).expect("in time"), None, "answers are missing");
        let end = one.tend(4, true, false).expect("in time").expect("due");
        assert_eq!(end, Question::End { commits: true });
        assert_eq!(one.take(&end, 0, 4, 4 + MS, true).expect("fine"), Outcome::Ended { commits: true });
        assert!(one.is_idle() && one.report.commits.len() == 1 && one.report.committed == 1);
        assert!(!one.may_write([3], 5), "the next one begins anew");
    }

    #[test]
    fn age_and_the_end_of_the_load_end_a_transaction() {
        let mut one = transactions(0.0);
        add(&mut one, 0, 1);
        one.note_written(1);
        assert_eq!(one.next_wake_ns(), 1 + 100 * MS);
        assert_eq!(one.tend(100 * MS, true, false).expect("in time"), None);
        assert_eq!(one.tend(1 + 100 * MS, true, false).expect("in time"), Some(Question::End { commits: true }));
        let mut stopping = transactions(0.0);
        assert!(!stopping.may_write([0], 1));
        assert_eq!(stopping.tend(2, true, true).expect("in time"), None, "nothing was written: nothing to end");
        assert!(stopping.is_idle());
    }

    #[test]
    fn the_asked_share_is_aborted() {
        let mut one = transactions(0.25);
        for _ in 0..1_000 {
            add(&mut one, 0, 1);
            one.note_written(10);
            let end = one.tend(1, true, false).expect("in time").expect("due");
            one.take(&end, 0, 1, 1, false).expect("fine");
        }
        assert!((200..300).contains(&one.report.aborted), "{}", one.report.aborted);
        assert_eq!((one.report.aborted + one.report.committed, one.report.commits.len()), (1_000, 0));
    }

    #[test]
    fn refusals_that_pass_are_asked_again_and_others_end_the_run() {
        let mut one = transactions(0.0);
        assert!(!one.may_write([0], 1));
        let question = one.tend(1, true, false).expect("in time").expect("due");
        let code = ErrorCode::ConcurrentTransactions.code();
        assert_eq!(one.take(&question, code, 1, 1, true).expect("passes"), Outcome::None);
        assert_eq!(one.tend(2, true, false).expect("in time"), None, "not in haste");
        assert_eq!(one.next_wake_ns(), 1 + 20 * MS);
        assert_eq!(one.tend(1 + 20 * MS, true, false).expect("in time"), Some(question.clone()));
        let moved = one.take(&question, ErrorCode::NotCoordinator.code(), 1, 30 * MS, true);
        assert_eq!(moved.expect("passes"), Outcome::Seek);
        let loading = one.take(&question, ErrorCode::CoordinatorLoadInProgress.code(), 1, 31 * MS, true);
        assert_eq!(loading.expect("passes"), Outcome::None);
        assert_eq!(one.report.retried.values().sum::<u64>(), 3);
        assert!(one.tend(70_000 * MS, true, false).is_err(), "patience has an end");
        let fenced = one.take(&question, ErrorCode::InvalidProducerEpoch.code(), 1, 1, true).expect_err("it is over");
        assert_eq!(fenced.to_string(), "AddPartitionsToTxn failed: InvalidProducerEpoch (47)");
    }
}
