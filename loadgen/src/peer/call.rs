//! A blocking connection for the calls around a run, to a broker that speaks lines of text. Every call has a time-out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::connection::connect;
use crate::error::Error;

/// Answers to our calls are small; whoever sends more is not answered with memory.
const BUFFERED_BYTES_MAX: usize = 4 * 1024 * 1024;

const READ_BYTES: usize = 16 * 1024;

/// The connection with what was received and not taken yet.
pub(super) struct Call {
    stream: TcpStream,
    address: String,
    received: Vec<u8>,
}

impl Call {
    pub(super) fn open(address: &str, timeout: Duration) -> Result<Self, Error> {
        let stream = connect(None, address, timeout)?;
        let failed = |source| Error::Io { address: address.into(), source };
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        stream.set_write_timeout(Some(timeout)).map_err(failed)?;
        Ok(Self { stream, address: address.into(), received: Vec::new() })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).map_err(|source| Error::Io { address: self.address.clone(), source })
    }

    /// Takes the next whole thing, as `parse` sees it in what was received: the bytes that it takes and what it says.
    pub(super) fn take<T>(&mut self, parse: impl Fn(&[u8]) -> super::Parsed<T>) -> Result<T, Error> {
        loop {
            match parse(&self.received) {
                Ok(Some((bytes, found))) => {
                    self.received.drain(..bytes);
                    return Ok(found);
                }
                Ok(None) => self.receive()?,
                Err(what) => return Err(self.refused(what)),
            }
        }
    }

    /// What the broker said, as an error.
    pub(super) fn refused(&self, what: impl Into<String>) -> Error {
        Error::Peer { address: self.address.clone(), what: what.into() }
    }

    fn receive(&mut self) -> Result<(), Error> {
        if self.received.len() > BUFFERED_BYTES_MAX {
            return Err(self.refused(format!("sent an answer of more than {BUFFERED_BYTES_MAX} bytes")));
        }
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Error::Peer { address: self.address.clone(), what: "did not answer in time".into() }
            }
            _ => Error::Io { address: self.address.clone(), source },
        };
        let mut chunk = [0; READ_BYTES];
        match self.stream.read(&mut chunk).map_err(failed)? {
            0 => Err(failed(ErrorKind::UnexpectedEof.into())),
            read => {
                self.received.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }
}
