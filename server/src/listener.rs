//! `Listeners`: one accepting thread an address. A socket goes to the shard whose node's port it came to, or, where all shards are one node, to
//! the shard with the fewest connections.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use engine::io::net::{Acceptor, listen};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::admin::Ask;
use crate::closing_log::ClosingLog;
use crate::config::{Endpoint, ListenerMode, Settings};
use crate::connection_caps::{Admission, ConnectionCaps};
use crate::nodes::Nodes;

/// A socket on its way to a shard.
pub struct Accepted {
    /// The connection, blocking, as std made it.
    pub stream: TcpStream,
    /// Who is there.
    pub peer: SocketAddr,
    /// What to advertise.
    pub nodes: Nodes,
    /// Counts the connection until it is dropped.
    pub slot: ConnectionSlot,
}

/// One connection in the count of its shard.
pub struct ConnectionSlot {
    connections: Arc<AtomicUsize>,
    _admission: Admission,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where sockets go: one entry a shard.
pub struct ShardInbox {
    /// Takes the sockets.
    pub sockets: mpsc::Sender<Accepted>,
    /// Connections that live there.
    pub connections: Arc<AtomicUsize>,
    /// Questions of the admin page.
    pub asks: mpsc::Sender<Ask>,
}

/// Why an address is not listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {endpoint}: {error}")]
pub struct ListenError {
    /// As configured.
    pub endpoint: Endpoint,
    /// The system's answer.
    pub error: io::Error,
}

/// Everything that accepts.
pub struct Listeners {
    first_node_id: i32,
    /// With the node, counted from the first.
    acceptors: Vec<(usize, Acceptor)>,
}

impl Listeners {
    /// Binds all addresses and begins to accept.
    pub fn start(
        settings: &Settings,
        shards: &Arc<Vec<ShardInbox>>,
        caps: &Arc<ConnectionCaps>,
        closing_log: &Arc<ClosingLog>,
    ) -> Result<Listeners, ListenError> {
        let nodes = match settings.listener_mode {
            ListenerMode::Shared => 1,
            ListenerMode::PerCore => shards.len(),
        };
        let mut acceptors = Vec::new();
        for endpoint in &settings.listeners {
            let refuse = |error| ListenError { endpoint: endpoint.clone(), error };
            let bound = bind(endpoint, nodes).map_err(refuse)?;
            let advertised = settings.advertised_listeners.iter().find(|advertised| advertised.name == endpoint.name);
            let advertised_ports = match advertised {
                Some(advertised) if advertised.port != 0 => (0..nodes).map(|node| port_of(advertised, node)).collect(),
                _ => ports_of(&bound),
            };
            let advertised_ports = advertised_ports.map_err(refuse)?;
            for Bound { node, listener } in bound {
                let mut dealer = Dealer {
                    shards: Arc::clone(shards),
                    only: (nodes > 1).then_some(node),
                    caps: Arc::clone(caps),
                    closing_log: Arc::clone(closing_log),
                    first_node_id: settings.node_id,
                    advertised_host: advertised.map(|advertised| advertised.host.clone()),
                    advertised_ports: Arc::clone(&advertised_ports),
                    next: 0,
                };
                let acceptor =
                    Acceptor::start(listener, move |stream, peer| dealer.deal(stream, peer)).map_err(refuse)?;
                acceptors.push((node, acceptor));
            }
        }
        Ok(Listeners { first_node_id: settings.node_id, acceptors })
    }

    /// The real addresses with the node that each belongs to, in the order of the configuration.
    pub fn addresses(&self) -> impl Iterator<Item = (i32, SocketAddr)> {
        self.acceptors.iter().map(|(node, acceptor)| (self.first_node_id + *node as i32, acceptor.address()))
    }

    /// Accepts no more.
    pub fn stop(self) {
        for (_, acceptor) in self.acceptors {
            acceptor.stop();
        }
    }
}

/// All addresses of a name; only one when the system chooses the port, because it would choose another for each.
pub fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let host = if endpoint.host == "*" { "::" } else { endpoint.host.as_str() };
    let mut addresses: Vec<SocketAddr> = (host, endpoint.port).to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    if endpoint.port == 0 {
        addresses.truncate(1);
    }
    Ok(addresses)
}

/// A port that is taken.
struct Bound {
    /// Counted from the first.
    node: usize,
    listener: TcpListener,
}

