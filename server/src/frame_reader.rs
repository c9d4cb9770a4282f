//! `FrameReader`: whole request frames from a socket. Memory is granted before a body is read, the buffer grows with the bytes that came, and a
//! connection that waits for its next frame owns none.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engine::io::net::Socket;
use tokio::time::{Instant, timeout_at};

use crate::config::Settings;
use crate::frame_budget::{FrameBudget, FrameMemory};
use crate::limits::{RECEIVE_BYTES_FIRST, RECEIVE_BYTES_PROVEN_MAX, REQUEST_BYTES_MIN, SMALL_FRAME_PARTS};

const LENGTH_BYTES: usize = 4;

/// Why a connection ends.
#[derive(Debug)]
pub enum Closed {
    /// The client ended it between frames.
    Ended,
    /// The client ended it inside a frame.
    EndedInFrame,
    /// The connection broke.
    Broken(io::Error),
    /// Nothing came for `connections.max.idle.ms`.
    Idle,
    /// A frame was begun and not finished in time.
    FrameDeadline,
    /// The length is negative, too small or above `socket.request.max.bytes`.
    FrameLength {
        /// As claimed.
        length: i32,
        /// What the first bytes look like.
        looks_like: &'static str,
    },
    /// The broker stops.
    Stopping,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::Ended => f.write_str("the client ended it"),
            Closed::EndedInFrame => f.write_str("the client ended it inside a frame"),
            Closed::Broken(error) => write!(f, "the connection broke: {error}"),
            Closed::Idle => f.write_str("it was idle for connections.max.idle.ms"),
            Closed::FrameDeadline => {
                f.write_str("a frame was not whole posthaste.frame.deadline.ms after its first byte")
            }
            Closed::FrameLength { length, looks_like } => {
                write!(f, "frame length {length} is not acceptable{looks_like}")
            }
            Closed::Stopping => f.write_str("the broker stops"),
        }
    }
}

impl Closed {
    /// The reason without its particulars, as a metric has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Closed::Ended => "client ended",
            Closed::EndedInFrame => "client ended inside a frame",
            Closed::Broken(_) => "broken",
            Closed::Idle => "idle",
            Closed::FrameDeadline => "frame deadline",
            Closed::FrameLength { .. } => "frame length",
            Closed::Stopping => "stopping",
        }
    }

    /// Whether the client did something that an operator should see.
    pub fn is_suspicious(&self) -> bool {
        matches!(self, Closed::EndedInFrame | Closed::FrameDeadline | Closed::FrameLength { .. })
    }
}

/// The receiving half of a connection.
pub struct FrameReader {
    socket: Rc<Socket>,
    budget: Rc<FrameBudget>,
    frame_bytes_max: usize,
    idle: Duration,
    frame_deadline: Duration,
    buffer: BytesMut,
    /// A client that has sent such a frame whole, its length included, is given a buffer of this size at once.
    largest_frame: usize,
}

impl FrameReader {
    /// Reads from `socket` frames of at most `frame_bytes_max`; its buffers are taken from `budget`.
    pub fn new(
        socket: Rc<Socket>,
        budget: Rc<FrameBudget>,
        frame_bytes_max: usize,
        settings: &Settings,
    ) -> FrameReader {
        FrameReader {
            socket,
            budget,
            frame_bytes_max,
            idle: Duration::from_millis(settings.connections_max_idle_ms),
            frame_deadline: Duration::from_millis(settings.frame_deadline_ms),
            buffer: BytesMut::new(),
            largest_frame: 0,
        }
    }

