//! Short forms of rdkafka: clients of the broker under test, send, read, wait.

use std::error::Error;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a claim ends with; whatever breaks it is told by the program.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The broker under test and the names that this claim may use.
pub struct Session {
    bootstrap: String,
    pub topic: String,
    pub group: String,
    pub word: String,
}

impl Session {
    /// The claim and its session; none when arguments are missing.
    pub fn of_arguments() -> Option<(String, Self)> {
        let mut arguments = std::env::args().skip(1);
        let claim = arguments.next()?;
        let (bootstrap, topic, group) = (arguments.next()?, arguments.next()?, arguments.next()?);
        Some((claim, Self { bootstrap, topic, group, word: arguments.next().unwrap_or_default() }))
    }

    fn config(&self, defaults: &[(&str, &str)], settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        for (name, value) in defaults.iter().chain(settings) {
            config.set(*name, *value);
        }
        config
    }

    /// Idempotent, as users of librdkafka want it when order matters.
    pub fn producer(&self, settings: &[(&str, &str)]) -> Outcome<FutureProducer> {
        Ok(self.config(&[("enable.idempotence", "true")], settings).create()?)
    }

    /// A member of the session's group that notices a rebalance soon and commits when it is told to.
    pub fn member(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let defaults = [
            ("group.id", self.group.as_str()),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("heartbeat.interval.ms", "300"),
        ];
        self.config(&defaults, settings)
    }

    /// The same as a client.
    pub fn consumer<T: FromClientConfig>(&self, settings: &[(&str, &str)]) -> Outcome<T> {
        Ok(self.member(settings).create()?)
    }

    pub fn admin(&self) -> Outcome<AdminClient<DefaultClientContext>> {
        Ok(self.config(&[], &[]).create()?)
    }

    pub async fn create(&self, partitions: i32) -> Outcome {
        let topic = NewTopic::new(&self.topic, partitions, TopicReplication::Fixed(1));
        one(self.admin()?.create_topics([&topic], &options()).await?)?.map_err(|(_, code)| code)?;
        Ok(())
    }

    /// Sends so many numbered records in turn to the partitions and waits for their acknowledgement.
    pub async fn send(&self, count: i32, partitions: i32) -> Outcome {
        let producer = self.producer(&[])?;
        let sent: Vec<DeliveryFuture> = (0..count)
            .map(|number| enqueue(&producer, self.numbered(number % partitions, &number.to_string())))
            .collect::<Outcome<_>>()?;
        for one in sent {
            one.await?.map_err(|(error, _)| error)?;
        }
        Ok(())
    }

    pub fn numbered<'a>(&'a self, partition: i32, value: &'a str) -> FutureRecord<'a, [u8], str> {
        FutureRecord::to(&self.topic).partition(partition).payload(value)
    }

    /// So many records from the start of the first partition.
    pub async fn read_topic(&self, count: usize, settings: &[(&str, &str)]) -> Outcome<Vec<OwnedMessage>> {
        let consumer: StreamConsumer = self.consumer(settings)?;
        consumer.assign(&self.place(Offset::Beginning)?)?;
        read(&consumer, count).await
    }

    /// The first partition of the session's topic.
    pub fn place(&self, offset: Offset) -> Outcome<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, offset)?;
        Ok(list)
    }
}

pub fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// The only element.
pub fn one<T>(mut list: Vec<T>) -> Outcome<T> {
    let last = list.pop().ok_or("an empty answer")?;
    ensure(list.is_empty(), || "more than one answer".to_owned())?;
    Ok(last)
}

pub fn enqueue(producer: &FutureProducer, record: FutureRecord<'_, [u8], str>) -> Outcome<DeliveryFuture> {
    producer.send_result(record).map_err(|(error, _)| error.into())
}

pub fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}

/// Polls until the condition holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> Outcome<bool>) -> Outcome {
    let started = Instant::now();
    while !condition()? {
        ensure(started.elapsed() < PATIENCE, || format!("after {PATIENCE:?} still not: {what}"))?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// So many records.
pub async fn read(consumer: &StreamConsumer, count: usize) -> Outcome<Vec<OwnedMessage>> {
    let mut records = Vec::with_capacity(count);
    while records.len() < count {
        let next = tokio::time::timeout(PATIENCE, consumer.recv()).await;
        let message = next.map_err(|_| format!("{} of {count} records after {PATIENCE:?}", records.len()))??;
        records.push(message.detach());
    }
    Ok(records)
}
