//! Claims about transactional ids; a world that carries out a coordinator's effects.

mod bounds;
mod ends;
mod fencing;
mod random;
mod restarts;

use protocol::record_batch::{HEADER_BYTES, batches, records};

use super::*;

const ID: &str = "orders";
const TIMEOUT_MS: i32 = 60_000;
const START_MS: i64 = 1_000_000;

fn config() -> TransactionConfig {
    TransactionConfig { timeout_max_ms: 900_000, expiration_ms: 7 * 24 * 60 * 60 * 1_000 }
}

fn partitions(of: &[(&str, i32)]) -> Partitions {
    let mut partitions = Partitions::new();
    for (topic, partition) in of {
        partitions.entry((*topic).to_owned()).or_default().insert(*partition);
    }
    partitions
}

/// A coordinator with its log. What it wants appended waits until a test says how that went.
struct World {
    coordinator: Coordinator,
    now_ms: i64,
    log: Vec<Vec<u8>>,
    appends: Vec<(Vec<u8>, ContinuationId)>,
    markers: Vec<Markers>,
    /// All there ever were.
    told: Vec<Markers>,
    replies: Vec<(ReplyToken, Response)>,
    next_token: u64,
    next_producer_id: i64,
}

impl World {
    fn new() -> World {
        let mut coordinator = Coordinator::new(config());
        assert!(coordinator.loaded(START_MS).is_empty());
        World {
            coordinator,
            now_ms: START_MS,
            log: Vec::new(),
            appends: Vec::new(),
            markers: Vec::new(),
            told: Vec::new(),
            replies: Vec::new(),
            next_token: 0,
            next_producer_id: 100,
        }
    }

    fn handle(&mut self, event: Event) {
        let effects = self.coordinator.handle(event, self.now_ms);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { batch, then } => self.appends.push((batch, then)),
                Effect::WriteMarkers(markers) => {
                    self.told.push(markers.clone());
                    self.markers.push(markers);
                }
                Effect::Reply(token, response) => self.replies.push((token, response)),
            }
        }
    }

    fn token(&mut self) -> ReplyToken {
        self.next_token += 1;
        ReplyToken(self.next_token)
    }

    /// All appends become durable, in order.
    fn sync(&mut self) {
        while !self.appends.is_empty() {
            let (batch, then) = self.appends.remove(0);
            self.log.push(batch);
            self.handle(Event::Appended(then));
        }
    }

    fn fail_appends(&mut self) {
        while !self.appends.is_empty() {
            let (_, then) = self.appends.remove(0);
            self.handle(Event::AppendFailed(then));
        }
    }

    /// Everybody is told how transactions ended.
    fn tell(&mut self) {
        self.sync();
        while !self.markers.is_empty() {
            let markers = self.markers.remove(0);
            self.handle(Event::MarkersWritten(markers.transactional_id));
            self.sync();
        }
    }

    /// A crash: only the log is left.
    fn restart(&mut self) {
        self.coordinator = Coordinator::new(config());
        (self.appends, self.markers, self.replies) = (Vec::new(), Vec::new(), Vec::new());
        for bytes in &self.log {
            for batch in batches(bytes) {
                let (header, batch) = batch.unwrap();
                for record in records(&header, &batch[HEADER_BYTES..]) {
                    let record = record.unwrap();
                    self.coordinator.load(record.key, record.value).unwrap();
                }
            }
        }
        let effects = self.coordinator.loaded(self.now_ms);
        self.carry_out(effects);
    }

    fn reply_to(&mut self, token: ReplyToken) -> Option<Response> {
        let at = self.replies.iter().position(|(replied, _)| *replied == token)?;
        Some(self.replies.remove(at).1)
    }

    fn send_init(&mut self, expected: Option<ProducerIdentity>) -> ReplyToken {
        let token = self.token();
        self.next_producer_id += 1;
        let request = InitRequest {
            transactional_id: ID.to_owned(),
            timeout_ms: TIMEOUT_MS,
            expected,
            fresh_producer_id: self.next_producer_id,
        };
        self.handle(Event::Init(token, request));
        token
    }

    fn init_as(&mut self, expected: Option<ProducerIdentity>) -> Result<ProducerIdentity, TransactionError> {
        let token = self.send_init(expected);
        self.sync();
        match self.reply_to(token) {
            Some(Response::Init(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn init(&mut self) -> Result<ProducerIdentity, TransactionError> {
        self.init_as(None)
    }

    fn send_add(&mut self, producer: ProducerIdentity, of: &[(&str, i32)]) -> ReplyToken {
        let token = self.token();
        let request = AddRequest { transactional_id: ID.to_owned(), producer, partitions: partitions(of) };
        self.handle(Event::Add(token, request));
        token
    }

    fn add(&mut self, producer: ProducerIdentity, of: &[(&str, i32)]) -> Result<(), TransactionError> {
        let token = self.send_add(producer, of);
        self.sync();
        self.outcome(token).expect("an answer")
    }

    fn send_end(&mut self, producer: ProducerIdentity, commits: bool) -> ReplyToken {
        let token = self.token();
        self.handle(Event::End(token, EndRequest { transactional_id: ID.to_owned(), producer, commits }));
        token
    }

    /// To its very end.
    fn end(&mut self, producer: ProducerIdentity, commits: bool) -> Result<(), TransactionError> {
        let token = self.send_end(producer, commits);
        self.tell();
        self.outcome(token).expect("an answer")
    }

    fn outcome(&mut self, token: ReplyToken) -> Option<Result<(), TransactionError>> {
        self.reply_to(token).map(|response| match response {
            Response::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        })
    }

    fn description(&mut self) -> Result<TransactionDescription, TransactionError> {
        let token = self.token();
        self.handle(Event::Describe(token, ID.to_owned()));
        match self.reply_to(token) {
            Some(Response::Described(description)) => description,
            other => panic!("{other:?}"),
        }
    }

    fn status(&mut self) -> Status {
        self.description().expect("a known id").status
    }

    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.handle(Event::Tick);
    }
}
