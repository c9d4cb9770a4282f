//! An agent: waits for coordinators, works for one of them at a time.
//!
//! Whoever may give orders can make this host send load to any address. Therefore a listener that others reach wants a token, and one
//! without a token listens on the loopback only.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;

use crate::agent::frame::{self, GREETING_BYTES_MAX, UntilDeadline};
use crate::agent::link::GREETING_TIMEOUT;
use crate::agent::message::{BrokerProcess, Greeting, Hello, PROTOCOL_VERSION, Reply, SERVICE, Welcome};
use crate::agent::meter::broker_beside;
use crate::agent::session;
use crate::agent::token::Token;
use crate::host;
use crate::result::HostRole;

/// Strangers that are greeted at once; the next one is turned away.
const STRANGERS_MAX: usize = 16;

/// An agent that listens.
#[derive(Debug)]
pub struct AgentServer {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    token: Option<Token>,
    is_monitor: bool,
    strangers: AtomicUsize,
    is_busy: AtomicBool,
    /// How far this host's clock is ahead of the present coordinator's. It lives as long as the process, since clocks are copied freely.
    ahead_ns: &'static AtomicI64,
}

/// Why an agent does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Everybody could give orders.
    #[error("--listen {0} is reached from other hosts: give --token-file or LOADGEN_TOKEN, or listen on 127.0.0.1")]
    Open(SocketAddr),
    /// The address is taken or not ours.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, io::Error),
}

impl AgentServer {
    /// Listens. A monitor measures the broker beside it and takes no load.
    pub fn bind(address: SocketAddr, token: Option<Token>, is_monitor: bool) -> Result<Self, ListenError> {
        if token.is_none() && !address.ip().is_loopback() {
            return Err(ListenError::Open(address));
        }
        let listener = TcpListener::bind(address).map_err(|error| ListenError::Bind(address, error))?;
        let shared = Shared {
            token,
            is_monitor,
            strangers: AtomicUsize::new(0),
            is_busy: AtomicBool::new(false),
            ahead_ns: Box::leak(Box::default()),
        };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes coordinators for ever.
    pub fn serve(&self) -> ! {
        loop {
            // A connection that broke before it was taken is nobody's.
            let Ok((stream, peer)) = self.listener.accept() else { continue };
            let shared = self.shared.clone();
            if shared.strangers.fetch_add(1, Ordering::Relaxed) >= STRANGERS_MAX {
                shared.strangers.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let greeted = shared.clone();
            let work = move || {
                let outcome = shared.receive(&stream, peer);
                if let Err(error) = outcome {
                    eprintln!("loadgen: {peer}: {error}");
                }
            };
            if thread::Builder::new().name("coordinator".into()).spawn(work).is_err() {
                greeted.strangers.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Shared {
    fn receive(&self, stream: &TcpStream, peer: SocketAddr) -> io::Result<()> {
        let greeted = self.greet(stream);
        self.strangers.fetch_sub(1, Ordering::Relaxed);
        let broker = greeted?;
        // From here on the agent is this coordinator's; the guard gives it back however the session ends.
        let _taken = Taken(&self.is_busy);
        eprintln!("loadgen: coordinator {peer} has come");
        let outcome = session::serve(stream, self.ahead_ns, broker.as_ref());
        eprintln!("loadgen: coordinator {peer} has gone");
        outcome
    }

    /// Finds out who is there and takes this agent for a coordinator that may have it; the broker's process beside the agent, if any.
    fn greet(&self, stream: &TcpStream) -> io::Result<Option<BrokerProcess>> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(GREETING_TIMEOUT))?;
        let nonce = self.token.is_some().then(|| format!("{:032x}", rand::random::<u128>()));
        let greeting = Greeting { service: SERVICE.into(), version: PROTOCOL_VERSION, nonce: nonce.clone() };
        frame::write(&mut &*stream, &greeting)?;
        let hello = frame::read(&mut UntilDeadline::new(stream, GREETING_TIMEOUT), GREETING_BYTES_MAX)?;
        let hello: Hello = frame::decode(&hello)?;
        let refuse = |reason: String| {
            frame::write(&mut &*stream, &Reply::Refused(reason.clone()))?;
            Err(io::Error::other(reason))
        };
        if hello.version != PROTOCOL_VERSION {
            return refuse(format!("it speaks version {PROTOCOL_VERSION}, the coordinator {}", hello.version));
        }
        if let Some((token, nonce)) = self.token.as_ref().zip(nonce)
            && !hello.proof.is_some_and(|proof| token.accepts(&nonce, &proof))
        {
            return refuse("the token is wrong".into());
        }
        let broker = broker_beside(&hello.bootstrap);
        if self.is_monitor && broker.is_none() {
            let bootstrap = &hello.bootstrap;
            return refuse(format!("no process that it may look into listens at {bootstrap} on its host"));
        }
        if self.is_busy.swap(true, Ordering::Acquire) {
            return refuse("it works for another coordinator".into());
        }
        let role = match (&broker, self.is_monitor) {
            (None, _) => HostRole::Loadgen,
            (Some(_), false) => HostRole::Colocated,
            (Some(_), true) => HostRole::Broker,
        };
        let environment = host::environment(role, None);
        let welcome = Welcome { environment, is_monitor: self.is_monitor, broker: broker.clone() };
        if let Err(error) = frame::write(&mut &*stream, &Reply::Welcome(Box::new(welcome))) {
            self.is_busy.store(false, Ordering::Release);
            return Err(error);
        }
        Ok(broker)
    }
}

/// An agent that is taken until this is dropped.
struct Taken<'b>(&'b AtomicBool);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
