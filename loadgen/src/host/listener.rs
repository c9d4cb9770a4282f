//! Which process on this machine listens at an address, so that its CPU and memory can be measured without being told.

use std::net::{SocketAddr, ToSocketAddrs};

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, all_processes};

/// The process that listens at `address`; `None` when it is elsewhere or may not be looked into.
pub fn local_pid(address: &str) -> Option<u32> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().ok()?.collect();
    let entries = procfs::net::tcp().into_iter().flatten().chain(procfs::net::tcp6().into_iter().flatten());
    let listens = |entry: &TcpNetEntry| {
        entry.state == TcpState::Listen && addresses.iter().any(|address| serves(entry.local_address, *address))
    };
    let inode = entries.filter(listens).map(|entry| entry.inode).next()?;
    let holds = |process: &procfs::process::Process| {
        let descriptors = process.fd().into_iter().flatten().flatten();
        descriptors
            .map(|descriptor| descriptor.target)
            .any(|target| matches!(target, FDTarget::Socket(found) if found == inode))
    };
    let process = all_processes().ok()?.flatten().find(holds)?;
    // Our own process as the broker is a test, and its use would be counted twice.
    u32::try_from(process.pid).ok().filter(|&pid| pid != std::process::id())
}

/// Whether a listener takes connections to an address of this machine. An address of another machine matches only a wildcard, so
/// only loopback and exact matches are believed.
fn serves(listener: SocketAddr, asked: SocketAddr) -> bool {
    let same_port = listener.port() == asked.port();
    let wildcard = listener.ip().is_unspecified() && asked.ip().is_loopback();
    same_port && (wildcard || listener.ip().to_canonical() == asked.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_listener_is_found_by_loopback_and_not_by_a_foreign_address() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(serves(at("0.0.0.0:9092"), at("127.0.0.1:9092")));
        assert!(serves(at("[::]:9092"), at("127.0.0.1:9092")));
        assert!(serves(at("127.0.0.1:9092"), at("127.0.0.1:9092")));
        assert!(serves(at("[::ffff:10.0.0.1]:9092"), at("10.0.0.1:9092")));
        assert!(!serves(at("0.0.0.0:9092"), at("10.0.0.1:9092")));
        assert!(!serves(at("0.0.0.0:9092"), at("127.0.0.1:9093")));
    }
}