    /// The next frame as it came, without its length; its slices hold its memory. `stop` ends the wait between frames.
    pub async fn next(&mut self, stop: impl Future<Output = ()>) -> Result<Bytes, Closed> {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            tokio::select! {
                biased;
                () = stop => return Err(Closed::Stopping),
                ready = tokio::time::timeout(self.idle, self.socket.readable()) => match ready {
                    Err(_) => return Err(Closed::Idle),
                    Ok(ready) => ready.map_err(Closed::Broken)?,
                },
            }
        }
        let started_inside = !self.buffer.is_empty();
        let mut memory = FrameMemory::default();
        let mut deadline = Instant::now() + self.frame_deadline;
        self.fill(LENGTH_BYTES, &mut deadline, &mut memory, started_inside).await?;
        let length = self.frame_length()?;
        self.fill(LENGTH_BYTES + length, &mut deadline, &mut memory, true).await?;
        self.largest_frame = self.largest_frame.max(LENGTH_BYTES + length);
        let frame = self.buffer.split_to(LENGTH_BYTES + length).freeze().slice(LENGTH_BYTES..);
        if length > RECEIVE_BYTES_FIRST / SMALL_FRAME_PARTS {
            return Ok(memory.hold(frame));
        }
        // It may wait long for its answer, and would hold a buffer many times its size.
        memory.shrink(length);
        let frame = memory.hold(Bytes::copy_from_slice(&frame));
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(frame)
    }

    /// Ends when the client sends no more, whether all of what it sent was read or not.
    pub async fn ended(&self) -> Closed {
        match self.socket.ended().await {
            Ok(()) => Closed::Ended,
            Err(error) => Closed::Broken(error),
        }
    }

    fn frame_length(&self) -> Result<usize, Closed> {
        let first = self.buffer.first_chunk::<LENGTH_BYTES>().expect("fill gave this many");
        let length = i32::from_be_bytes(*first);
        match usize::try_from(length) {
            Ok(bytes) if (REQUEST_BYTES_MIN..=self.frame_bytes_max).contains(&bytes) => Ok(bytes),
            _ => Err(Closed::FrameLength { length, looks_like: looks_like(*first) }),
        }
    }

    /// Never straight from the prefix: twice what came already, or what this client has proven to send.
    fn buffer_target(&self, needed: usize) -> usize {
        if needed <= LENGTH_BYTES {
            return RECEIVE_BYTES_FIRST.max(self.largest_frame.min(RECEIVE_BYTES_PROVEN_MAX));
        }
        needed.min((self.buffer.len() * 2).max(self.largest_frame * 2).max(RECEIVE_BYTES_FIRST))
    }

    /// Receives until `needed` bytes are there. Waiting for memory is our doing and does not count against the deadline.
    async fn fill(
        &mut self,
        needed: usize,
        deadline: &mut Instant,
        memory: &mut FrameMemory,
        inside_frame: bool,
    ) -> Result<(), Closed> {
        while self.buffer.len() < needed {
            let target = self.buffer_target(needed);
            let asked_at = Instant::now();
            self.budget.grow(memory, target).await;
            *deadline += asked_at.elapsed();
            self.buffer.reserve(target - self.buffer.len());
            let buffer = std::mem::take(&mut self.buffer);
            let (received, buffer) =
                timeout_at(*deadline, self.socket.recv(buffer)).await.map_err(|_| Closed::FrameDeadline)?;
            let was_empty = buffer.is_empty();
            self.buffer = buffer;
            match received {
                Ok(0) if was_empty && !inside_frame => return Err(Closed::Ended),
                Ok(0) => return Err(Closed::EndedInFrame),
                Ok(_) => {}
                Err(error) => return Err(Closed::Broken(error)),
            }
        }
        Ok(())
    }
}

/// What garbage most often is, so that the log tells the operator what to change.
fn looks_like(first: [u8; LENGTH_BYTES]) -> &'static str {
    match &first {
        [0x16, 0x03, ..] | [0x80, _, 0x01, _] => "; it looks like a TLS handshake: this listener speaks plain text",
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"OPTI" | b"DELE" | b"PRI " | b"CONN" => {
            "; it looks like an HTTP request: this port speaks the Kafka protocol"
        }
        b"SSH-" => "; it looks like an SSH client: this port speaks the Kafka protocol",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_named() {
        assert!(looks_like(*b"GET ").contains("HTTP"));
        assert!(looks_like([0x16, 0x03, 0x01, 0x02]).contains("TLS"));
        assert_eq!(looks_like([0, 0, 0, 9]), "");
    }
}
