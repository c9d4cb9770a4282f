//! A connection: requests in, answers out in request order. Consecutive Produces overlap; any other API waits for the earlier answers.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use engine::io::net::Socket;
use engine::shard::core::Source;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::answer_budget::{AnswerMemory, AnswerTaker};
use crate::api::{self, Begun, Queued};
use crate::broker::Broker;
use crate::frame_reader::{Closed, FrameReader};
use crate::limits::{PENDING_ANSWERS_MAX, SEND_BYTES_TARGET, SEND_STEP_BYTES};
use crate::nodes::Nodes;
use crate::request::{Answer, Call, Refused};
use crate::unserved::Novelty;

/// Who is at the other end, and how this broker is reached from there.
pub struct Client {
    /// The client's address.
    pub peer: SocketAddr,
    /// The nodes of this broker, as its listener advertises them.
    pub nodes: Nodes,
    /// What it appends shares the room of a journal with what others append.
    pub source: Source,
    /// Holds the memory of its answers.
    pub answers: Rc<AnswerTaker>,
}

impl Client {
    /// A client that has just come.
    pub fn new(peer: SocketAddr, nodes: Nodes, source: Source) -> Client {
        Client { peer, nodes, source, answers: Rc::default() }
    }
}

/// An answer in the queue: finished, or a Produce whose batches are on their way.
enum Pending {
    Finished(Answer),
    Produce(Pin<Box<dyn Future<Output = Answer>>>),
}

/// Serves a connection until it ends.
pub async fn serve(broker: Rc<Broker>, socket: Socket, client: Client) {
    let socket = Rc::new(socket);
    let client = Rc::new(client);
    let unanswered = Rc::new(Unanswered::default());
    let (sender, receiver) = mpsc::channel(PENDING_ANSWERS_MAX);
    let stall_deadline = Duration::from_millis(broker.settings.write_stall_deadline_ms);
    let shard = Rc::clone(&broker);
    let mut reading =
        std::pin::pin!(read_requests(broker, Rc::clone(&socket), Rc::clone(&client), sender, Rc::clone(&unanswered)));
    let mut writing = std::pin::pin!(write_answers(
        Sending { socket, broker: Rc::clone(&shard), stall_deadline },
        receiver,
        unanswered
    ));
    let ended = tokio::select! {
        ended = &mut reading => {
            // What was answered before the end still leaves: the reader has dropped its end of the queue.
            tokio::select! {
                written = writing => match written {
                    Ok(()) => ended,
                    Err(failed) => failed,
                },
                () = client.answers.give_up.notified() => Ended::HeldTooLong,
            }
        }
        ended = &mut writing => match ended {
            Ok(()) => reading.await,
            Err(ended) => ended,
        },
        () = client.answers.give_up.notified() => Ended::HeldTooLong,
    };
    shard.metrics.connection_ended(ended.kind());
    log_end(&shard, &client, &ended);
}

/// Why the serving ended.
#[derive(Debug)]
enum Ended {
    /// By the client, the network or a rule for frames.
    Closed(Closed),
    /// A frame that is no request of ours.
    Refused(Refused),
    /// It does not take its answers.
    SlowReader,
    /// It takes its answers so slowly that others had to wait for the memory.
    HeldTooLong,
    /// A Produce with acks=0 failed: closing is the only way to tell.
    Unanswerable(&'static str),
}

impl Ended {
    /// The reason without its particulars, as a metric has it.
    fn kind(&self) -> &'static str {
        match self {
            Ended::Closed(closed) => closed.kind(),
            Ended::Refused(_) => "request refused",
            Ended::SlowReader => "slow reader",
            Ended::HeldTooLong => "answer held too long",
            Ended::Unanswerable(_) => "failed without an answer",
        }
    }

