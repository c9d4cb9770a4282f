//! CONTRACT: the door for sockets: one blocking thread accepts for a listener; a [`Socket`] lives on one core and waits on its ring.
//!
//! Memory that the kernel uses stays with its operation until the completion, whoever stops waiting. Deadlines are the
//! caller's: `shutdown` makes parked operations return.
#![allow(
    unsafe_code,
    reason = "queue entries carry raw addresses; the operation that is submitted with them is their keeper"
)]

mod acceptor;
mod sending;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use io_uring::types::Fd;
use io_uring::{cqueue, opcode};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

pub use self::acceptor::{Acceptor, listen, raise_file_descriptor_limit};
use self::sending::{SendEnd, SendGuard, Sending};

/// A connection on a core. Dropping it ends the connection.
pub struct Socket {
    stream: Rc<TcpStream>,
    peer: SocketAddr,
    /// The receive that is under way. It is kept here and not in the future, so that a dropped future loses no bytes.
    receiving: RefCell<Option<InFlightOneshot<Receive, ReceiveEnd>>>,
    /// The poll for the peer's end that is under way: one, however often somebody has begun to wait for it.
    ending: RefCell<Option<InFlightOneshot<Rc<TcpStream>, PollEnd>>>,
    /// A poll said that there is something to receive: the next receive asks for it at once.
    is_ready: Cell<bool>,
    sending: Cell<bool>,
}

