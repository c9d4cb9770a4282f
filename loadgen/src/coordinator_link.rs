//! The connection to the coordinator of a group or of transactions: one question at a time. Where it is, is asked again when it
//! moves.

use std::io::IoSlice;
use std::time::Duration;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::header::RequestHeader;
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{Request, frame};

use crate::client::CLIENT_ID;
use crate::cluster::{CALL_TIMEOUT, Coordinated, Topic, find_coordinator, socket_address};
use crate::connection::{self, Receiver, Sender};
use crate::error::Error;
use crate::outage::Outage;

/// A leader's answer names every member; a thousand of them with their subscriptions stay below this.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The newest version that asks for one coordinator.
const FIND_VERSION_MAX: i16 = 3;

/// Kafka's `retry.backoff.ms`.
const RETRY_BACKOFF_NS: u64 = 100_000_000;

/// A coordinator is found by then, or the broker has none.
const SEEK_TIMEOUT: Duration = Duration::from_secs(60);

/// The connection to a coordinator, which is asked questions of one kind.
#[derive(Debug)]
pub struct CoordinatorLink<Q> {
    subject: Coordinated,
    sender: Sender,
    receiver: Receiver,
    token: Token,
    /// Where it leads.
    address: String,
    /// Of the brokers, who is asked next for the coordinator when this connection is lost.
    next_broker: usize,
    is_at_coordinator: bool,
    seeks_since_ns: Option<u64>,
    seek_at_ns: u64,
    outage: Outage,
    pending: Option<Pending<Q>>,
    request: Vec<u8>,
    written_bytes: usize,
    correlation_id: i32,
}

#[derive(Debug)]
struct Pending<Q> {
    /// `None` asks for the coordinator.
    question: Option<Q>,
    api: ApiKey,
    version: i16,
    sent_ns: u64,
    limit: Duration,
}

/// A request on its way.
#[derive(Debug)]
pub struct Letter {
    /// What it asks for.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// The frame, to be numbered.
    pub bytes: Vec<u8>,
    /// An answer may take so much longer than any other.
    pub patience: Duration,
}

impl Letter {
    /// Frames a request.
    pub fn new<'q, Q: Request<'q>>(request: &Q, version: i16) -> Self {
        let (api_key, client_id) = (Q::API as i16, Some(CLIENT_ID));
        let header = RequestHeader { api_key, api_version: version, correlation_id: 0, client_id };
        let bytes = frame::encode_request(&header, request).concat();
        Self { api: Q::API, version, bytes, patience: Duration::ZERO }
    }
}

/// An answer with its question.
#[derive(Debug)]
pub struct Answered<Q> {
    /// What was asked.
    pub question: Q,
    /// In which version.
    pub version: i16,
    /// When the question was written.
    pub sent_ns: u64,
    /// What was answered.
    pub bytes: Vec<u8>,
}

/// Behind length, key and version.
const CORRELATION_ID_AT: usize = 8;

impl<Q> CoordinatorLink<Q> {
    /// Finds the coordinator and connects to it.
    pub fn open(subject: Coordinated, topic: &Topic, registry: &Registry, token: Token) -> Result<Self, Error> {
        let login = topic.login.as_deref();
        let address = find_coordinator(login, &topic.brokers[0], &subject)?;
        let (sender, receiver) = connection::open(&address, login, ANSWER_BYTES_MAX, registry, token)?;
        Ok(Self {
            subject,
            sender,
            receiver,
            token,
            address,
            next_broker: 0,
            is_at_coordinator: true,
            seeks_since_ns: None,
            seek_at_ns: 0,
            outage: Outage::default(),
            pending: None,
            request: Vec::new(),
            written_bytes: 0,
            correlation_id: 0,
        })
    }

    /// Whether a question may be asked.
    pub fn is_free(&self) -> bool {
        self.pending.is_none() && self.is_at_coordinator && !self.outage.is_down()
    }

    /// Where the coordinator was found last.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a question.
    pub fn ask(&mut self, question: Q, letter: Letter, now_ns: u64) -> Result<(), Error> {
        self.send(Some(question), letter, now_ns)
    }

    /// The coordinator is elsewhere, or not ready.
    pub fn seek(&mut self, now_ns: u64) {
        self.is_at_coordinator = false;
        self.seeks_since_ns.get_or_insert(now_ns);
        self.seek_at_ns = now_ns + RETRY_BACKOFF_NS;
    }

    /// Asks for the coordinator when that is due; an error when an answer is overdue.
    pub fn tend(&mut self, topic: &Topic, now_ns: u64) -> Result<(), Error> {
        self.check(now_ns)?;
        let may_seek = self.pending.is_none() && !self.outage.is_down() && now_ns >= self.seek_at_ns;
        if self.is_at_coordinator || !may_seek {
            return Ok(());
        }
        let version = topic.versions.choose(ApiKey::FindCoordinator, FIND_VERSION_MAX)?;
        let (key, key_type) = (self.subject.key(), self.subject.key_type());
        let request = FindCoordinatorRequest { key, key_type, ..FindCoordinatorRequest::default() };
        self.send(None, Letter::new(&request, version), now_ns)
    }

