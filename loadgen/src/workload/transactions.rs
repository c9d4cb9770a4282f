//! Transactions of producers and what readers see of them, checked and told.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::options::LoadOptions;
use crate::recorder::Counts;
use crate::result::{self, Acks};
use crate::workload::{ClientMode, InvalidWorkload, Mode, Workload};

/// Half of what a coordinator lets a transaction be open, so that a slow answer does not end it.
const DURATION_MAX: Duration = Duration::from_secs(30);
/// One transaction a millisecond is a load of coordinators alone.
const DURATION_MIN: Duration = Duration::from_millis(1);

/// What consumers see of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Isolation {
    /// Every record as soon as it is there.
    #[value(alias = "read_uncommitted")]
    ReadUncommitted,
    /// Records of committed transactions, once they are.
    #[value(alias = "read_committed")]
    ReadCommitted,
}

/// How producers put records into transactions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TransactionSettings {
    /// A transaction ends with so many records.
    pub records_max: u64,
    /// It ends at this age at the latest.
    pub duration: Duration,
    /// Share of transactions that are aborted, 0 to 1.
    pub abort_share: f64,
}

/// The transactions of a load; `None` where there are none.
pub(super) fn from_options(args: &LoadOptions, mode: Mode) -> Result<Option<TransactionSettings>, InvalidWorkload> {
    let refuse = |what| Err(InvalidWorkload::Transactions(what));
    if args.transaction_records.is_none() && args.transaction_duration.is_none() {
        if args.transaction_abort_share > 0.0 {
            return refuse("--transaction-abort-share needs --transaction-records or --transaction-duration");
        }
        return Ok(None);
    }
    if args.acks != Acks::All || args.in_flight > 5 {
        return refuse("transactions need --acks all and --in-flight of at most 5");
    }
    if args.client_mode == ClientMode::Raw {
        return refuse("--client-mode raw has batches of no transaction: use modelled");
    }
    if args.transaction_records == Some(0) {
        return refuse("--transaction-records must be at least 1");
    }
    let duration = args.transaction_duration.unwrap_or(DURATION_MAX);
    if !(DURATION_MIN..=DURATION_MAX).contains(&duration) {
        return refuse("--transaction-duration must be from 1 ms to 30 s");
    }
    if !(0.0..=1.0).contains(&args.transaction_abort_share) {
        return refuse("--transaction-abort-share must be from 0 to 1");
    }
    if args.transaction_abort_share > 0.0 && matches!(mode, Mode::Consume | Mode::Drain) {
        return refuse("--transaction-abort-share leaves a backlog of unknown size: --mode produce or both");
    }
    let records_max = args.transaction_records.unwrap_or(u64::MAX);
    Ok(Some(TransactionSettings { records_max, duration, abort_share: args.transaction_abort_share }))
}

impl Workload {
    /// Records that were acknowledged and that its consumers never see.
    pub fn hidden_records(&self, counts: &Counts) -> u64 {
        if self.isolation == Isolation::ReadCommitted { counts.aborted_records } else { 0 }
    }
}

/// The same as the result file tells it.
pub(super) fn describe(settings: &TransactionSettings) -> result::Transactions {
    result::Transactions {
        records_max: (settings.records_max < u64::MAX).then_some(settings.records_max),
        duration_max_ms: settings.duration.as_secs_f64() * 1e3,
        abort_share: settings.abort_share,
    }
}
