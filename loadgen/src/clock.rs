//! One monotonic nanosecond clock for all threads of a run, and a timer that wakes an epoll loop to the microsecond.
//!
//! epoll's own timeout counts milliseconds, which would blur every send time by one; a timerfd does not.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// Nanoseconds since the clock was made; copies agree with each other.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    origin_unix_ms: i64,
}

impl Clock {
    /// A clock that reads 1 ns now or later, so that 0 can mean "never".
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), origin_unix_ms: unix.as_millis() as i64 }
    }

    /// The present moment.
    pub fn now_ns(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64 + 1
    }

    /// Wall-clock milliseconds at `at_ns`, for record timestamps only.
    pub fn unix_ms(&self, at_ns: u64) -> i64 {
        self.origin_unix_ms + (at_ns / 1_000_000) as i64
    }
}

/// A one-shot timer that makes its epoll token readable.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    armed_for_ns: u64,
}

impl Timer {
    /// Creates the timer and registers it under `token`.
    pub fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd, armed_for_ns: 0 })
    }

    /// Fires at `at_ns`; arming for the moment already armed costs nothing.
    pub fn arm(&mut self, clock: &Clock, at_ns: u64) -> io::Result<()> {
        let now_ns = clock.now_ns();
        if self.armed_for_ns == at_ns && at_ns > now_ns {
            return Ok(());
        }
        // Zero would disarm the timer.
        let wait = Duration::from_nanos(at_ns.saturating_sub(now_ns).max(1));
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() },
        };
        // Setting the timer also clears an expiration that nobody has read, so the descriptor is never read.
        timerfd_settime(self.fd.as_fd(), TimerfdTimerFlags::empty(), &once)?;
        self.armed_for_ns = at_ns;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armed_timer_wakes_the_poll_and_not_before_its_time() {
        let clock = Clock::start();
        let mut poll = mio::Poll::new().expect("epoll");
        let mut timer = Timer::register(poll.registry(), Token(7)).expect("timerfd");
        let due_ns = clock.now_ns() + 2_000_000;
        timer.arm(&clock, due_ns).expect("arm");
        let mut events = mio::Events::with_capacity(4);
        while events.is_empty() {
            poll.poll(&mut events, Some(Duration::from_secs(10))).expect("poll");
        }
        assert!(clock.now_ns() >= due_ns);
        assert_eq!(events.iter().next().map(mio::event::Event::token), Some(Token(7)));
    }
}