/// Binds an endpoint for every node before anybody is served: whoever is asked for the nodes must know all ports.
fn bind(endpoint: &Endpoint, nodes: usize) -> io::Result<Vec<Bound>> {
    let mut bound = Vec::with_capacity(nodes);
    for node in 0..nodes {
        let endpoint = Endpoint { port: port_of(endpoint, node)?, ..endpoint.clone() };
        for address in resolve(&endpoint)? {
            let listener = listen(address)
                .map_err(|error| io::Error::new(error.kind(), format!("port {}: {error}", endpoint.port)))?;
            bound.push(Bound { node, listener });
        }
    }
    Ok(bound)
}

/// The ports of the nodes follow the first one's; 0 stays 0.
fn port_of(endpoint: &Endpoint, node: usize) -> io::Result<u16> {
    if endpoint.port == 0 {
        return Ok(0);
    }
    let port = u16::try_from(node).ok().and_then(|node| endpoint.port.checked_add(node));
    port.ok_or_else(|| io::Error::other(format!("node {node} has no port, they end at 65535")))
}

/// The real port of each node; all addresses of a node have the same.
fn ports_of(bound: &[Bound]) -> io::Result<Arc<[u16]>> {
    let mut ports = Vec::new();
    for Bound { node, listener } in bound {
        if *node == ports.len() {
            ports.push(listener.local_addr()?.port());
        }
    }
    Ok(ports.into())
}

/// Deals sockets on the accepting thread.
struct Dealer {
    shards: Arc<Vec<ShardInbox>>,
    /// The shard whose node this is; none where all shards are one node.
    only: Option<usize>,
    caps: Arc<ConnectionCaps>,
    closing_log: Arc<ClosingLog>,
    first_node_id: i32,
    /// None advertises the address that a client has connected to.
    advertised_host: Option<String>,
    /// A port for each node.
    advertised_ports: Arc<[u16]>,
    /// Where the search for the emptiest shard begins, so that equal ones take turns.
    next: usize,
}

impl Dealer {
    fn deal(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Those behind it wait in the kernel's queue.
        std::thread::sleep(self.caps.pause(Instant::now()));
        let admission = match self.caps.admit(peer.ip()) {
            Ok(admission) => admission,
            Err(reason) => {
                if self.closing_log.has_line("too many connections") {
                    tracing::warn!(%peer, %reason, "closing a connection");
                } else {
                    tracing::debug!(%peer, %reason, "closing a connection");
                }
                return;
            }
        };
        let loads: Vec<usize> = self.shards.iter().map(|shard| shard.connections.load(Ordering::Relaxed)).collect();
        let host = match self.host(&stream) {
            Ok(host) => host,
            Err(error) => {
                tracing::debug!(%peer, %error, "a connection ended before it was dealt");
                return;
            }
        };
        let nodes = Nodes::new(self.first_node_id, host, Arc::clone(&self.advertised_ports));
        let chosen = self.only.unwrap_or_else(|| emptiest(&loads, self.next));
        self.next = (chosen + 1) % loads.len();
        let shard = &self.shards[chosen];
        shard.connections.fetch_add(1, Ordering::Relaxed);
        let slot = ConnectionSlot { connections: Arc::clone(&shard.connections), _admission: admission };
        // A full queue stops this thread, and the kernel's backlog fills: the shard is busy with work, not lost. An error says that it
        // is stopping; the socket is then closed.
        let _ = shard.sockets.blocking_send(Accepted { stream, peer, nodes, slot });
    }

    /// A listener without an advertised address advertises the one that the client has just used.
    fn host(&self, stream: &TcpStream) -> io::Result<String> {
        match &self.advertised_host {
            Some(host) => Ok(host.clone()),
            None => Ok(stream.local_addr()?.ip().to_canonical().to_string()),
        }
    }
}

fn emptiest(loads: &[usize], first: usize) -> usize {
    let order = (first..loads.len()).chain(0..first);
    order.min_by_key(|shard| loads[*shard]).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_go_to_the_emptiest_shard_and_equal_ones_take_turns() {
        assert_eq!(emptiest(&[3, 1, 2], 0), 1);
        assert_eq!(emptiest(&[1, 1, 1], 0), 0);
        assert_eq!(emptiest(&[1, 1, 1], 2), 2);
        assert_eq!(emptiest(&[1, 2, 1], 1), 2);
    }

    #[test]
    fn the_ports_of_nodes_follow_the_first_and_end_where_ports_end() {
        let endpoint = |port| Endpoint { name: "PLAINTEXT".into(), host: "h".into(), port };
        assert_eq!(port_of(&endpoint(9092), 3).unwrap(), 9095);
        assert_eq!(port_of(&endpoint(0), 3).unwrap(), 0);
        assert!(port_of(&endpoint(65_534), 2).is_err());
    }
}
