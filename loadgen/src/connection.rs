//! One non-blocking socket to one broker: frames in, bounded; slices out, as many a call as the kernel takes.
//!
//! Socket buffers are left to the kernel: it grows them to megabytes by itself, and setting a size would stop that and
//! cap it at `net.core.wmem_max`.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as BlockingStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::cluster::CALL_TIMEOUT;
use crate::error::Error;
use crate::sasl::Login;

/// The length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// Read space kept at the end of what was received.
const READ_BYTES_MIN: usize = 64 * 1024;

/// The same where no frame tells how much is on its way.
const UNFRAMED_READ_BYTES_MIN: usize = 4 * READ_BYTES_MIN;

/// Connects within `timeout`, and proves our name where we have one.
pub fn connect(login: Option<&Login>, address: &str, timeout: Duration) -> Result<BlockingStream, Error> {
    let mut stream = reach(address, timeout)?;
    if let Some(login) = login {
        let limited = stream.set_read_timeout(Some(timeout)).and_then(|()| stream.set_write_timeout(Some(timeout)));
        limited.map_err(|source| Error::Io { address: address.into(), source })?;
        login.authenticate(&mut stream, address)?;
    }
    Ok(stream)
}

/// Tries every address of the name.
fn reach(address: &str, timeout: Duration) -> Result<BlockingStream, Error> {
    let failed = |source| Error::Connect { address: address.into(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in address.to_socket_addrs().map_err(failed)?.collect::<Vec<SocketAddr>>() {
        match BlockingStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// Connects and registers under `token`, and gives the two directions to two owners. Frames above `frame_bytes_max`
/// are refused before memory is given.
pub fn open(
    address: &str,
    login: Option<&Login>,
    frame_bytes_max: usize,
    registry: &Registry,
    token: Token,
) -> Result<(Sender, Receiver), Error> {
    let stream = connect(login, address, CALL_TIMEOUT)?;
    let failed = |source| Error::Io { address: address.into(), source };
    stream.set_nonblocking(true).map_err(failed)?;
    let peer = stream.peer_addr().map_err(failed)?;
    let mut stream = TcpStream::from_std(stream);
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).map_err(failed)?;
    let socket = Arc::new(Socket { stream, peer, address: address.into() });
    let receiver =
        Receiver { socket: socket.clone(), frame_bytes_max, buffer: vec![0; READ_BYTES_MIN], taken: 0, filled: 0 };
    Ok((Sender { socket }, receiver))
}

/// Begins a new connection in place of a lost one, without waiting for it: until it stands nothing can be written or read,
/// and when it cannot be made the next read says so.
pub fn reopen(sender: &mut Sender, receiver: &mut Receiver, registry: &Registry, token: Token) -> Result<(), Error> {
    let (peer, address) = (sender.socket.peer, sender.socket.address.clone());
    begin(sender, receiver, (peer, address), registry, token)
}

/// The same to another address. Looking up a name would block, so brokers that move should go by numbers.
pub fn redirect(
    sender: &mut Sender,
    receiver: &mut Receiver,
    address: &str,
    registry: &Registry,
    token: Token,
) -> Result<(), Error> {
    if address == sender.socket.address {
        return reopen(sender, receiver, registry, token);
    }
    let failed = |source| Error::Connect { address: address.into(), source };
    let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let peer = address.to_socket_addrs().map_err(failed)?.next().ok_or_else(nowhere).map_err(failed)?;
    begin(sender, receiver, (peer, address.to_owned()), registry, token)
}

fn begin(
    sender: &mut Sender,
    receiver: &mut Receiver,
    (peer, address): (SocketAddr, String),
    registry: &Registry,
    token: Token,
) -> Result<(), Error> {
    let connect = || {
        let mut stream = TcpStream::connect(peer)?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(stream)
    };
    let stream = connect().map_err(|source| Error::Io { address: address.clone(), source })?;
    sender.socket = Arc::new(Socket { stream, peer, address });
    receiver.socket = sender.socket.clone();
    // Half a frame of the old connection is never completed by the new one.
    (receiver.taken, receiver.filled) = (0, 0);
    Ok(())
}

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// Where the first connection led: a name is looked up once, since looking up blocks.
    peer: SocketAddr,
    address: String,
}

impl Socket {
    fn failed(&self, source: io::Error) -> Error {
        Error::Io { address: self.address.clone(), source }
    }
}

/// The outgoing direction.
#[derive(Debug)]
pub struct Sender {
    socket: Arc<Socket>,
}

impl Sender {
    /// Closes the connection in both directions.
    pub fn shut(&self) {
        // One that is gone already is what is wanted.
        let _ = self.socket.stream.shutdown(Shutdown::Both);
    }

    /// Writes as much as the kernel takes at once; 0 means that the socket will become writable later.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> Result<usize, Error> {
        loop {
            match (&self.socket.stream).write_vectored(slices) {
                Ok(0) => return Err(self.socket.failed(io::ErrorKind::WriteZero.into())),
                Ok(written) => return Ok(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) => return Err(self.socket.failed(error)),
            }
        }
    }
}

/// The incoming direction with its buffer.
#[derive(Debug)]
pub struct Receiver {
    socket: Arc<Socket>,
    frame_bytes_max: usize,
    buffer: Vec<u8>,
    /// Frames start here...
    taken: usize,
    /// ...and received bytes end here.
    filled: usize,
}

impl Receiver {
    /// The broker's address.
    pub fn address(&self) -> &str {
        &self.socket.address
    }

    /// Reads until a frame is complete or the socket is dry; the frame without its length.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            let needed = self.needed_bytes()?;
            if needed > LENGTH_BYTES && self.filled - self.taken >= needed {
                let start = self.taken + LENGTH_BYTES;
                self.taken += needed;
                return Ok(Some(&self.buffer[start..self.taken]));
            }
            if !self.receive(needed)? {
                return Ok(None);
            }
        }
    }

    /// What was received and not taken yet, for a protocol without frames.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.taken..self.filled]
    }

    /// Takes the first of the unread bytes.
    pub fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.filled - self.taken, "only what was received is taken");
        self.taken += bytes;
    }

    /// Reads once, for a protocol without frames; false when the socket is dry. Something that does not end within the frame's
    /// limit is refused.
    pub fn read_more(&mut self) -> Result<bool, Error> {
        let unread = self.filled - self.taken;
        if unread > self.frame_bytes_max {
            let what = format!("sent something of more than {} bytes", self.frame_bytes_max);
            return Err(Error::Peer { address: self.address().into(), what });
        }
        self.receive(unread + UNFRAMED_READ_BYTES_MIN)
    }

    /// Bytes of the next frame with its length; those of the length as long as that is unknown.
    fn needed_bytes(&self) -> Result<usize, Error> {
        let Some(length) = self.buffer[self.taken..self.filled].first_chunk() else { return Ok(LENGTH_BYTES) };
        let length = i32::from_be_bytes(*length);
        match usize::try_from(length) {
            Ok(bytes) if (4..=self.frame_bytes_max).contains(&bytes) => Ok(LENGTH_BYTES + bytes),
            _ => Err(Error::FrameLength { address: self.address().into(), length, max: self.frame_bytes_max }),
        }
    }

    /// One read; false when the socket is dry.
    fn receive(&mut self, needed: usize) -> Result<bool, Error> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        }
        let room_for = needed.max(READ_BYTES_MIN);
        if self.buffer.len() - self.taken < room_for {
            self.buffer.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
            if self.buffer.len() < room_for {
                self.buffer.resize(room_for, 0);
            }
        }
        loop {
            match (&self.socket.stream).read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(self.socket.failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => {
                    self.filled += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(self.socket.failed(error)),
            }
        }
    }
}
