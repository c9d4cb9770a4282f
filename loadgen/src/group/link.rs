//! The connection to a group's coordinator: one question at a time. Where the coordinator is, is asked again when it moves.

use std::io::IoSlice;
use std::time::Duration;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::coordinator::find_coordinator;
use super::question::{Answer, Question};
use super::wire::{self, REBALANCE_TIMEOUT_MS};
use super::{Group, Member};
use crate::cluster::{CALL_TIMEOUT, Topic, socket_address};
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

/// The connection to a group's coordinator.
#[derive(Debug)]
pub struct CoordinatorLink {
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
    pending: Option<Pending>,
    request: Vec<u8>,
    written_bytes: usize,
    correlation_id: i32,
}

#[derive(Debug)]
struct Pending {
    /// `None` asks for the coordinator.
    question: Option<Question>,
    version: i16,
    sent_ns: u64,
}

/// An answer with its question.
#[derive(Debug)]
pub struct Answered {
    /// What was asked.
    pub question: Question,
    /// What was answered.
    pub answer: Answer,
    /// When the question was written.
    pub sent_ns: u64,
}

impl CoordinatorLink {
    /// Finds the coordinator and connects to it.
    pub fn open(group: &Group, topic: &Topic, registry: &Registry, token: Token) -> Result<Self, Error> {
        let address = find_coordinator(&topic.brokers[0], group.id())?;
        let (sender, receiver) = connection::open(&address, CALL_TIMEOUT, ANSWER_BYTES_MAX, registry, token)?;
        Ok(Self {
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

    /// Sends a member's question.
    pub fn ask(&mut self, question: Question, member: &Member, topic: &Topic, now_ns: u64) -> Result<(), Error> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let letter = wire::encode(&question, member, &topic.name, &topic.versions, self.correlation_id)?;
        self.send(Some(question), letter.version, letter.bytes, now_ns)
    }

    /// The coordinator is elsewhere, or not ready.
    pub fn seek(&mut self, now_ns: u64) {
        self.is_at_coordinator = false;
        self.seeks_since_ns.get_or_insert(now_ns);
        self.seek_at_ns = now_ns + RETRY_BACKOFF_NS;
    }

    /// Asks for the coordinator when that is due; an error when an answer is overdue.
    pub fn tend(&mut self, group: &Group, topic: &Topic, now_ns: u64) -> Result<(), Error> {
        self.check(now_ns)?;
        let may_seek = self.pending.is_none() && !self.outage.is_down() && now_ns >= self.seek_at_ns;
        if self.is_at_coordinator || !may_seek {
            return Ok(());
        }
        let version = topic.versions.choose(ApiKey::FindCoordinator, FIND_VERSION_MAX)?;
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let request = FindCoordinatorRequest { key: group.id(), ..FindCoordinatorRequest::default() };
        let bytes = wire::framed(&request, version, self.correlation_id);
        self.send(None, version, bytes, now_ns)
    }

    /// Hands over what waits and takes an answer that has come; those to the search for the coordinator stay here.
    pub fn exchange(
        &mut self,
        group: &Group,
        topic: &Topic,
        registry: &Registry,
        now_ns: u64,
    ) -> Result<Option<Answered>, Error> {
        if self.outage.is_down() {
            return Ok(None);
        }
        self.flush()?;
        let Some(bytes) = self.receiver.next_frame()? else { return Ok(None) };
        let api = |pending: &Pending| pending.question.as_ref().map_or(ApiKey::FindCoordinator, Question::api);
        let wrong = |api, what| Error::Answer { api, address: self.address.clone(), what };
        let Some(pending) = self.pending.take() else {
            return Err(wrong(ApiKey::Heartbeat, "there was no request"));
        };
        let api = api(&pending);
        let decode_failed = |source| Error::Decode { api, address: self.address.clone(), source };
        let Some(question) = pending.question else {
            let (correlation_id, response) =
                wire::opened::<FindCoordinatorResponse<'_>>(bytes, pending.version).map_err(decode_failed)?;
            if correlation_id != self.correlation_id {
                return Err(wrong(api, "a foreign correlation id"));
            }
            let found = (response.error_code, socket_address(response.host, response.port));
            self.take_coordinator(found, registry, now_ns)?;
            return Ok(None);
        };
        let decoded = wire::decode(bytes, &question, pending.version, &topic.name, group.partitions());
        let (correlation_id, answer) = decoded.map_err(decode_failed)?;
        if correlation_id != self.correlation_id {
            return Err(wrong(api, "a foreign correlation id"));
        }
        let answer = answer.map_err(|what| wrong(api, what))?;
        self.outage.note_answer();
        Ok(Some(Answered { question, answer, sent_ns: pending.sent_ns }))
    }

    /// The connection is lost, or is closed on purpose; the question that has no answer now.
    pub fn lose(&mut self, now_ns: u64) -> Option<Question> {
        self.outage.note_loss(now_ns);
        self.close()
    }

    /// Closes the connection; the question that has no answer now.
    pub fn close(&mut self) -> Option<Question> {
        self.sender.shut();
        self.request.clear();
        self.written_bytes = 0;
        self.pending.take().and_then(|pending| pending.question)
    }

    /// Connects to where it led before.
    pub fn reopen(&mut self, registry: &Registry) -> Result<(), Error> {
        self.outage = Outage::default();
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

    fn send(&mut self, question: Option<Question>, version: i16, bytes: Vec<u8>, now_ns: u64) -> Result<(), Error> {
        (self.request, self.written_bytes) = (bytes, 0);
        self.pending = Some(Pending { question, version, sent_ns: now_ns });
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
            return Err(Error::Deadline { phase: "finding the coordinator of a group", limit: SEEK_TIMEOUT });
        }
        // An outage has a deadline of its own.
        let Some(pending) = self.pending.as_ref().filter(|_| !self.outage.goes_on()) else { return Ok(()) };
        let waits_for_members = pending.question.as_ref().is_some_and(Question::waits_for_members);
        let patience = Duration::from_millis(if waits_for_members { REBALANCE_TIMEOUT_MS as u64 } else { 0 });
        let limit = CALL_TIMEOUT + patience;
        if now_ns.saturating_sub(pending.sent_ns) > limit.as_nanos() as u64 {
            return Err(Error::Deadline { phase: "answering a member of a group", limit });
        }
        Ok(())
    }
}
