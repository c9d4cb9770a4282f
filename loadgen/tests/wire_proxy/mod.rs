//! Sits between a client and a real broker and does one thing wrong, once, to a frame that it understands.
//!
//! Answers leave in the order of the requests, as Kafka's rule is, also those that the proxy makes up.

mod tamper;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use protocol::api_key::ApiKey;
use protocol::header::RequestHeader;
use protocol::reader::Reader;

/// What goes wrong. A produce fault happens to the request of the given number, counted over all connections; a fault of what
/// is fetched to the first answer of several batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// The broker never gets it, and it is acknowledged.
    DropProduce(u64),
    /// The broker gets it twice.
    DoubleProduce(u64),
    /// The broker gets it after the next one.
    SwapProduce(u64),
    /// A bit of its payload flips; the batch's CRC is made right again, or not.
    FlipProduce(u64, Seal),
    /// Its answer never comes, nor any other on that connection.
    Silence(u64),
    /// A batch is not in the answer.
    DropFetched,
    /// A batch is in it twice.
    DoubleFetched,
    /// Two batches change places, with the offsets of the places.
    SwapFetched,
    /// A bit of a batch's payload flips.
    FlipFetched(Seal),
    /// All batches claim to begin at offset 0.
    WrongOffsets,
}

/// Whether the CRC of a batch hides what was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    Mended,
    Broken,
}

struct Proxy {
    broker: String,
    port: u16,
    fault: WireFault,
    produce_requests: AtomicU64,
    /// 1 once a fault of what is fetched has happened.
    fetched_faults: AtomicU64,
}

/// What the next frame of the broker answers.
struct Expected {
    api: Option<ApiKey>,
    version: i16,
    fate: Fate,
}

#[derive(Clone, PartialEq, Eq)]
enum Fate {
    Pass,
    /// The client did not ask for it.
    Swallow,
    /// It goes out behind the next one.
    Hold,
    /// Not the broker's: it goes out in its turn.
    MadeUp(Vec<u8>),
}

struct Connection {
    proxy: Arc<Proxy>,
    client: TcpStream,
    broker: TcpStream,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    expected: VecDeque<Expected>,
    held: Option<Vec<u8>>,
    silent: bool,
}

/// Starts a proxy in front of `broker`; its address. It lives as long as the process.
pub fn start(broker: &str, fault: WireFault) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let proxy = Arc::new(Proxy {
        broker: broker.to_owned(),
        port,
        fault,
        produce_requests: AtomicU64::new(0),
        fetched_faults: AtomicU64::new(0),
    });
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(broker) = TcpStream::connect(&proxy.broker) else { continue };
            let (proxy, answers) = (proxy.clone(), Mutex::default());
            let connection = Arc::new(Connection { proxy, client, broker, answers });
            let other = connection.clone();
            thread::spawn(move || other.end_after(Connection::carry_requests));
            thread::spawn(move || connection.end_after(Connection::carry_answers));
        }
    });
    format!("127.0.0.1:{port}")
}

impl Connection {
    fn end_after(&self, carry: fn(&Self) -> io::Result<()>) {
        // When one side has gone, so does the other.
        let _ = carry(self);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
    }

    fn carry_requests(&self) -> io::Result<()> {
        let mut held_back = None;
        loop {
            let mut frame = read_frame(&self.client)?;
            let header = RequestHeader::decode(&mut Reader::new(&frame[4..])).map_err(io::Error::other)?;
            let (api, version) = (ApiKey::from_i16(header.api_key), header.api_version);
            if api != Some(ApiKey::Produce) {
                self.forward(&frame, api, version, Fate::Pass)?;
                continue;
            }
            let number = self.proxy.produce_requests.fetch_add(1, Ordering::Relaxed);
            match self.proxy.fault {
                WireFault::DropProduce(at) if at == number => {
                    let answer = tamper::acknowledgement(&frame, version, header.correlation_id);
                    self.expect(api, version, Fate::MadeUp(answer));
                    self.release()?;
                }
                WireFault::DoubleProduce(at) if at == number => {
                    self.forward(&frame, api, version, Fate::Pass)?;
                    self.forward(&frame, api, version, Fate::Swallow)?;
                }
                WireFault::SwapProduce(at) if at == number => held_back = Some(frame),
                WireFault::SwapProduce(_) if held_back.is_some() => {
                    self.forward(&frame, api, version, Fate::Hold)?;
                    self.forward(&held_back.take().expect("checked"), api, version, Fate::Pass)?;
                }
                WireFault::FlipProduce(at, seal) if at == number => {
                    tamper::flip_produced(&mut frame, version, seal);
                    self.forward(&frame, api, version, Fate::Pass)?;
                }
                WireFault::Silence(at) if at == number => {
                    self.answers().silent = true;
                    self.forward(&frame, api, version, Fate::Pass)?;
                }
                _ => self.forward(&frame, api, version, Fate::Pass)?,
            }
        }
    }

    fn carry_answers(&self) -> io::Result<()> {
        loop {
            let mut frame = read_frame(&self.broker)?;
            let mut answers = self.answers();
            let Some(expected) = answers.expected.pop_front() else { return Ok(()) };
            match expected.api {
                Some(ApiKey::Metadata) => frame = tamper::lead_to_port(&frame, expected.version, self.proxy.port),
                Some(ApiKey::Fetch) => {
                    let unused = self.proxy.fetched_faults.load(Ordering::Relaxed) == 0;
                    let every = self.proxy.fault == WireFault::WrongOffsets;
                    if let Some(tampered) = tamper::fetched(&frame, expected.version, self.proxy.fault)
                        && (unused || every)
                    {
                        self.proxy.fetched_faults.store(1, Ordering::Relaxed);
                        frame = tampered;
                    }
                }
                _ => {}
            }
            match expected.fate {
                _ if answers.silent => {}
                Fate::Swallow => {}
                Fate::Hold => answers.held = Some(frame),
                Fate::Pass | Fate::MadeUp(_) => {
                    (&self.client).write_all(&frame)?;
                    if let Some(held) = answers.held.take() {
                        (&self.client).write_all(&held)?;
                    }
                }
            }
            drop(answers);
            self.release()?;
        }
    }

    /// Sends made-up answers whose turn has come.
    fn release(&self) -> io::Result<()> {
        let mut answers = self.answers();
        while let Some(Expected { fate: Fate::MadeUp(answer), .. }) = answers.expected.front() {
            (&self.client).write_all(answer)?;
            answers.expected.pop_front();
        }
        Ok(())
    }

    fn forward(&self, frame: &[u8], api: Option<ApiKey>, version: i16, fate: Fate) -> io::Result<()> {
        self.expect(api, version, fate);
        (&self.broker).write_all(frame)
    }

    fn expect(&self, api: Option<ApiKey>, version: i16, fate: Fate) {
        self.answers().expected.push_back(Expected { api, version, fate });
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame with its length.
fn read_frame(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame)?;
    let bytes = i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes < 128 << 20).ok_or(io::ErrorKind::InvalidData)?;
    frame.resize(4 + bytes, 0);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}
