//! `Listeners`: one accepting thread an address; every socket goes to the shard with the fewest connections.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::io::net::Acceptor;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::config::{Endpoint, Settings};
use crate::connection::Client;

/// A socket on its way to a shard.
pub struct Accepted {
    /// The connection, blocking, as std made it.
    pub stream: TcpStream,
    /// Who is there, and what to advertise.
    pub client: Client,
    /// Counts the connection until it is dropped.
    pub slot: ConnectionSlot,
}

/// One connection in the count of its shard.
pub struct ConnectionSlot {
    connections: Arc<AtomicUsize>,
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
}

/// Why an address is not listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {endpoint}: {error}")]
pub struct ListenError {
    endpoint: Endpoint,
    error: io::Error,
}

/// Everything that accepts.
pub struct Listeners {
    acceptors: Vec<(Endpoint, Acceptor)>,
}

impl Listeners {
    /// Binds all addresses and begins to accept.
    pub fn start(
        settings: &Settings,
        shards: &Arc<Vec<ShardInbox>>,
        connections_max: usize,
    ) -> Result<Listeners, ListenError> {
        let mut acceptors = Vec::new();
        for endpoint in &settings.listeners {
            let refuse = |error| ListenError { endpoint: endpoint.clone(), error };
            for address in resolve(endpoint).map_err(refuse)? {
                let mut dealer = Dealer {
                    shards: Arc::clone(shards),
                    connections_max,
                    advertised: settings
                        .advertised_listeners
                        .iter()
                        .find(|advertised| advertised.name == endpoint.name)
                        .cloned(),
                    next: 0,
                };
                let acceptor =
                    Acceptor::start(address, move |stream, peer| dealer.deal(stream, peer)).map_err(refuse)?;
                acceptors.push((endpoint.clone(), acceptor));
            }
        }
        Ok(Listeners { acceptors })
    }

    /// The real addresses, in the order of the configuration.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.acceptors.iter().map(|(_, acceptor)| acceptor.address())
    }

    /// Accepts no more.
    pub fn stop(self) {
        for (_, acceptor) in self.acceptors {
            acceptor.stop();
        }
    }
}

/// All addresses of a name; only one when the system chooses the port, because it would choose another for each.
fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
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

/// Deals sockets on the accepting thread.
struct Dealer {
    shards: Arc<Vec<ShardInbox>>,
    connections_max: usize,
    advertised: Option<Endpoint>,
    /// Where the search for the emptiest shard begins, so that equal ones take turns.
    next: usize,
}

impl Dealer {
    fn deal(&mut self, stream: TcpStream, peer: SocketAddr) {
        let loads: Vec<usize> = self.shards.iter().map(|shard| shard.connections.load(Ordering::Relaxed)).collect();
        if loads.iter().sum::<usize>() >= self.connections_max {
            tracing::warn!(%peer, connections_max = self.connections_max, "closing a connection, there are too many");
            return;
        }
        let client = match self.client(&stream, peer) {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(%peer, %error, "a connection ended before it was dealt");
                return;
            }
        };
        let chosen = emptiest(&loads, self.next);
        self.next = (chosen + 1) % loads.len();
        let shard = &self.shards[chosen];
        shard.connections.fetch_add(1, Ordering::Relaxed);
        let slot = ConnectionSlot { connections: Arc::clone(&shard.connections) };
        // A full queue stops this thread, and the kernel's backlog fills: the shard is busy with work, not lost. An error says that it
        // is stopping; the socket is then closed.
        let _ = shard.sockets.blocking_send(Accepted { stream, client, slot });
    }

    /// A listener without an advertised address advertises the one that the client has just used.
    fn client(&self, stream: &TcpStream, peer: SocketAddr) -> io::Result<Client> {
        let local = stream.local_addr()?;
        let (advertised_host, advertised_port) = match &self.advertised {
            Some(advertised) => {
                (advertised.host.clone(), if advertised.port == 0 { local.port() } else { advertised.port })
            }
            None => (local.ip().to_canonical().to_string(), local.port()),
        };
        Ok(Client { peer, advertised_host, advertised_port })
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
}
