//! Redis: a partition is a stream under the key `topic:partition`, a record an entry with one field.

mod adder;
mod reader;
mod reply;

pub(super) use adder::Adder;
pub(super) use reader::StreamReader;

use std::collections::BTreeMap;
use std::time::Duration;

use super::call::Call;
use crate::cluster::CALL_TIMEOUT;
use crate::error::Error;
use reply::{Reply, reply};

/// Keys named in one command.
const KEYS_MAX: usize = 500;

/// Settings that decide how fast it is, and what a restart loses.
const SETTINGS: [&str; 6] =
    ["appendonly", "appendfsync", "save", "maxmemory", "stream-node-max-bytes", "stream-node-max-entries"];

/// The key of a partition.
fn key(topic: &str, partition: usize) -> String {
    format!("{topic}:{partition}")
}

/// Writes a command with its arguments.
fn command(words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn ask(call: &mut Call, words: &[&[u8]]) -> Result<Reply, Error> {
    let mut bytes = Vec::new();
    command(words, &mut bytes);
    call.send(&bytes)?;
    match call.take(reply)? {
        Reply::Error(what) => Err(call.refused(format!("says {what}"))),
        other => Ok(other),
    }
}

/// Whether a Redis with all its data answers.
pub(super) fn answers(address: &str, timeout: Duration) -> bool {
    // While it loads its file, it answers with an error.
    Call::open(address, timeout).and_then(|mut call| ask(&mut call, &[b"PING"])).is_ok()
}

/// Streams come to be with their first entry; that there are none is all that can be made sure of.
pub(super) fn create(address: &str, topic: &str, partitions: u32) -> Result<(), Error> {
    let lengths = ends(address, topic, partitions as usize)?;
    if lengths.iter().any(|&length| length > 0) { Err(Error::TopicExists(topic.to_owned())) } else { Ok(()) }
}

pub(super) fn delete(address: &str, topic: &str, partitions: usize) -> Result<(), Error> {
    let mut call = Call::open(address, CALL_TIMEOUT)?;
    let keys: Vec<String> = (0..partitions).map(|partition| key(topic, partition)).collect();
    for some in keys.chunks(KEYS_MAX) {
        let words: Vec<&[u8]> =
            std::iter::once("UNLINK").chain(some.iter().map(String::as_str)).map(str::as_bytes).collect();
        ask(&mut call, &words)?;
    }
    Ok(())
}

/// Entries of each partition.
pub(super) fn ends(address: &str, topic: &str, partitions: usize) -> Result<Vec<i64>, Error> {
    let mut call = Call::open(address, CALL_TIMEOUT)?;
    let mut length = |partition| match ask(&mut call, &[b"XLEN", key(topic, partition).as_bytes()])? {
        Reply::Number(length) => Ok(length),
        _ => Err(call.refused("does not tell the length of a stream")),
    };
    (0..partitions).map(&mut length).collect()
}

/// Its version and settings.
pub(super) fn describe(address: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut call = Call::open(address, CALL_TIMEOUT)?;
    let mut told = BTreeMap::new();
    for setting in SETTINGS {
        if let Reply::Array(words) = ask(&mut call, &[b"CONFIG", b"GET", setting.as_bytes()])?
            && let [Reply::Text(_), Reply::Text(value)] = words.as_slice()
        {
            told.insert(setting.to_owned(), String::from_utf8_lossy(value).into_owned());
        }
    }
    if let Reply::Text(about) = ask(&mut call, &[b"INFO", b"server"])? {
        let about = String::from_utf8_lossy(&about).into_owned();
        let version = about.lines().find_map(|line| line.strip_prefix("redis_version:"));
        told.extend(version.map(|version| ("redis_version".to_owned(), version.trim().to_owned())));
    }
    Ok(told)
}