impl Socket {
    /// Takes a blocking or non-blocking stream over to this core.
    pub fn from_std(stream: TcpStream) -> io::Result<Self> {
        // A ring parks an operation by itself; O_NONBLOCK would make it report EAGAIN instead.
        stream.set_nonblocking(false)?;
        Ok(Self {
            peer: stream.peer_addr()?,
            stream: Rc::new(stream),
            receiving: RefCell::new(None),
            ending: RefCell::new(None),
            is_ready: Cell::new(false),
            sending: Cell::new(false),
        })
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Returns when there are bytes, an end or an error to receive. An idle connection waits here and owns no buffer.
    pub async fn readable(&self) -> io::Result<()> {
        if self.receiving.borrow().is_some() {
            return Ok(());
        }
        let events = (libc::POLLIN | libc::POLLRDHUP) as u32;
        let entry = opcode::PollAdd::new(self.descriptor(), events).build();
        // The entry has no address in it; the stream is held open by the operation.
        let polled = UnsubmittedOneshot::new(Rc::clone(&self.stream), PollEnd, entry).submit().await;
        // A signal came: the caller's receive waits by itself.
        polled.or_else(|error| if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) })?;
        self.is_ready.set(true);
        Ok(())
    }

    /// Returns when the peer sends no more: it has closed, or the connection broke. What it sent before may still be there to receive.
    pub async fn ended(&self) -> io::Result<()> {
        poll_fn(|context| {
            loop {
                let mut ending = self.ending.borrow_mut();
                let in_flight = ending.get_or_insert_with(|| {
                    let entry = opcode::PollAdd::new(self.descriptor(), libc::POLLRDHUP as u32).build();
                    // The entry has no address in it; the stream is held open by the operation.
                    UnsubmittedOneshot::new(Rc::clone(&self.stream), PollEnd, entry).submit()
                });
                let polled = std::task::ready!(Pin::new(in_flight).poll(context));
                ending.take();
                if !polled.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
                    return Poll::Ready(polled);
                }
            }
        })
        .await
    }

    /// Receives into the spare capacity of `buffer` (there must be some) and gives the count; 0 is the peer's end. If an earlier
    /// receive was dropped before its end, this call waits for that one instead and appends what its buffer held.
    pub async fn recv(&self, mut buffer: BytesMut) -> (io::Result<usize>, BytesMut) {
        loop {
            let (result, returned) = self.recv_once(buffer).await;
            if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
                return (result, returned);
            }
            buffer = returned;
        }
    }

    async fn recv_once(&self, mut buffer: BytesMut) -> (io::Result<usize>, BytesMut) {
        if self.receiving.borrow().is_some() {
            let (result, abandoned) = self.receive_end().await;
            buffer.extend_from_slice(&abandoned);
            return (result.map(|_| abandoned.len()), buffer);
        }
        assert!(buffer.capacity() > buffer.len());
        if self.is_ready.take()
            && let Some(result) = self.receive_at_once(&mut buffer)
        {
            return (result, buffer);
        }
        let spare = buffer.spare_capacity_mut();
        let length = spare.len().min(i32::MAX as usize) as u32;
        // SAFETY (of the address in the entry): it lies in the heap memory of `buffer`, which moves into the operation as its
        // stored data; the runtime keeps that until the completion even if the future is dropped.
        // Test: a_dropped_receive_loses_no_bytes.
        let entry = opcode::Recv::new(self.descriptor(), spare.as_mut_ptr().cast(), length).build();
        let operation = Receive { buffer, _stream: Rc::clone(&self.stream) };
        let in_flight = UnsubmittedOneshot::new(operation, ReceiveEnd, entry).submit();
        *self.receiving.borrow_mut() = Some(in_flight);
        self.receive_end().await
    }

    /// What the poll announced, by a plain call: through the ring it would cost a second round of the runtime. None if it is gone.
    fn receive_at_once(&self, buffer: &mut BytesMut) -> Option<io::Result<usize>> {
        match rustix::net::recv(&*self.stream, buffer.spare_capacity_mut(), RecvFlags::DONTWAIT) {
            Ok(((received, _), _)) => {
                let count = received.len();
                // SAFETY: the kernel initialised `count` bytes from the old length on, and they lie within the capacity.
                unsafe { buffer.set_len(buffer.len() + count) };
                Some(Ok(count))
            }
            Err(Errno::AGAIN) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Sends all pieces in order, as few calls as it takes, without a copy. One send at a time. If the future is dropped in
    /// between, the connection is shut down: half an answer must not be followed by another.
    pub async fn send_all(&self, pieces: Vec<Bytes>) -> io::Result<()> {
        assert!(!self.sending.replace(true), "one send at a time");
        let mut guard = SendGuard { socket: self, finished: false };
        let mut send = Sending::new(Rc::clone(&self.stream), pieces);
        // Most answers are taken whole by a plain call, which saves a round of the runtime; the ring waits for a slow reader.
        let mut result = send.at_once();
        while result.is_ok() && send.prepare() {
            // SAFETY (of the address in the entry): header, vectors and pieces are heap memory owned by `send`, which moves into
            // the operation as its stored data and stays there until the completion.
            // Test: a_large_send_arrives_whole_through_a_slow_reader.
            let entry = opcode::SendMsg::new(self.descriptor(), &raw const *send.header)
                .flags((libc::MSG_NOSIGNAL | libc::MSG_WAITALL) as u32)
                .build();
            let ended = UnsubmittedOneshot::new(send, SendEnd, entry).submit();
            (result, send) = ended.await;
        }
        guard.finished = true;
        result
    }

    /// Ends the connection in both directions; operations that are parked on it return.
    pub fn shutdown(&self) {
        // It fails only where the connection is already gone.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn descriptor(&self) -> Fd {
        Fd(self.stream.as_raw_fd())
    }

    async fn receive_end(&self) -> (io::Result<usize>, BytesMut) {
        let ended = poll_fn(|context| {
            let mut receiving = self.receiving.borrow_mut();
            let in_flight = receiving.as_mut().expect("only its end takes it away");
            Pin::new(in_flight).poll(context)
        })
        .await;
        self.receiving.borrow_mut().take();
        ended
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Operations that nobody waits for hold the descriptor: without this they would keep the connection open for ever.
        self.shutdown();
    }
}

struct PollEnd;

impl OneshotOutputTransform for PollEnd {
    type Output = io::Result<()>;
    type StoredData = Rc<TcpStream>;
    fn transform_oneshot_output(self, _: Rc<TcpStream>, entry: cqueue::Entry) -> io::Result<()> {
        count_of(&entry).map(drop)
    }
}

struct Receive {
    buffer: BytesMut,
    _stream: Rc<TcpStream>,
}

struct ReceiveEnd;

impl OneshotOutputTransform for ReceiveEnd {
    type Output = (io::Result<usize>, BytesMut);
    type StoredData = Receive;
    fn transform_oneshot_output(self, data: Receive, entry: cqueue::Entry) -> Self::Output {
        let mut buffer = data.buffer;
        let result = count_of(&entry);
        if let Ok(count) = result {
            assert!(count <= buffer.capacity() - buffer.len());
            // SAFETY: the kernel initialised `count` bytes from the old length on, and they lie within the capacity.
            unsafe { buffer.set_len(buffer.len() + count) };
        }
        (result, buffer)
    }
}

fn count_of(entry: &cqueue::Entry) -> io::Result<usize> {
    match entry.result() {
        result @ ..0 => Err(io::Error::from_raw_os_error(-result)),
        result => Ok(result as usize),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::io::runtime::{RingSettings, run_on_core};

    fn on_core<F: Future>(make: impl FnOnce() -> F) -> F::Output {
        run_on_core(None, RingSettings::default(), make).expect("a ring")
    }

    fn any_port() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// A connection: the core's end and the test's.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(any_port()).expect("bound");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        (listener.accept().expect("accepted").0, client)
    }

    #[test]
    fn receives_append_to_what_the_buffer_holds() {
        let (server, mut client) = connection();
        on_core(async || {
            let socket = Socket::from_std(server).expect("a socket");
            client.write_all(b"world").expect("written");
            socket.readable().await.expect("readable");
            let mut buffer = BytesMut::with_capacity(64);
            buffer.extend_from_slice(b"hello ");
            let (count, buffer) = socket.recv(buffer).await;
            assert_eq!(count.expect("received"), 5);
            assert_eq!(&buffer[..], b"hello world");
            drop(client);
            socket.readable().await.expect("an end is readable");
            let (count, _) = socket.recv(buffer).await;
            assert_eq!(count.expect("ended"), 0);
        });
    }

    #[test]
    fn a_dropped_receive_loses_no_bytes() {
        let (server, mut client) = connection();
        on_core(async || {
            let socket = Socket::from_std(server).expect("a socket");
            let mut held = BytesMut::with_capacity(64);
            held.extend_from_slice(b"part ");
            tokio::select! {
                biased;
                _ = socket.recv(held) => panic!("nothing was sent"),
                () = tokio::task::yield_now() => {}
            }
            client.write_all(b"rest").expect("written");
            socket.readable().await.expect("readable");
            let (count, buffer) = socket.recv(BytesMut::new()).await;
            assert_eq!(count.expect("received"), 9);
            assert_eq!(&buffer[..], b"part rest");
        });
    }

    #[test]
    fn the_end_of_a_peer_is_noticed_before_its_last_bytes_are_received() {
        let (server, mut client) = connection();
        on_core(async || {
            let socket = Socket::from_std(server).expect("a socket");
            client.write_all(b"last").expect("written");
            socket.readable().await.expect("readable");
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    _ = socket.ended() => panic!("it may send more"),
                    () = tokio::task::yield_now() => {}
                }
            }
            drop(client);
            socket.ended().await.expect("an end");
            let (count, buffer) = socket.recv(BytesMut::with_capacity(8)).await;
            assert_eq!((count.expect("received"), &buffer[..]), (4, &b"last"[..]));
            socket.ended().await.expect("it stays at an end");
        });
    }

    #[test]
    fn a_large_send_arrives_whole_through_a_slow_reader() {
        let (server, mut client) = connection();
        let pieces: Vec<Bytes> =
            (0..3000_u32).map(|piece| Bytes::from(vec![piece as u8; (piece % 7 * 1000) as usize])).collect();
        let expected = pieces.concat();
        let reader = std::thread::spawn(move || {
            let (mut received, mut part) = (Vec::new(), [0; 3001]);
            while let Ok(count @ 1..) = client.read(&mut part) {
                received.extend_from_slice(&part[..count]);
            }
            received
        });
        on_core(async || {
            let socket = Socket::from_std(server).expect("a socket");
            socket.send_all(pieces).await.expect("sent");
        });
        assert!(reader.join().expect("read") == expected);
    }

    #[test]
    fn a_dropped_send_ends_the_connection() {
        let (server, mut client) = connection();
        on_core(async || {
            let socket = Socket::from_std(server).expect("a socket");
            let large = vec![Bytes::from(vec![1; 64 << 20])];
            tokio::select! {
                biased;
                _ = socket.send_all(large) => panic!("nobody reads"),
                () = tokio::task::yield_now() => {}
            }
            assert!(socket.send_all(vec![Bytes::from_static(b"x")]).await.is_err());
        });
        let mut received = Vec::new();
        let _ = client.read_to_end(&mut received);
        assert!(received.len() < 64 << 20);
    }

    #[test]
    fn shutdown_returns_parked_operations() {
        let (server, _client) = connection();
        on_core(async || {
            let socket = Rc::new(Socket::from_std(server).expect("a socket"));
            let parked = Rc::clone(&socket);
            let receive = tokio::task::spawn_local(async move { parked.recv(BytesMut::with_capacity(8)).await.0 });
            tokio::task::yield_now().await;
            socket.shutdown();
            let count = receive.await.expect("no panic");
            assert_eq!(count.expect("an end"), 0);
        });
    }

    #[test]
    fn a_dropped_socket_ends_its_connection_though_a_poll_is_parked() {
        let (server, mut client) = connection();
        on_core(async || {
            let socket = Socket::from_std(server).expect("a socket");
            tokio::select! {
                biased;
                _ = socket.readable() => panic!("nothing was sent"),
                () = tokio::task::yield_now() => {}
            }
            drop(socket);
            assert_eq!(client.read(&mut [0]).expect("an end"), 0);
        });
    }
}
