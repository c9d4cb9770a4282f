//! Brokers that do not speak Kafka: the same schedules, histograms and integrity account over their own protocols.
//!
//! What differs lies behind two seams: [`client`] is what a thread asks of a producer or consumer, and the wires ([`nats`],
//! [`redis`]) turn records into bytes and bytes into acknowledgements or records. A partition is what such a broker keeps in
//! order by itself: a stream of `JetStream`, a stream of Redis.

mod call;
pub mod client;
mod consumer;
mod nats;
mod producer;
mod redis;

pub use consumer::PeerConsumer;
pub use producer::PeerProducer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::client::{Client, Versions};
use crate::cluster::{self, TOPIC_PREFIX, Topic};
use crate::error::Error;
use crate::result::Acks;
use crate::sasl::Login;
use crate::target_config;
use crate::workload::{ClientMode, Workload};

/// The first whole thing in what was received, and its bytes; `None` as long as it is not whole, an error when it never will be.
type Parsed<T> = Result<Option<(usize, T)>, String>;

/// What a broker speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Kafka's protocol.
    #[default]
    Kafka,
    /// NATS with `JetStream`: a stream a partition, an acknowledgement a record, pull consumers without acknowledgements.
    Nats,
    /// Redis with streams: a stream a partition, pipelined XADD, blocking XREAD.
    Redis,
}

impl Dialect {
    /// The product that speaks it, where only one does.
    pub fn product(self) -> Option<&'static str> {
        match self {
            Self::Kafka => None,
            Self::Nats => Some("nats-jetstream"),
            Self::Redis => Some("redis"),
        }
    }

    /// Whether a broker of this kind answers at `address` within `timeout`.
    pub fn answers(self, address: &str, timeout: Duration) -> bool {
        match self {
            Self::Kafka => Client::open(address, timeout).is_ok(),
            Self::Nats => nats::answers(address, timeout),
            Self::Redis => redis::answers(address, timeout),
        }
    }

    /// Refuses what only Kafka's clients can do, before anything is sent.
    pub fn check(self, workload: &Workload) -> Result<(), Error> {
        let refused =
            |option: &str| Err(Error::Dialect(format!("{option} is of Kafka's protocol alone: leave it out")));
        match self {
            Self::Kafka => Ok(()),
            _ if workload.acks == Acks::None => refused("--acks 0"),
            _ if workload.idempotent => refused("--idempotent"),
            _ if !workload.records.is_plain() => refused("a key, a mixture of sizes or a codec"),
            _ if workload.client_mode == ClientMode::Raw => refused("--client-mode raw"),
            _ if workload.replication_factor > 1 => refused("--replication-factor"),
            _ if workload.survives_losses() => refused("--fault"),
            _ if workload.transactions.is_some() => refused("--transaction-records and its like"),
            _ if workload.group.is_some() => refused("--group-protocol"),
            _ => Ok(()),
        }
    }
}

/// Makes the topic of a run, or what stands for it.
pub fn create_topic(
    workload: &Workload,
    speaks: Dialect,
    bootstrap: &str,
    login: Option<&Arc<Login>>,
    name: &str,
) -> Result<Topic, Error> {
    assert!(name.starts_with(TOPIC_PREFIX), "only own topics are created");
    let partitions = workload.partitions;
    match speaks {
        Dialect::Kafka => {
            return cluster::create_topic(bootstrap, login, name, partitions, workload.replication_factor);
        }
        Dialect::Nats => nats::create(bootstrap, name, partitions)?,
        Dialect::Redis => redis::create(bootstrap, name, partitions)?,
    }
    Ok(Topic {
        name: name.to_owned(),
        brokers: vec![bootstrap.to_owned()],
        leaders: vec![0; partitions as usize],
        versions: Versions::default(),
        nodes: 1,
        login: None,
        speaks,
    })
}

/// Removes one of our own.
pub fn delete_topic(topic: &Topic, bootstrap: &str) -> Result<(), Error> {
    assert!(topic.name.starts_with(TOPIC_PREFIX), "only own topics are deleted");
    match topic.speaks {
        Dialect::Kafka => cluster::delete_topic(bootstrap, topic),
        Dialect::Nats => nats::delete(bootstrap, &topic.name, topic.leaders.len()),
        Dialect::Redis => redis::delete(bootstrap, &topic.name, topic.leaders.len()),
    }
}

/// Records in each partition of a topic that is not Kafka's; `None` of one that is.
pub fn ends(topic: &Topic) -> Option<Result<Vec<i64>, Error>> {
    let address = topic.brokers.first().map_or("", String::as_str);
    match topic.speaks {
        Dialect::Kafka => None,
        Dialect::Nats => Some(nats::ends(address, &topic.name, topic.leaders.len())),
        Dialect::Redis => Some(redis::ends(address, &topic.name, topic.leaders.len())),
    }
}

/// What the broker says about its settings, as far as that can change the figures.
pub fn describe(topic: &Topic, bootstrap: &str) -> BTreeMap<String, String> {
    match topic.speaks {
        Dialect::Kafka => target_config::describe(bootstrap, topic),
        // A run does not fail for want of a remark.
        Dialect::Nats => nats::describe(bootstrap, &topic.name).unwrap_or_default(),
        Dialect::Redis => redis::describe(bootstrap).unwrap_or_default(),
    }
}
