//! One monotonic nanosecond clock for all threads of a run, and a timer that wakes an epoll loop to the microsecond.
//!
//! epoll's own timeout counts milliseconds, which would blur every send time by one; a timerfd does not. The clock of a run may be
//! that of another host: then it is this host's, less what this host's is ahead.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

/// This host's monotonic clock, nanoseconds: the same for all processes of one boot, and foreign to every other host.
pub fn monotonic_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Nanoseconds since the clock was made; copies agree with each other.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Where it begins, on the monotonic clock of the host that began it.
    origin_ns: i64,
    origin_unix_ms: i64,
    /// How far this host's monotonic clock is ahead of that one; corrected while the clock is in use.
    ahead_ns: Option<&'static AtomicI64>,
}

impl Clock {
    /// A clock that reads 1 ns now or later, so that 0 can mean "never".
    pub fn start() -> Self {
        Self { origin_ns: monotonic_ns(), origin_unix_ms: unix_ms(), ahead_ns: None }
    }

    /// The clock of another host, which began at `origin_ns` of its monotonic clock; ours is ahead of it by `ahead_ns`.
    pub fn following(origin_ns: i64, ahead_ns: &'static AtomicI64) -> Self {
        let mut clock = Self { origin_ns, origin_unix_ms: 0, ahead_ns: Some(ahead_ns) };
        clock.origin_unix_ms = unix_ms() - (clock.now_ns() / 1_000_000) as i64;
        clock
    }

    /// Where it begins on the monotonic clock.
    pub fn origin_ns(&self) -> i64 {
        self.origin_ns
    }

    /// The present moment. A clock that follows another may go back by the microseconds of a correction.
    pub fn now_ns(&self) -> u64 {
        let ahead_ns = self.ahead_ns.map_or(0, |ahead_ns| ahead_ns.load(Ordering::Relaxed));
        let since_ns = monotonic_ns().saturating_sub(self.origin_ns).saturating_sub(ahead_ns);
        u64::try_from(since_ns).unwrap_or(0) + 1
    }

    /// Wall-clock milliseconds at `at_ns`, for record timestamps only.
    pub fn unix_ms(&self, at_ns: u64) -> i64 {
        self.origin_unix_ms + (at_ns / 1_000_000) as i64
    }
}

fn unix_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
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
    fn a_clock_that_follows_another_agrees_with_it_and_takes_corrections() {
        static AHEAD_NS: AtomicI64 = AtomicI64::new(0);
        let theirs = Clock::start();
        let ours = Clock::following(theirs.origin_ns() - 5_000_000_000_000, &AHEAD_NS);
        AHEAD_NS.store(5_000_000_000_000, Ordering::Relaxed);
        let (before, between, after) = (theirs.now_ns(), ours.now_ns(), theirs.now_ns());
        assert!((before..=after).contains(&between), "{before} {between} {after}");
        AHEAD_NS.store(i64::MAX, Ordering::Relaxed);
        assert_eq!(ours.now_ns(), 1, "a clock that is told nonsense stands at its beginning");
    }

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
