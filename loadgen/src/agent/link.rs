//! The coordinator's connection to one agent: greeting, probes of its clock, orders there, reports back.
//!
//! A thread sends probes all the time, so that both sides notice within seconds when the other has gone, whatever else they do. Another
//! one reads, since the moment when an answer comes is part of what it says.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::clock_offset::{Exchange, OffsetTrack};
use crate::agent::frame::{self, FRAME_BYTES_MAX, UntilDeadline};
use crate::agent::message::{Greeting, Hello, Order, PROTOCOL_VERSION, Reply, Report, SERVICE, Welcome};
use crate::agent::token::{TOKEN_VARIABLE, Token};
use crate::clock::monotonic_ns;
use crate::connection::connect;
use crate::error::{Error, local};

/// Time for each step of the greeting.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Probes go ten times a second: whoever is silent for so long is gone.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// Between probes; the first ones follow each other faster.
const PROBE_PAUSE: Duration = Duration::from_millis(100);
const FIRST_PROBE_PAUSE: Duration = Duration::from_millis(5);

/// Exchanges that the first estimate rests on: with so many, some find both hosts awake.
const FIRST_PROBES: u64 = 24;

/// How often the offset in use is held against what is known.
const CORRECTION_PAUSE_NS: i64 = 1_000_000_000;

/// Reports that wait for the coordinator; behind that the agent waits.
const REPORTS_MAX: usize = 1_024;

/// One agent.
#[derive(Debug)]
pub struct Link {
    address: String,
    welcome: Welcome,
    writer: Arc<Mutex<TcpStream>>,
    stream: TcpStream,
    incoming: Receiver<(i64, Result<Report, String>)>,
    track: OffsetTrack,
    next_correction_ns: i64,
    lost: Option<String>,
}