    /// Whether the client did something that an operator should see.
    fn is_suspicious(&self) -> bool {
        match self {
            Ended::Closed(closed) => closed.is_suspicious(),
            Ended::Refused(_) | Ended::SlowReader | Ended::HeldTooLong | Ended::Unanswerable(_) => true,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Closed(closed) => closed.fmt(f),
            Ended::Refused(refused) => refused.fmt(f),
            Ended::SlowReader => f.write_str("it does not take its answers"),
            Ended::HeldTooLong => f.write_str("it takes its answers slowly and others need the memory"),
            Ended::Unanswerable(reason) => f.write_str(reason),
        }
    }
}

async fn read_requests(
    broker: Rc<Broker>,
    socket: Rc<Socket>,
    client: Rc<Client>,
    queue: mpsc::Sender<Pending>,
    unanswered: Rc<Unanswered>,
) -> Ended {
    let mut frames =
        FrameReader::new(socket, Rc::clone(&broker.frame_budget), broker.memory.largest_frame_bytes, &broker.settings);
    loop {
        let frame = match frames.next(broker.drained()).await {
            Ok(frame) => frame,
            Err(closed) => return Ended::Closed(closed),
        };
        broker.metrics.received(frame.len());
        broker.answers.room().await;
        let call = match Call::parse(&broker, &client, frame) {
            Ok(call) => call,
            Err(refused) => return Ended::Refused(refused),
        };
        let (api, began) = (call.api, call.began);
        let pending = match api::begin(call) {
            Ok(Begun::Produce(answer)) => {
                unanswered.add();
                Pending::Produce(answer)
            }
            Ok(Begun::Delayed { queued, is_answered }) => {
                let Queued(answer) = tokio::select! {
                    biased;
                    queued = queued => queued,
                    // Nobody hears what became of it. What is queued already is appended; the rest would hold its memory and the turns of others for nothing.
                    closed = frames.ended(), if is_answered => return Ended::Closed(closed),
                };
                unanswered.add();
                Pending::Produce(answer)
            }
            Ok(Begun::Serial(answer)) => {
                unanswered.none().await;
                match answer.await {
                    Ok(mut answer) => {
                        broker.metrics.request_ended(api, began.elapsed());
                        // Records had theirs before they were read.
                        let bytes = answer.bytes();
                        answer.memory.get_or_insert_with(|| broker.answers.charge(bytes, &client.answers));
                        Pending::Finished(answer)
                    }
                    Err(refused) => return Ended::Refused(refused),
                }
            }
            Err(refused) => return Ended::Refused(refused),
        };
        if queue.send(pending).await.is_err() {
            // The writer has ended and says why.
            return Ended::Closed(Closed::Ended);
        }
    }
}

/// The sending half of a connection.
struct Sending {
    socket: Rc<Socket>,
    broker: Rc<Broker>,
    stall_deadline: Duration,
}

async fn write_answers(
    sending: Sending,
    mut queue: mpsc::Receiver<Pending>,
    unanswered: Rc<Unanswered>,
) -> Result<(), Ended> {
    let mut next = queue.recv().await;
    while let Some(pending) = next {
        let mut gathered = Gathered::default();
        gathered.take(pending.finish(&unanswered).await);
        // Whatever is finished by now leaves in the same send.
        next = None;
        while gathered.bytes < SEND_BYTES_TARGET && gathered.close.is_none() {
            let Ok(mut pending) = queue.try_recv() else { break };
            if let Some(answer) = pending.finish_now(&unanswered).await {
                gathered.take(answer);
            } else {
                next = Some(pending);
                break;
            }
        }
        gathered.send(&sending).await?;
        if next.is_none() {
            next = queue.recv().await;
        }
    }
    Ok(())
}

/// Answers that leave together, with the memory that they hold.
#[derive(Default)]
struct Gathered {
    pieces: Vec<Bytes>,
    bytes: usize,
    memory: Vec<AnswerMemory>,
    close: Option<&'static str>,
}

