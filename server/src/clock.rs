//! The clocks of the asynchronous edge. Logic is given the time; it never asks.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since the Unix epoch; 0 when the system's clock stands before it.
pub fn wall_clock_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Wall-clock milliseconds that only go forward at a steady pace: a set-back of the system's clock must not end sessions.
pub struct SteadyClock {
    started: Instant,
    started_ms: i64,
}

impl SteadyClock {
    /// Starts at the wall clock.
    pub fn start() -> SteadyClock {
        SteadyClock { started: Instant::now(), started_ms: wall_clock_ms() }
    }

    /// Milliseconds now.
    pub fn now_ms(&self) -> i64 {
        self.started_ms.saturating_add(i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// The moment of a time in milliseconds.
    pub fn instant_of(&self, at_ms: i64) -> Instant {
        let after_ms = at_ms.saturating_sub(self.started_ms).clamp(0, MS_OF_A_CENTURY);
        self.started + std::time::Duration::from_millis(after_ms.cast_unsigned())
    }
}

/// Far enough, and safe to add to any moment.
const MS_OF_A_CENTURY: i64 = 100 * 365 * 86_400_000;
