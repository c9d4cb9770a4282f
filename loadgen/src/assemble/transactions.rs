//! What became of the producers' transactions.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::error::error_name;
use crate::evidence::Evidence;
use crate::producer::TransactionReport;
use crate::recorder::Histograms;
use crate::result::{Latency, TransactionSummary};

/// The figures of all producers together; absent where there were no transactions.
pub(super) fn summary(evidence: &Evidence) -> Option<TransactionSummary> {
    evidence.workload.transactions?;
    let mut retries = BTreeMap::new();
    for (&code, requests) in reports(evidence).flat_map(|report| &report.retried) {
        *retries.entry(error_name(code)).or_default() += requests;
    }
    let ledgers = evidence.reports.producers.values().flat_map(|report| &report.ledgers);
    Some(TransactionSummary {
        committed: reports(evidence).map(|report| report.committed).sum(),
        aborted: reports(evidence).map(|report| report.aborted).sum(),
        aborted_records: ledgers.map(|ledger| ledger.aborted.count()).sum(),
        commit: Latency::from_histogram(&commits(evidence), None),
        retries,
    })
}

/// The commits of all producers.
pub(super) fn commits(evidence: &Evidence) -> Histogram<u64> {
    let mut sum = Histograms::empty().response;
    for report in reports(evidence) {
        sum.add(&report.commits).expect("all histograms have the same bounds");
    }
    sum
}

fn reports(evidence: &Evidence) -> impl Iterator<Item = &TransactionReport> {
    evidence.reports.producers.values().filter_map(|report| report.transactions.as_ref())
}
