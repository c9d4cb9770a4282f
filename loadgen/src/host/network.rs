//! The interface that the way to a broker begins at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};
use std::path::Path;

use procfs::net::RouteEntry;

use super::fact;
use crate::result::NetworkInterface;

/// The interface towards `address`; absent for this host itself.
pub fn towards(address: &str) -> Option<NetworkInterface> {
    let remote = address.to_socket_addrs().ok()?.next()?;
    let local = local_address(remote.ip())?;
    if local.is_loopback() || local == remote.ip() {
        return None;
    }
    let name = match (remote.ip().to_canonical(), local) {
        (IpAddr::V4(remote), _) => interface_of_route(&procfs::net::route().ok()?, remote),
        (_, IpAddr::V6(local)) => interface_of_address(&fact("/proc/net/if_inet6")?, local),
        _ => None,
    }?;
    let directory = Path::new("/sys/class/net").join(&name);
    let driver = std::fs::read_link(directory.join("device/driver")).ok();
    Some(NetworkInterface {
        // A virtual interface has no speed, or one of -1.
        speed_mbit_per_s: fact(directory.join("speed")).and_then(|text| text.parse().ok()),
        mtu_bytes: fact(directory.join("mtu")).and_then(|text| text.parse().ok()),
        driver: driver.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        name,
    })
}

/// Our end of a way to `remote`. A connected datagram socket has one without sending anything.
fn local_address(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((remote, 9)).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

/// The route with the longest prefix wins; of equal ones the one that costs least.
fn interface_of_route(routes: &[RouteEntry], remote: Ipv4Addr) -> Option<String> {
    let leads = |route: &&RouteEntry| remote & route.mask == route.destination;
    let preference = |route: &&RouteEntry| (route.mask.to_bits().count_ones(), u32::MAX - route.metrics);
    routes.iter().filter(leads).max_by_key(preference).map(|route| route.iface.clone())
}

/// Lines of `/proc/net/if_inet6`: the address in 32 hex digits first, the interface last.
fn interface_of_address(table: &str, local: Ipv6Addr) -> Option<String> {
    let wanted = format!("{:032x}", local.to_bits());
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(wanted.as_str()))?;
    line.split_whitespace().nth(5).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(iface: &str, destination: [u8; 4], mask: [u8; 4], metrics: u32) -> RouteEntry {
        RouteEntry {
            iface: iface.into(),
            destination: destination.into(),
            gateway: Ipv4Addr::UNSPECIFIED,
            flags: 1,
            refcnt: 0,
            in_use: 0,
            metrics,
            mask: mask.into(),
            mtu: 0,
            window: 0,
            irtt: 0,
        }
    }

    #[test]
    fn the_nearest_route_is_taken_before_the_default_one() {
        let routes = [
            route("wan0", [0, 0, 0, 0], [0, 0, 0, 0], 100),
            route("wan1", [0, 0, 0, 0], [0, 0, 0, 0], 10),
            route("lan0", [10, 1, 0, 0], [255, 255, 0, 0], 0),
            route("rack0", [10, 1, 2, 0], [255, 255, 255, 0], 0),
        ];
        let towards = |remote: [u8; 4]| interface_of_route(&routes, remote.into());
        assert_eq!(towards([10, 1, 2, 7]).as_deref(), Some("rack0"));
        assert_eq!(towards([10, 1, 9, 7]).as_deref(), Some("lan0"));
        assert_eq!(towards([8, 8, 8, 8]).as_deref(), Some("wan1"));
        assert_eq!(interface_of_route(&[], [8, 8, 8, 8].into()), None);
    }

    #[test]
    fn an_address_of_version_six_names_its_interface() {
        let table = "fd000000000000000000000000000002 04 40 00 82     eth0\n\
                     00000000000000000000000000000001 01 80 10 80       lo\n";
        let local = "fd00::2".parse().expect("an address");
        assert_eq!(interface_of_address(table, local).as_deref(), Some("eth0"));
        assert_eq!(interface_of_address(table, Ipv6Addr::UNSPECIFIED), None);
        assert_eq!(interface_of_address("garbage", local), None);
    }

    #[test]
    fn a_broker_on_this_host_has_no_interface() {
        assert_eq!(towards("127.0.0.1:9092"), None);
        assert_eq!(towards("no address at all"), None);
    }
}
