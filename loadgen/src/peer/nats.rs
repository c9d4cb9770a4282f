//! NATS with `JetStream`: a partition is a stream of its own on file storage, `topic-partition`, under the subject
//! `topic.partition`.

mod message;
mod publisher;
mod puller;

pub(super) use publisher::Publisher;
pub(super) use puller::Puller;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::Call;
use crate::cluster::CALL_TIMEOUT;
use crate::error::Error;
use message::{Message, message};

/// What every connection says first; the server's own first line need not be waited for.
const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\
     \"name\":\"loadgen\",\"lang\":\"loadgen\",\"version\":\"0\",\"protocol\":1}\r\n";

/// What answers the server's question whether we are there.
const PONG: &[u8] = b"PONG\r\n";

fn stream(topic: &str, partition: usize) -> String {
    format!("{topic}-{partition}")
}

fn subject(topic: &str, partition: usize) -> String {
    format!("{topic}.{partition}")
}

/// A subject that nobody else listens to.
fn inbox() -> String {
    format!("_INBOX.loadgen-{:016x}", rand::random::<u64>())
}

/// A connection for calls of its API.
struct Api {
    call: Call,
    inbox: String,
    about: Value,
}

impl Api {
    fn open(address: &str, timeout: Duration) -> Result<Self, Error> {
        let (mut call, inbox) = (Call::open(address, timeout)?, inbox());
        call.send(format!("{CONNECT}SUB {inbox} 1\r\nPING\r\n").as_bytes())?;
        let mut about = Value::Null;
        loop {
            match call.take(message)? {
                Message::About(text) => about = serde_json::from_str(&text).unwrap_or_default(),
                Message::Pong => return Ok(Self { call, inbox, about }),
                Message::Refusal(what) => return Err(call.refused(format!("says {what}"))),
                _ => {}
            }
        }
    }

    /// Asks, and takes the answer; an error in it is ours.
    fn ask(&mut self, what: &str, body: &Value) -> Result<Value, Error> {
        let body = body.to_string();
        let request = format!("PUB $JS.API.{what} {} {}\r\n{body}\r\n", self.inbox, body.len());
        self.call.send(request.as_bytes())?;
        loop {
            match self.call.take(message)? {
                Message::Delivery { body, .. } => {
                    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                    return match &answer["error"] {
                        Value::Null => Ok(answer),
                        error => Err(self.call.refused(format!("refuses {what}: {}", error["description"]))),
                    };
                }
                Message::Status { code, .. } => {
                    return Err(self.call.refused(format!("answers {what} with {code}: it runs without JetStream")));
                }
                Message::Refusal(what) => return Err(self.call.refused(format!("says {what}"))),
                Message::Ping => self.call.send(PONG)?,
                _ => {}
            }
        }
    }
}

/// Whether a server answers whose `JetStream` is up.
pub(super) fn answers(address: &str, timeout: Duration) -> bool {
    Api::open(address, timeout).and_then(|mut api| api.ask("INFO", &json!({}))).is_ok()
}

pub(super) fn create(address: &str, topic: &str, partitions: u32) -> Result<(), Error> {
    let mut api = Api::open(address, CALL_TIMEOUT)?;
    for partition in 0..partitions as usize {
        let name = stream(topic, partition);
        let subjects = [subject(topic, partition)];
        let config = json!({
            "name": name, "subjects": subjects, "storage": "file", "retention": "limits", "discard": "old",
            "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1, "num_replicas": 1, "max_consumers": -1,
        });
        if let Err(error) = api.ask(&format!("STREAM.CREATE.{name}"), &config) {
            // Nobody else knows of those that are there already; why it failed is the better thing to tell.
            let _ = delete(address, topic, partition);
            return Err(error);
        }
    }
    Ok(())
}

pub(super) fn delete(address: &str, topic: &str, partitions: usize) -> Result<(), Error> {
    let mut api = Api::open(address, CALL_TIMEOUT)?;
    (0..partitions).try_for_each(|partition| {
        api.ask(&format!("STREAM.DELETE.{}", stream(topic, partition)), &json!({})).map(|_| ())
    })
}

/// Messages of each partition.
pub(super) fn ends(address: &str, topic: &str, partitions: usize) -> Result<Vec<i64>, Error> {
    let mut api = Api::open(address, CALL_TIMEOUT)?;
    let end = |partition| {
        let answer = api.ask(&format!("STREAM.INFO.{}", stream(topic, partition)), &json!({}))?;
        let messages = answer["state"]["messages"].as_i64();
        messages.ok_or_else(|| api.call.refused("does not tell how many messages a stream has"))
    };
    (0..partitions).map(end).collect()
}

/// The server's version and the settings of a stream.
pub(super) fn describe(address: &str, topic: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut api = Api::open(address, CALL_TIMEOUT)?;
    let answer = api.ask(&format!("STREAM.INFO.{}", stream(topic, 0)), &json!({}))?;
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut told = BTreeMap::from([
        ("server_version".to_owned(), word(&api.about["version"])),
        ("max_payload".to_owned(), word(&api.about["max_payload"])),
    ]);
    for setting in ["storage", "retention", "num_replicas", "compression"] {
        told.insert(format!("stream.{setting}"), word(&answer["config"][setting]));
    }
    Ok(told)
}