impl Gathered {
    fn take(&mut self, answer: Answer) {
        self.bytes += answer.bytes();
        self.pieces.extend(answer.pieces);
        self.memory.extend(answer.memory);
        self.close = answer.close;
    }

    /// Sends in steps, so that the deadline is one of progress and not of size.
    async fn send(self, sending: &Sending) -> Result<(), Ended> {
        let mut step = Vec::new();
        let mut step_bytes = 0;
        for mut piece in self.pieces {
            while !piece.is_empty() {
                let part = piece.split_to(piece.len().min(SEND_STEP_BYTES - step_bytes));
                step_bytes += part.len();
                step.push(part);
                if step_bytes == SEND_STEP_BYTES {
                    sending.step(std::mem::take(&mut step)).await?;
                    step_bytes = 0;
                    // A fast reader takes each step at once, and others of this core wait.
                    tokio::task::yield_now().await;
                }
            }
        }
        if !step.is_empty() {
            sending.step(step).await?;
        }
        self.close.map_or(Ok(()), |reason| Err(Ended::Unanswerable(reason)))
    }
}

impl Sending {
    async fn step(&self, pieces: Vec<Bytes>) -> Result<(), Ended> {
        let bytes = pieces.iter().map(Bytes::len).sum();
        match timeout(self.stall_deadline, self.socket.send_all(pieces)).await {
            Err(_) => Err(Ended::SlowReader),
            Ok(Ok(())) => {
                self.broker.metrics.sent(bytes);
                Ok(())
            }
            Ok(Err(error)) => Err(Ended::Closed(Closed::Broken(error))),
        }
    }
}

impl Pending {
    async fn finish(self, unanswered: &Unanswered) -> Answer {
        match self {
            Pending::Finished(answer) => answer,
            Pending::Produce(answer) => {
                let answer = answer.await;
                unanswered.remove();
                answer
            }
        }
    }

    /// The answer, if it is there without waiting. The waker stays registered, so that nothing is missed.
    async fn finish_now(&mut self, unanswered: &Unanswered) -> Option<Answer> {
        let answer = match self {
            Pending::Finished(answer) => return Some(std::mem::take(answer)),
            Pending::Produce(answer) => answer,
        };
        let polled = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        match polled {
            Poll::Ready(answer) => {
                unanswered.remove();
                Some(answer)
            }
            Poll::Pending => None,
        }
    }
}

/// Produces whose answers are not there yet.
#[derive(Default)]
struct Unanswered {
    count: Cell<usize>,
    none_left: Notify,
}

impl Unanswered {
    fn add(&self) {
        self.count.set(self.count.get() + 1);
    }

    fn remove(&self) {
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0 {
            self.none_left.notify_one();
        }
    }

    /// Ends when all are answered. Only the reader waits here, and only it adds.
    async fn none(&self) {
        while self.count.get() > 0 {
            self.none_left.notified().await;
        }
    }
}

/// One of a kind that comes too often for a line each is told when somebody looks for everything.
fn log_end(broker: &Broker, client: &Client, ended: &Ended) {
    let (peer, closing_log) = (client.peer, &broker.closing_log);
    if let Ended::Refused(Refused::Unserved(unserved)) = ended {
        match closing_log.unserved.novelty(peer.ip(), unserved) {
            Novelty::First => {
                tracing::warn!(%peer, client = unserved.client_id, reason = %unserved, "closing a connection, said once a client");
                return;
            }
            Novelty::Told => return tracing::debug!(%peer, reason = %unserved, "closing a connection"),
            Novelty::Unknown => {}
        }
    }
    if !ended.is_suspicious() {
        tracing::debug!(%peer, reason = %ended, "connection ended");
    } else if closing_log.has_line(ended.kind()) {
        tracing::warn!(%peer, reason = %ended, "closing a connection");
    } else {
        tracing::debug!(%peer, reason = %ended, "closing a connection");
    }
}
