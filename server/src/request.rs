//! `Call`: one request with everything its handler needs, and `Answer`: what goes back.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use protocol::Response;
use protocol::api_key::ApiKey;
use protocol::header::RequestHeader;
use protocol::reader::{DecodeError, Reader};
use protocol::{Message, Request, frame};
use thiserror::Error;

use crate::answer_budget::AnswerMemory;
use crate::broker::Broker;
use crate::connection::Client;
use crate::unserved::{Novelty, Unserved};

/// Why a frame gets no answer: its connection is closed, and the log says why.
#[derive(Debug, Error)]
pub enum Refused {
    /// Not even a header.
    #[error("the request header is malformed: {0}")]
    Header(DecodeError),
    /// An API that this broker does not have, or not in this version.
    #[error("{0}")]
    Unserved(#[from] Unserved),
    /// The body is not what its API and version say.
    #[error("the {api:?} request of version {version} is malformed: {error}")]
    Body {
        /// The API.
        api: ApiKey,
        /// Its version.
        version: i16,
        /// Where it goes wrong.
        error: DecodeError,
    },
}

/// One request.
pub struct Call {
    /// The shard that the connection lives on.
    pub broker: Rc<Broker>,
    /// Who asks.
    pub client: Rc<Client>,
    /// The API.
    pub api: ApiKey,
    /// Its version; one that the codec knows, except for `ApiVersions`.
    pub version: i16,
    /// What the client calls itself.
    pub client_id: String,
    /// When its frame was whole.
    pub began: Instant,
    correlation_id: i32,
    frame: Bytes,
    body_at: usize,
}

impl Call {
    /// Reads the header. `ApiVersions` is never refused: of a version that we do not know only who asks is read.
    pub fn parse(broker: &Rc<Broker>, client: &Rc<Client>, frame: Bytes) -> Result<Call, Refused> {
        let mut reader = Reader::new(&frame);
        let (key, version) = Self::key_and_version(&frame)?;
        let api = ApiKey::from_i16(key);
        let known = api.filter(|api| api.versions().contains(&version));
        let header = match (known, api) {
            (Some(_), _) => RequestHeader::decode(&mut reader).map_err(Refused::Header)?,
            (None, Some(ApiKey::ApiVersions)) => {
                let correlation_id = Reader::new(&frame[4..]).read_i32().map_err(Refused::Header)?;
                let client_id = Self::client_id_of_any(&frame);
                RequestHeader { api_key: key, api_version: version, correlation_id, client_id }
            }
            (None, _) => return Err(Self::unserved(key, version, Self::client_id_of_any(&frame)).into()),
        };
        let body_at = frame.len() - reader.remaining();
        Ok(Call {
            broker: Rc::clone(broker),
            client: Rc::clone(client),
            api: api.ok_or_else(|| Self::unserved(key, version, header.client_id))?,
            version,
            client_id: short(header.client_id),
            began: Instant::now(),
            correlation_id: header.correlation_id,
            body_at,
            frame,
        })
    }

    fn key_and_version(frame: &[u8]) -> Result<(i16, i16), Refused> {
        let mut reader = Reader::new(frame);
        let mut read = || Ok((reader.read_i16()?, reader.read_i16()?));
        read().map_err(Refused::Header)
    }

    /// The name in front of a request that cannot be read otherwise: it stands at the same place in every header that has one.
    fn client_id_of_any(frame: &[u8]) -> Option<&str> {
        Reader::new(frame.get(8..)?).read_nullable_string().ok().flatten()
    }

    fn unserved(key: i16, version: i16, client_id: Option<&str>) -> Unserved {
        Unserved { key, version, client_id: short(client_id) }
    }

    /// Says once that a version is not served to who asked.
    pub fn tell_unserved(&self) {
        let unserved = Self::unserved(self.api as i16, self.version, Some(&self.client_id));
        let closing_log = &self.broker.closing_log;
        let has_line = match closing_log.unserved.novelty(self.client.peer.ip(), &unserved) {
            Novelty::First => true,
            Novelty::Told => false,
            Novelty::Unknown => closing_log.has_line("unserved versions"),
        };
        if has_line {
            tracing::info!(peer = %self.client.peer, client = self.client_id, reason = %unserved, "a client is told the versions");
        }
    }

    /// The body, borrowed from the frame. Bytes behind it are passed over, as Kafka does: librdkafka's Metadata request for all
    /// topics ends with three.
    pub fn decode<'a, R: Request<'a>>(&'a self) -> Result<R, Refused> {
        let mut reader = Reader::new(&self.frame[self.body_at..]);
        R::decode(&mut reader, self.version).map_err(|error| Refused::Body {
            api: self.api,
            version: self.version,
            error,
        })
    }

    /// What was asked is taken over; what happens with the answer may take long, and needs no frame.
    pub fn forget_frame(&mut self) {
        self.frame = Bytes::new();
        self.body_at = 0;
    }

    /// A part of the frame that shares its memory.
    pub fn share(&self, part: &[u8]) -> Bytes {
        self.frame.slice_ref(part)
    }

    /// The encoded response.
    pub fn answer<'a, R: Response<'a> + Message<'a>>(&self, response: &R) -> Answer {
        debug_assert_eq!(R::API, self.api);
        Answer {
            pieces: frame::encode_response(self.correlation_id, self.api, self.version, response),
            ..Answer::default()
        }
    }

    /// The answer to an `ApiVersions` request of an unknown version, in the form that every client reads.
    pub fn answer_unsupported_api_versions(&self) -> Answer {
        Answer { pieces: frame::encode_unsupported_api_versions(self.correlation_id), ..Answer::default() }
    }
}

/// Longest client id that is kept; Kafka has no bound, logs and group members need one.
const CLIENT_ID_CHARS_MAX: usize = 255;

fn short(client_id: Option<&str>) -> String {
    client_id.unwrap_or_default().chars().take(CLIENT_ID_CHARS_MAX).collect()
}

/// What goes back.
#[derive(Default)]
pub struct Answer {
    /// The frame; nothing for acks=0.
    pub pieces: Vec<Bytes>,
    /// Memory that is given back when the answer has left.
    pub memory: Option<AnswerMemory>,
    /// Close the connection instead of going on.
    pub close: Option<&'static str>,
}

impl Answer {
    /// Bytes of its frame.
    pub fn bytes(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}
