//! `ConnectionCaps`: how many connections there may be, of all clients together and of one address, and how many may come in a second, as Kafka's
//! settings of these names say. Accepting threads ask before a connection is dealt; what they were given is counted until the connection has
//! ended, on whatever thread.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::config::AddressLimits;

/// Why a connection is closed again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TooMany {
    /// `max.connections`.
    #[error("there are too many connections, the limit is {0}")]
    Connections(usize),
    /// `max.connections.per.ip`, or its override.
    #[error("there are too many connections from its address, the limit is {0}")]
    FromAddress(usize),
}

/// The limits and the counts.
#[derive(Debug)]
pub struct ConnectionCaps {
    connections_max: usize,
    per_address_max: usize,
    overrides: HashMap<IpAddr, usize>,
    /// Connections a second; beyond it they wait in the kernel's queue.
    rate_max: usize,
    open: Mutex<Open>,
}

/// What the settings say.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`, or what descriptors allow.
    pub connections: usize,
    /// `max.connections.per.ip`.
    pub per_address: usize,
    /// `max.connections.per.ip.overrides`.
    pub overrides: AddressLimits,
    /// `max.connection.creation.rate`, a second.
    pub rate: usize,
}

#[derive(Debug, Default)]
struct Open {
    connections: usize,
    /// Only addresses with connections are kept, so it is bounded as they are.
    by_address: HashMap<IpAddr, usize>,
    /// When the next one may come, if they come evenly.
    next_at: Option<Instant>,
}

/// One connection in the counts, until it is dropped.
#[derive(Debug)]
pub struct Admission {
    caps: Arc<ConnectionCaps>,
    address: IpAddr,
}

impl ConnectionCaps {
    /// No connection yet.
    pub fn new(limits: &ConnectionLimits) -> ConnectionCaps {
        ConnectionCaps {
            connections_max: limits.connections,
            per_address_max: limits.per_address,
            overrides: limits.overrides.0.iter().map(|(address, most)| (address.to_canonical(), *most)).collect(),
            rate_max: limits.rate.max(1),
            open: Mutex::default(),
        }
    }

    /// How long the acceptor waits before it deals the next connection. As many as a second may bring come at once; more come evenly.
    pub fn pause(&self, now: Instant) -> Duration {
        let gap = Duration::from_secs(1) / u32::try_from(self.rate_max).unwrap_or(u32::MAX);
        let mut open = self.open();
        let next_at = open.next_at.unwrap_or(now).max(now.checked_sub(Duration::from_secs(1)).unwrap_or(now));
        open.next_at = Some(next_at + gap);
        next_at.saturating_duration_since(now)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is locked, and a count is whole at any time.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection from `address`, if it may be.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admission, TooMany> {
        let address = address.to_canonical();
        let address_max = self.overrides.get(&address).copied().unwrap_or(self.per_address_max);
        let mut open = self.open();
        if open.connections >= self.connections_max {
            return Err(TooMany::Connections(self.connections_max));
        }
        let from_address = open.by_address.get(&address).copied().unwrap_or(0);
        if from_address >= address_max {
            return Err(TooMany::FromAddress(address_max));
        }
        open.by_address.insert(address, from_address + 1);
        open.connections += 1;
        Ok(Admission { caps: Arc::clone(self), address })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.caps.open();
        open.connections -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_has_its_own_limit_and_ended_connections_make_room() {
        let caps = Arc::new(ConnectionCaps::new(&ConnectionLimits {
            connections: 4,
            per_address: 1,
            overrides: AddressLimits(vec![(address(2), 2), (address(3), 0)]),
            rate: 10,
        }));
        let first = caps.admit(address(1)).unwrap();
        assert_eq!(caps.admit(address(1)).unwrap_err(), TooMany::FromAddress(1));
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(caps.admit(mapped).unwrap_err(), TooMany::FromAddress(1), "the same client by IPv6");
        let _second = (caps.admit(address(2)).unwrap(), caps.admit(address(2)).unwrap());
        assert_eq!(caps.admit(address(2)).unwrap_err(), TooMany::FromAddress(2));
        assert_eq!(caps.admit(address(3)).unwrap_err(), TooMany::FromAddress(0));
        let _fourth = caps.admit(address(4)).unwrap();
        assert_eq!(caps.admit(address(5)).unwrap_err(), TooMany::Connections(4));
        drop(first);
        let _again = caps.admit(address(1)).unwrap();
        let open = caps.open.lock().unwrap();
        assert_eq!((open.connections, open.by_address.len()), (4, 3), "addresses without connections are forgotten");
    }

    #[test]
    fn a_second_of_connections_comes_at_once_and_more_come_evenly() {
        let limits = ConnectionLimits { connections: 9, per_address: 9, overrides: AddressLimits::default(), rate: 4 };
        let caps = ConnectionCaps::new(&limits);
        let begun = Instant::now() + Duration::from_secs(100);
        let quarter = Duration::from_millis(250);
        let pauses: Vec<_> = (0..3).map(|_| caps.pause(begun)).collect();
        assert_eq!(pauses, [Duration::ZERO, quarter, 2 * quarter], "at the start there is nothing saved up");
        let later = begun + Duration::from_secs(60);
        let pauses: Vec<_> = (0..7).map(|_| caps.pause(later)).collect();
        assert_eq!(pauses[..5], [Duration::ZERO; 5], "a silent minute saves up one second's");
        assert_eq!(pauses[5..], [quarter, 2 * quarter]);
    }
}
