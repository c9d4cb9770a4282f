//! CONTRACT: the door for sockets: one blocking thread accepts for a listener; a [`Socket`] lives on one core and uses its ring.
//!
//! Memory that the kernel uses stays with its operation until the completion, whoever stops waiting. Deadlines are the
//! caller's: `shutdown` makes parked operations return.
#![allow(
    unsafe_code,
    reason = "queue entries carry raw addresses; the operation that is submitted with them is their keeper"
)]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use io_uring::types::Fd;
use io_uring::{cqueue, opcode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

use crate::limits::{ACCEPT_BACKLOG, ACCEPT_PAUSE_MS, SEND_PIECES_MAX};

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

/// A connection on a core. Dropping it ends the connection.
pub struct Socket {
    stream: Rc<TcpStream>,
    peer: SocketAddr,
    /// The receive that is under way. It is kept here and not in the future, so that a dropped future loses no bytes.
    receiving: RefCell<Option<InFlightOneshot<Receive, ReceiveEnd>>>,
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
        UnsubmittedOneshot::new(Rc::clone(&self.stream), PollEnd, entry).submit().await
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

    /// Sends all pieces in order, as few calls as it takes, without a copy. One send at a time. If the future is dropped in
    /// between, the connection is shut down: half an answer must not be followed by another.
    pub async fn send_all(&self, pieces: Vec<Bytes>) -> io::Result<()> {
        assert!(!self.sending.replace(true), "one send at a time");
        let mut guard = SendGuard { socket: self, finished: false };
        let mut send = Sending::new(Rc::clone(&self.stream), pieces);
        let mut result = Ok(());
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

struct SendGuard<'a> {
    socket: &'a Socket,
    finished: bool,
}

impl Drop for SendGuard<'_> {
    fn drop(&mut self) {
        self.socket.sending.set(false);
        if !self.finished {
            self.socket.shutdown();
        }
    }
}

struct PollEnd;

impl OneshotOutputTransform for PollEnd {
    type Output = io::Result<()>;
    type StoredData = Rc<TcpStream>;
    fn transform_oneshot_output(self, _: Rc<TcpStream>, entry: cqueue::Entry) -> io::Result<()> {
        match count_of(&entry) {
            // A signal came: the caller's receive waits by itself.
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
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

/// Pieces on their way, and where they stand.
struct Sending {
    pieces: Vec<Bytes>,
    /// Pieces that were sent whole.
    sent: usize,
    vectors: Vec<libc::iovec>,
    header: Box<libc::msghdr>,
    _stream: Rc<TcpStream>,
}

impl Sending {
    fn new(stream: Rc<TcpStream>, pieces: Vec<Bytes>) -> Self {
        // SAFETY: a message header is plain C data for which all zeros means "nothing".
        let header = Box::new(unsafe { std::mem::zeroed::<libc::msghdr>() });
        Self {
            vectors: Vec::with_capacity(pieces.len().min(SEND_PIECES_MAX)),
            pieces,
            sent: 0,
            header,
            _stream: stream,
        }
    }

    /// Points the header at what is left; false if nothing is.
    fn prepare(&mut self) -> bool {
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

struct SendEnd;

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

fn count_of(entry: &cqueue::Entry) -> io::Result<usize> {
    match entry.result() {
        result @ ..0 => Err(io::Error::from_raw_os_error(-result)),
        result => Ok(result as usize),
    }
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
    use std::io::{Read, Write};
    use std::sync::mpsc;

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

    #[test]
    fn the_descriptor_limit_never_falls() {
        let (before, after) = raise_file_descriptor_limit();
        assert!(after >= before);
        assert_eq!(raise_file_descriptor_limit(), (after, after));
    }
}
