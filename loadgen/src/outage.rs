//! The time without a connection to one broker: when to try again, and when to give up.

use std::time::Duration;

use crate::error::Error;

/// The first try comes after this, each further one after twice the time of the one before.
const BACKOFF_NS_MIN: u64 = 50_000_000;

/// Kafka's `reconnect.backoff.max.ms`.
const BACKOFF_NS_MAX: u64 = 1_000_000_000;

/// A broker that is started again and recovers its log is back by then.
const OUTAGE_MAX: Duration = Duration::from_secs(60);

/// How one connection stands.
#[derive(Debug, Default)]
pub struct Outage {
    /// The first loss since the last answer.
    since_ns: Option<u64>,
    /// There is no socket, and this is when the next is opened.
    retry_at_ns: Option<u64>,
    tries: u32,
}

impl Outage {
    /// The connection is lost, or a try to make it has failed.
    pub fn note_loss(&mut self, now_ns: u64) {
        self.since_ns.get_or_insert(now_ns);
        let backoff_ns = BACKOFF_NS_MIN << self.tries.min(10);
        self.tries += 1;
        self.retry_at_ns = Some(now_ns + backoff_ns.min(BACKOFF_NS_MAX));
    }

    /// A new socket is on its way to the broker.
    fn note_try(&mut self) {
        self.retry_at_ns = None;
    }

    /// The broker has answered; whether that ended an outage.
    pub fn note_answer(&mut self) -> bool {
        std::mem::take(self).goes_on()
    }

    /// Calls `reopen` when its time has come; an error only when the outage has lasted too long.
    pub fn keep_trying(&mut self, now_ns: u64, reopen: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        self.check(now_ns)?;
        if self.is_try_due(now_ns) {
            match reopen() {
                Ok(()) => self.note_try(),
                Err(_) => self.note_loss(now_ns),
            }
        }
        Ok(())
    }

    /// There is no socket.
    pub fn is_down(&self) -> bool {
        self.retry_at_ns.is_some()
    }

    /// Whether there is no socket and it is time to open one.
    fn is_try_due(&self, now_ns: u64) -> bool {
        self.retry_at_ns.is_some_and(|at_ns| at_ns <= now_ns)
    }

    /// The broker was lost and has not answered since.
    pub fn goes_on(&self) -> bool {
        self.since_ns.is_some()
    }

    /// Gives up after too long a time.
    fn check(&self, now_ns: u64) -> Result<(), Error> {
        let lasts_ns = self.since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns));
        let limit = OUTAGE_MAX;
        if lasts_ns > limit.as_nanos() as u64 {
            return Err(Error::Deadline { phase: "winning a lost connection back", limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_less_and_less_often_until_an_answer_comes_or_time_is_up() {
        let mut outage = Outage::default();
        let mut now_ns = 7;
        let mut pauses_ms = Vec::new();
        for _ in 0..8 {
            outage.note_loss(now_ns);
            let lost_ns = now_ns;
            while !outage.is_try_due(now_ns) {
                now_ns += 1_000_000;
            }
            pauses_ms.push((now_ns - lost_ns) / 1_000_000);
            outage.note_try();
            assert!(!outage.is_down() && outage.goes_on());
        }
        assert_eq!(pauses_ms, [50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
        assert!(outage.check(now_ns).is_ok());
        assert!(outage.check(now_ns + 60_000_000_000).is_err());
        assert!(outage.note_answer() && !outage.note_answer());
        assert!(outage.check(u64::MAX).is_ok() && !outage.goes_on());
    }
}
