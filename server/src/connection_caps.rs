//! `ConnectionCaps`: how many connections there may be, of all clients together and of one address, and how many may come in a second, as Kafka's
//! settings of these names say. Accepting threads ask before a connection is dealt; what they were given is counted until the connection has
//! ended, on whatever thread.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::config::{AddressLimits, Settings};

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
    /// What the start has descriptors and memory for.
    connections_most: usize,
    open: Mutex<Open>,
}

/// What the settings say.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub connections: usize,
    /// `max.connections.per.ip`.
    pub per_address: usize,
    /// `max.connections.per.ip.overrides`.
    pub overrides: AddressLimits,
    /// `max.connection.creation.rate`, a second; beyond it they wait in the kernel's queue.
    pub rate: usize,
}

impl ConnectionLimits {
    /// Those of these settings.
    pub fn of(settings: &Settings) -> ConnectionLimits {
        ConnectionLimits {
            connections: settings.max_connections,
            per_address: settings.max_connections_per_ip,
            overrides: settings.max_connections_per_ip_overrides.clone(),
            rate: settings.max_connection_creation_rate,
        }
    }
}

#[derive(Debug)]
struct Open {
    limits: ConnectionLimits,
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
    /// No connection yet, and never more than `connections_most`, whatever the settings become.
    pub fn new(limits: ConnectionLimits, connections_most: usize) -> ConnectionCaps {
        let open = Open { limits, connections: 0, by_address: HashMap::new(), next_at: None };
        ConnectionCaps { connections_most, open: Mutex::new(open) }
    }

    /// Other limits, from now on: connections that there are stay.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        self.open().limits = limits;
    }

    /// How long the acceptor waits before it deals the next connection. As many as a second may bring come at once; more come evenly.
    pub fn pause(&self, now: Instant) -> Duration {
        let mut open = self.open();
        let gap = Duration::from_secs(1) / u32::try_from(open.limits.rate.max(1)).unwrap_or(u32::MAX);
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
        let mut open = self.open();
        let own = open.limits.overrides.0.iter().find(|(other, _)| other.to_canonical() == address);
        let address_max = own.map_or(open.limits.per_address, |(_, most)| *most);
        let connections_max = open.limits.connections.min(self.connections_most);
        if open.connections >= connections_max {
            return Err(TooMany::Connections(connections_max));
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
        let limits = ConnectionLimits {
            connections: 4,
            per_address: 1,
            overrides: AddressLimits(vec![(address(2), 2), (address(3), 0)]),
            rate: 10,
        };
        let caps = Arc::new(ConnectionCaps::new(limits, 9));
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
    fn other_limits_hold_for_those_who_come_and_none_is_above_what_the_start_has_room_for() {
        let limits = |connections, per_address| ConnectionLimits {
            connections,
            per_address,
            overrides: AddressLimits::default(),
            rate: 10,
        };
        let caps = Arc::new(ConnectionCaps::new(limits(9, 2), 3));
        let _two = (caps.admit(address(1)).unwrap(), caps.admit(address(1)).unwrap());
        caps.set_limits(limits(9, 1));
        assert_eq!(caps.admit(address(1)).unwrap_err(), TooMany::FromAddress(1));
        let _third = caps.admit(address(2)).unwrap();
        assert_eq!(caps.admit(address(3)).unwrap_err(), TooMany::Connections(3));
        caps.set_limits(limits(2, 1));
        assert_eq!(caps.admit(address(3)).unwrap_err(), TooMany::Connections(2));
    }

    #[test]
    fn a_second_of_connections_comes_at_once_and_more_come_evenly() {
        let limits = ConnectionLimits { connections: 9, per_address: 9, overrides: AddressLimits::default(), rate: 4 };
        let caps = ConnectionCaps::new(limits, 9);
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
