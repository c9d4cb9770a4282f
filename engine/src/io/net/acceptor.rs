//! `Acceptor`: one blocking thread accepts for a listener and hands the connections on.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Type};

use crate::limits::{ACCEPT_BACKLOG, ACCEPT_PAUSE_MS};

/// A listener and the thread that accepts for it.
#[derive(Debug)]
pub struct Acceptor {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Hands every connection of a listener to `deal`, on the acceptor's thread.
    pub fn start(
        listener: TcpListener,
        mut deal: impl FnMut(TcpStream, SocketAddr) + Send + 'static,
    ) -> io::Result<Self> {
        let listener = Arc::new(listener);
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (accepting, stop) = (Arc::clone(&listener), Arc::clone(&stopped));
        let thread = std::thread::Builder::new().name(format!("accept-{}", address.port())).spawn(move || {
            while let Some((stream, peer)) = accept_next(&accepting, &stop) {
                deal(stream, peer);
            }
        })?;
        Ok(Self { address, listener, stopped, thread: Some(thread) })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more and waits for the thread's end. Connections that were dealt live on.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // On Linux a shutdown wakes a thread that is blocked in accept.
        let _ = SockRef::from(&*self.listener).shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A panic there was printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.end();
    }
}

/// Raises the limit of open descriptors to what the administrator allows; gives it before and after.
pub fn raise_file_descriptor_limit() -> (u64, u64) {
    let limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let after = match raised {
        Ok(()) => limit.maximum.unwrap_or(u64::MAX),
        Err(_) => before,
    };
    (before, after)
}

/// Listens on `address` (port 0: any). No `SO_REUSEPORT`: it piles few connections on one core, and a second broker could share the port unseen.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Ok(socket.into())
}

/// The next connection; None when the acceptor was stopped.
fn accept_next(listener: &TcpListener, stopped: &AtomicBool) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = listener.accept();
        if stopped.load(Ordering::SeqCst) {
            return None;
        }
        match accepted {
            Ok((stream, peer)) => {
                // An answer is one vectored send: waiting for more would only delay it. A peer that is gone shows at the first receive.
                let _ = stream.set_nodelay(true);
                return Some((stream, peer));
            }
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection ended before it was accepted");
            }
            Err(error) => {
                // Out of descriptors or memory, as a rule: connections wait in the backlog until some are free.
                tracing::warn!(%error, "cannot accept, trying again soon");
                std::thread::sleep(Duration::from_millis(ACCEPT_PAUSE_MS));
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn any_port() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn an_acceptor_deals_connections_and_frees_its_port_when_stopped() {
        let (dealt, connections) = mpsc::channel();
        let acceptor = Acceptor::start(listen(any_port()).expect("bound"), move |stream, peer| {
            let _ = dealt.send((stream, peer));
        })
        .expect("started");
        let address = acceptor.address();
        for _ in 0..3 {
            let client = TcpStream::connect(address).expect("connected");
            let (stream, peer) = connections.recv().expect("dealt");
            assert_eq!(peer, client.local_addr().expect("connected"));
            assert!(stream.nodelay().expect("an option"));
        }
        acceptor.stop();
        assert!(TcpStream::connect(address).is_err());
        listen(address).expect("the port is free again");
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let first = listen(any_port()).expect("bound");
        let second = listen(first.local_addr().expect("bound"));
        assert_eq!(second.expect_err("in use").kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_descriptor_limit_never_falls() {
        let (before, after) = raise_file_descriptor_limit();
        assert!(after >= before);
        assert_eq!(raise_file_descriptor_limit(), (after, after));
    }
}
