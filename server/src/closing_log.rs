//! `ClosingLog`: what the log says of connections that are closed for what they did. A scanner, or a client in a loop, makes as many of them as it
//! likes; each kind has some lines in an interval, the rest is counted and told in one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{CLOSING_LINES_INTERVAL, CLOSING_LINES_MAX};
use crate::unserved::UnservedLog;

/// Of the whole process. Only what ends a connection comes here.
#[derive(Debug, Default)]
pub struct ClosingLog {
    /// What was asked in versions that are not served.
    pub unserved: UnservedLog,
    /// Connections of this interval, by kind: the kinds are words of the program.
    closed: Mutex<BTreeMap<&'static str, u64>>,
}

impl ClosingLog {
    /// Counts a connection; whether it has a line of its own.
    pub fn has_line(&self, kind: &'static str) -> bool {
        let mut closed = self.closed();
        let count = closed.entry(kind).or_default();
        *count += 1;
        *count <= CLOSING_LINES_MAX
    }

    /// Tells those that had no line, and begins the next interval.
    pub fn tell_rest(&self) {
        for (kind, connections) in self.take_rest() {
            tracing::warn!(kind, "{connections} more connections were closed and have no line each");
        }
    }

    fn take_rest(&self) -> Vec<(&'static str, u64)> {
        let closed = std::mem::take(&mut *self.closed());
        let rest = closed.into_iter().map(|(kind, count)| (kind, count.saturating_sub(CLOSING_LINES_MAX)));
        rest.filter(|(_, count)| *count > 0).collect()
    }

    fn closed(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        // Nothing panics while it is locked, and a count is whole at any time.
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the rest of each interval, for ever; one task of the process.
pub async fn tell(log: Arc<ClosingLog>) {
    let mut next = tokio::time::interval(CLOSING_LINES_INTERVAL);
    loop {
        next.tick().await;
        log.tell_rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_lines_and_the_rest_is_counted_until_it_is_told() {
        let log = ClosingLog::default();
        let lines = (0..CLOSING_LINES_MAX + 5).filter(|_| log.has_line("garbage")).count();
        assert_eq!(lines as u64, CLOSING_LINES_MAX);
        assert!(log.has_line("slow reader"), "one kind does not hide another");
        assert_eq!(log.take_rest(), [("garbage", 5)]);
        assert!(log.has_line("garbage"), "the next interval");
        assert_eq!(log.take_rest(), []);
    }
}
