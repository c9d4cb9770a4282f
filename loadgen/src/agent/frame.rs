//! Frames of the control connection: a length of four bytes, big-endian, then so many bytes of JSON.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The account of a producer of ten thousand partitions takes less than one megabyte, with sixty thousand gaps in one less than three.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What an agent tells of itself, which is not known to be one yet.
pub const WELCOME_BYTES_MAX: usize = 64 * 1024;

/// What a stranger may send before it has shown that it knows the token.
pub const GREETING_BYTES_MAX: usize = 4 * 1024;

/// Writes one frame in one piece.
pub fn write(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let bytes = frame.len() - 4;
    if bytes > FRAME_BYTES_MAX {
        return Err(invalid(format!("a frame of {bytes} bytes is more than the {FRAME_BYTES_MAX} that are accepted")));
    }
    frame[..4].copy_from_slice(&(bytes as u32).to_be_bytes());
    stream.write_all(&frame)
}

/// The bytes of the next frame; a length above `bytes_max` is refused before memory is given.
pub fn read(stream: &mut impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let bytes = u32::from_be_bytes(length) as usize;
    if bytes > bytes_max {
        return Err(invalid(format!("a frame of {bytes} bytes is more than the {bytes_max} that are accepted")));
    }
    // Memory grows with what comes, not with what is announced.
    let mut frame = Vec::new();
    stream.take(bytes as u64).read_to_end(&mut frame)?;
    if frame.len() < bytes { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(frame) }
}

/// What a frame says.
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    serde_json::from_slice(frame).map_err(|error| invalid(format!("a frame is none of ours: {error}")))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A connection whose reads end at one moment, however slowly the other side drips.
#[derive(Debug)]
pub struct UntilDeadline<'s> {
    stream: &'s TcpStream,
    deadline: Instant,
}

impl<'s> UntilDeadline<'s> {
    /// Reads of `stream` for so long.
    pub fn new(stream: &'s TcpStream, limit: Duration) -> Self {
        Self { stream, deadline: Instant::now() + limit }
    }
}

impl Read for UntilDeadline<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_a_cut_one_is_not() {
        let mut wire = Vec::new();
        write(&mut wire, &("hello", 7)).expect("memory takes it");
        let frame = read(&mut wire.as_slice(), GREETING_BYTES_MAX).expect("whole");
        assert_eq!(decode::<(String, u32)>(&frame).expect("our own"), ("hello".to_owned(), 7));
        for length in 0..wire.len() {
            assert!(read(&mut &wire[..length], GREETING_BYTES_MAX).is_err(), "cut to {length}");
        }
        assert!(decode::<u32>(&frame).is_err_and(|error| error.to_string().contains("none of ours")));
    }

    #[test]
    fn a_length_that_lies_is_refused_or_runs_dry_without_its_memory() {
        let too_long = read(&mut &b"GET / HTTP/1.1\r\n\r\n"[..], GREETING_BYTES_MAX).expect_err("not ours");
        assert_eq!(too_long.kind(), ErrorKind::InvalidData);
        let mut wire = (FRAME_BYTES_MAX as u32).to_be_bytes().to_vec();
        wire.extend_from_slice(b"{}");
        let dry = read(&mut wire.as_slice(), FRAME_BYTES_MAX).expect_err("less than announced");
        assert_eq!(dry.kind(), ErrorKind::UnexpectedEof);
    }
}
