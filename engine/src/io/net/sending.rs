//! `Sending`: the pieces of an answer on their way into a socket, by plain calls and by the ring.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use bytes::Bytes;
use io_uring::cqueue;
use tokio_uring::OneshotOutputTransform;

use super::{Socket, count_of};
use crate::limits::SEND_PIECES_MAX;

/// Pieces on their way, and where they stand.
pub(super) struct Sending {
    pieces: Vec<Bytes>,
    /// Pieces that were sent whole.
    sent: usize,
    vectors: Vec<libc::iovec>,
    pub(super) header: Box<libc::msghdr>,
    stream: Rc<TcpStream>,
}

impl Sending {
    pub(super) fn new(stream: Rc<TcpStream>, pieces: Vec<Bytes>) -> Self {
        // SAFETY: a message header is plain C data for which all zeros means "nothing".
        let header = Box::new(unsafe { std::mem::zeroed::<libc::msghdr>() });
        Self { vectors: Vec::with_capacity(pieces.len().min(SEND_PIECES_MAX)), pieces, sent: 0, header, stream }
    }

    /// Points the header at what is left; false if nothing is.
    pub(super) fn prepare(&mut self) -> bool {
        self.vectors.clear();
        let left = self.pieces[self.sent..].iter();
        let vectors = left
            .filter(|piece| !piece.is_empty())
            .take(SEND_PIECES_MAX)
            .map(|piece| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() });
        self.vectors.extend(vectors);
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
        !self.vectors.is_empty()
    }

    /// Sends what the socket takes without waiting.
    pub(super) fn at_once(&mut self) -> io::Result<()> {
        if !self.prepare() {
            return Ok(());
        }
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: header, vectors and pieces are owned by `self` and outlive the call, which keeps none of the addresses.
        let sent = unsafe { libc::sendmsg(self.stream.as_raw_fd(), &raw const *self.header, flags) };
        match usize::try_from(sent) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.advance(count);
                Ok(())
            }
            Err(_) => match io::Error::last_os_error() {
                error if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
                error => Err(error),
            },
        }
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.pieces.get_mut(self.sent) {
            if piece.len() > count {
                let _ = piece.split_to(count);
                return;
            }
            count -= piece.len();
            *piece = Bytes::new();
            self.sent += 1;
        }
        assert_eq!(count, 0, "the kernel sends no more than it was given");
    }
}

/// What the ring gives back with a send.
pub(super) struct SendEnd;

impl OneshotOutputTransform for SendEnd {
    type Output = (io::Result<()>, Sending);
    type StoredData = Sending;
    fn transform_oneshot_output(self, mut send: Sending, entry: cqueue::Entry) -> Self::Output {
        let result = match count_of(&entry) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                send.advance(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        };
        (result, send)
    }
}

/// Ends the connection of a send that was given up half-way.
pub(super) struct SendGuard<'a> {
    pub(super) socket: &'a Socket,
    pub(super) finished: bool,
}

impl Drop for SendGuard<'_> {
    fn drop(&mut self) {
        self.socket.sending.set(false);
        if !self.finished {
            self.socket.shutdown();
        }
    }
}