impl Link {
    /// Greets the agent and finds out how far its clock is ahead.
    pub fn open(address: &str, token: Option<&Token>, bootstrap: &str) -> Result<Self, Error> {
        let refused = |what: String| Error::Agent { address: address.into(), what };
        let failed = |error: io::Error| refused(format!("it did not greet as agents do: {error}"));
        let stream = connect(None, address, GREETING_TIMEOUT)?;
        stream.set_write_timeout(Some(SILENCE_TIMEOUT)).map_err(failed)?;
        let welcome = greet(&stream, token, bootstrap).map_err(failed)?.map_err(refused)?;
        stream.set_read_timeout(Some(SILENCE_TIMEOUT)).map_err(failed)?;
        let writer = Arc::new(Mutex::new(stream.try_clone().map_err(failed)?));
        let (reports, incoming) = sync_channel(REPORTS_MAX);
        let reading = stream.try_clone().map_err(failed)?;
        spawn("agent-reports", move || read_reports(reading, &reports))?;
        let probing = writer.clone();
        spawn("agent-probes", move || send_probes(&probing))?;
        let mut link = Self {
            address: address.into(),
            welcome,
            writer,
            stream,
            incoming,
            track: OffsetTrack::default(),
            next_correction_ns: i64::MAX,
            lost: None,
        };
        link.estimate_offset()?;
        Ok(link)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it is.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Its clock.
    pub fn track(&self) -> &OffsetTrack {
        &self.track
    }

    /// Why it is gone.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Gives it up.
    pub fn lose(&mut self, what: String) {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.lost.get_or_insert(what);
    }

    /// Tells it something; who cannot be told is lost.
    pub fn order(&mut self, order: &Order) {
        if self.lost.is_none()
            && let Err(error) = send(&self.writer, order)
        {
            self.lose(format!("it takes no orders: {error}"));
        }
    }

    /// The next report, if one has come; probes are dealt with here.
    pub fn next_report(&mut self) -> Option<Report> {
        loop {
            let (returned_ns, outcome) = match self.incoming.try_recv() {
                Ok(arrived) => arrived,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => (0, Err("its connection ended".to_owned())),
            };
            match outcome {
                Ok(Report::Pong { sent_ns, received_ns, answered_ns }) => {
                    let exchange = Exchange { sent_ns, received_ns, answered_ns, returned_ns };
                    if !self.track.note(&exchange) {
                        self.lose("its answer to a probe cannot be true".into());
                    }
                }
                Ok(report) => return Some(report),
                Err(what) => {
                    self.lose(what);
                    break;
                }
            }
        }
        self.correct();
        None
    }

    /// Waits until it has gone after it was told to, so that it is free for the next run.
    pub fn close(&mut self) {
        self.order(&Order::Bye);
        let deadline = Instant::now() + GREETING_TIMEOUT;
        while self.lost.is_none() && Instant::now() < deadline {
            if self.next_report().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn correct(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns >= self.next_correction_ns {
            self.next_correction_ns = now_ns + CORRECTION_PAUSE_NS;
            if let Some(ahead_ns) = self.track.correct(now_ns) {
                self.order(&Order::Correct { ahead_ns });
            }
        }
    }

    fn estimate_offset(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + SILENCE_TIMEOUT;
        while self.track.probes() < FIRST_PROBES {
            self.next_report();
            let late = (Instant::now() > deadline).then(|| "it does not answer probes of its clock".to_owned());
            if let Some(what) = self.lost.clone().or(late) {
                return Err(Error::Agent { address: self.address.clone(), what });
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.next_correction_ns = 0;
        self.correct();
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The threads end with the connection.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The words before work: who is there, who asks, whether that is wanted.
fn greet(stream: &TcpStream, token: Option<&Token>, bootstrap: &str) -> io::Result<Result<Welcome, String>> {
    let greeting = frame::read(&mut UntilDeadline::new(stream, GREETING_TIMEOUT), frame::GREETING_BYTES_MAX)?;
    let greeting: Greeting = frame::decode(&greeting)?;
    if greeting.service != SERVICE {
        return Ok(Err(format!("it calls itself {:?}", greeting.service)));
    }
    if greeting.version != PROTOCOL_VERSION {
        return Ok(Err(format!("it speaks version {}, this program {PROTOCOL_VERSION}", greeting.version)));
    }
    let proof = match (&greeting.nonce, token) {
        (Some(nonce), Some(token)) => Some(token.prove(nonce)),
        (Some(_), None) => return Ok(Err(format!("it wants a token: give --token-file or {TOKEN_VARIABLE}"))),
        (None, _) => None,
    };
    let hello = Hello { version: PROTOCOL_VERSION, proof, bootstrap: bootstrap.into() };
    frame::write(&mut &*stream, &hello)?;
    let reply = frame::read(&mut UntilDeadline::new(stream, GREETING_TIMEOUT), frame::WELCOME_BYTES_MAX)?;
    Ok(match frame::decode(&reply)? {
        Reply::Welcome(welcome) => Ok(*welcome),
        Reply::Refused(reason) => Err(reason),
    })
}

fn read_reports(mut stream: TcpStream, reports: &SyncSender<(i64, Result<Report, String>)>) {
    loop {
        let outcome = frame::read(&mut stream, FRAME_BYTES_MAX);
        let at_ns = monotonic_ns();
        let outcome = outcome.and_then(|frame| frame::decode(&frame)).map_err(|error| why_gone(&error));
        let is_last = outcome.is_err();
        if reports.send((at_ns, outcome)).is_err() || is_last {
            return;
        }
    }
}

fn why_gone(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("it was silent for {} s", SILENCE_TIMEOUT.as_secs())
        }
        io::ErrorKind::UnexpectedEof => "its connection ended".into(),
        _ => error.to_string(),
    }
}

fn send_probes(writer: &Mutex<TcpStream>) {
    for number in 0_u64.. {
        {
            // The clock is read as late as can be; waiting for the writer would be part of the way there.
            let mut stream = writer.lock().unwrap_or_else(PoisonError::into_inner);
            if frame::write(&mut *stream, &Order::Probe { sent_ns: monotonic_ns() }).is_err() {
                return;
            }
        }
        thread::sleep(if number < FIRST_PROBES { FIRST_PROBE_PAUSE } else { PROBE_PAUSE });
    }
}

fn send(writer: &Mutex<TcpStream>, order: &Order) -> io::Result<()> {
    frame::write(&mut *writer.lock().unwrap_or_else(PoisonError::into_inner), order)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(local("cannot start a thread"))
}