    /// Hands over what waits and takes an answer that has come; those to the search for the coordinator stay here.
    pub fn exchange(&mut self, registry: &Registry, now_ns: u64) -> Result<Option<Answered<Q>>, Error> {
        if self.outage.is_down() {
            return Ok(None);
        }
        self.flush()?;
        let Self { receiver, pending, address, correlation_id, outage, .. } = self;
        let Some(bytes) = receiver.next_frame()? else { return Ok(None) };
        let wrong = |api, what| Error::Answer { api, address: address.clone(), what };
        let Some(pending) = pending.take() else { return Err(wrong(ApiKey::FindCoordinator, "there was no request")) };
        if bytes.get(..4) != Some(&correlation_id.to_be_bytes()) {
            return Err(wrong(pending.api, "a foreign correlation id"));
        }
        outage.note_answer();
        let Pending { question, api, version, sent_ns, .. } = pending;
        if let Some(question) = question {
            // Answers of coordinators are few and small.
            return Ok(Some(Answered { question, version, sent_ns, bytes: bytes.to_vec() }));
        }
        let decoded = frame::decode_response::<FindCoordinatorResponse<'_>>(bytes, api, version);
        let (_, response) = decoded.map_err(|source| Error::Decode { api, address: address.clone(), source })?;
        let found = (response.error_code, socket_address(response.host, response.port));
        self.take_coordinator(found, registry, now_ns)?;
        Ok(None)
    }

    /// The connection is lost, or is closed on purpose; the question that has no answer now.
    pub fn lose(&mut self, now_ns: u64) -> Option<Q> {
        self.outage.note_loss(now_ns);
        self.close()
    }

    /// Closes the connection; the question that has no answer now.
    pub fn close(&mut self) -> Option<Q> {
        self.sender.shut();
        self.request.clear();
        self.written_bytes = 0;
        self.pending.take().and_then(|pending| pending.question)
    }

    /// Connects to where it led before.
    pub fn reopen(&mut self, registry: &Registry) -> Result<(), Error> {
        self.outage = Outage::default();
        // A search that was broken off begins anew, with all of its time.
        self.seeks_since_ns = None;
        connection::redirect(&mut self.sender, &mut self.receiver, &self.address, registry, self.token)
    }

    /// Wins a lost connection back when its time has come: to each broker in turn, which tells where the coordinator is.
    pub fn recover(&mut self, topic: &Topic, registry: &Registry, now_ns: u64) -> Result<(), Error> {
        let Self { sender, receiver, outage, next_broker, address, token, .. } = self;
        let was_down = outage.is_down();
        outage.keep_trying(now_ns, || {
            address.clone_from(&topic.brokers[*next_broker % topic.brokers.len()]);
            *next_broker = next_broker.wrapping_add(1);
            connection::redirect(sender, receiver, address, registry, *token)
        })?;
        if was_down && !self.outage.is_down() {
            self.seek(now_ns);
        }
        Ok(())
    }

    fn take_coordinator(
        &mut self,
        (code, address): (i16, String),
        registry: &Registry,
        now_ns: u64,
    ) -> Result<(), Error> {
        let passes = ErrorCode::from_code(code).is_some_and(ErrorCode::is_retriable);
        if code != 0 && !passes {
            return Err(Error::Broker { api: ApiKey::FindCoordinator, code });
        }
        if code != 0 {
            self.seek(now_ns);
            return Ok(());
        }
        if address != self.address {
            self.address = address;
            connection::redirect(&mut self.sender, &mut self.receiver, &self.address, registry, self.token)?;
        }
        self.is_at_coordinator = true;
        self.seeks_since_ns = None;
        Ok(())
    }

    fn send(&mut self, question: Option<Q>, letter: Letter, now_ns: u64) -> Result<(), Error> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let Letter { api, version, mut bytes, patience } = letter;
        bytes[CORRELATION_ID_AT..CORRELATION_ID_AT + 4].copy_from_slice(&self.correlation_id.to_be_bytes());
        (self.request, self.written_bytes) = (bytes, 0);
        self.pending = Some(Pending { question, api, version, sent_ns: now_ns, limit: CALL_TIMEOUT + patience });
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Error> {
        while self.written_bytes < self.request.len() {
            match self.sender.write(&[IoSlice::new(&self.request[self.written_bytes..])])? {
                0 => return Ok(()),
                written => self.written_bytes += written,
            }
        }
        Ok(())
    }

    fn check(&self, now_ns: u64) -> Result<(), Error> {
        let seeking_ns = self.seeks_since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns));
        if seeking_ns > SEEK_TIMEOUT.as_nanos() as u64 {
            return Err(Error::Deadline { phase: "finding a coordinator", limit: SEEK_TIMEOUT });
        }
        // An outage has a deadline of its own.
        let Some(pending) = self.pending.as_ref().filter(|_| !self.outage.goes_on()) else { return Ok(()) };
        let limit = pending.limit;
        if now_ns.saturating_sub(pending.sent_ns) > limit.as_nanos() as u64 {
            return Err(Error::Deadline { phase: "answering by a coordinator", limit });
        }
        Ok(())
    }
}
