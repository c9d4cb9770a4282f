//! Records and their offsets: every kind comes back, readers move about, a restart changes nothing.

use std::collections::HashSet;
use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage};
use rdkafka::producer::FutureRecord;
use rdkafka::{Message, Offset, Timestamp};

use crate::groups::Member;
use crate::session::{Outcome, PATIENCE, Session, enqueue, ensure, options, read, until};

const BASE_MS: i64 = 1_700_000_000_000;

#[derive(Debug, PartialEq)]
struct Record {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    fn new(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> Self {
        let owned = |(name, value): &(&str, Option<&[u8]>)| ((*name).to_owned(), value.map(<[u8]>::to_vec));
        Self {
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: headers.iter().map(owned).collect(),
        }
    }

    fn of(message: &OwnedMessage) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let headers: Vec<_> = headers.map(|one| (one.key, one.value)).collect();
        Self::new(message.key(), message.payload(), &headers)
    }

    fn to_send<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let empty = OwnedHeaders::new_with_capacity(self.headers.len());
        let headers = self
            .headers
            .iter()
            .fold(empty, |headers, (key, value)| headers.insert(Header { key, value: value.as_ref() }));
        let (payload, key) = (self.value.as_deref(), self.key.as_deref());
        FutureRecord { topic, partition: Some(0), payload, key, timestamp: None, headers: Some(headers) }
    }
}

fn of_every_kind() -> Vec<Record> {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut records = vec![
        Record::new(None, Some(b"keyless"), &[]),
        Record::new(Some(b"k"), None, &[("tombstone", Some(b"yes"))]),
        Record::new(None, None, &[]),
        Record::new(Some(b""), Some(b""), &[("", Some(b""))]),
        Record::new(
            Some(&every_byte),
            Some(&every_byte.repeat(100)),
            &[("a", Some(b"1")), ("b", None), ("a", Some(b"2"))],
        ),
    ];
    records.extend((0..500).map(|number| {
        let text = number.to_string();
        let value = format!("value {text} ").repeat(50);
        Record::new(Some(text.as_bytes()), Some(value.as_bytes()), &[("n", Some(text.as_bytes()))])
    }));
    records
}

pub async fn every_kind(session: &Session) -> Outcome {
    session.create(1).await?;
    let wanted = of_every_kind();
    let producer = session.producer(&[("compression.type", &session.word), ("linger.ms", "50")])?;
    let mut sent = Vec::new();
    for one in &wanted {
        sent.push(producer.send_result(one.to_send(&session.topic)).map_err(|(error, _)| error)?);
    }
    for (at, one) in sent.into_iter().enumerate() {
        let delivery = one.await?.map_err(|(error, _)| error)?;
        ensure(delivery.offset == at as i64, || format!("record {at} was acknowledged as {delivery:?}"))?;
    }
    for (have, want) in session.read_topic(wanted.len(), &[]).await?.iter().zip(&wanted) {
        let have = Record::of(have);
        ensure(have == *want, || format!("{have:?} is not {want:?}"))?;
    }
    Ok(())
}

/// The offset that a question about a time is answered with.
fn offset_at(consumer: &StreamConsumer, session: &Session, time_ms: i64) -> Outcome<Offset> {
    let found = consumer.offsets_for_times(session.place(Offset::Offset(time_ms))?, PATIENCE)?;
    let elements = found.elements();
    elements[0].error()?;
    Ok(elements[0].offset())
}

pub async fn seeks_and_times(session: &Session) -> Outcome {
    session.create(1).await?;
    let producer = session.producer(&[])?;
    let values: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for (number, value) in values.iter().enumerate() {
        let record = session.numbered(0, value).timestamp(BASE_MS + number as i64 * 1_000);
        producer.send(record, PATIENCE).await.map_err(|(error, _)| error)?;
    }
    let consumer: StreamConsumer = session.consumer(&[])?;
    ensure(offset_at(&consumer, session, BASE_MS + 41_500)? == Offset::Offset(42), || "not offset 42".to_owned())?;
    ensure(offset_at(&consumer, session, BASE_MS + 99_001)? == Offset::End, || {
        "there is nothing that young".to_owned()
    })?;
    let ends = consumer.fetch_watermarks(&session.topic, 0, PATIENCE)?;
    ensure(ends == (0, 100), || format!("watermarks {ends:?}"))?;

    consumer.assign(&session.place(Offset::Offset(90))?)?;
    let tail = read(&consumer, 10).await?;
    ensure(tail[0].payload() == Some(b"90"), || format!("began at {:?}", tail[0]))?;
    ensure(tail[9].timestamp() == Timestamp::CreateTime(BASE_MS + 99_000), || format!("{:?}", tail[9].timestamp()))?;
    consumer.pause(&session.place(Offset::Invalid)?)?;
    consumer.seek(&session.topic, 0, Offset::Offset(5), PATIENCE)?;
    let paused = tokio::time::timeout(Duration::from_millis(500), consumer.recv()).await;
    ensure(paused.is_err(), || "a paused partition was read".to_owned())?;
    consumer.resume(&session.place(Offset::Invalid)?)?;
    let again = read(&consumer, 1).await?;
    ensure(again[0].offset() == 5, || format!("resumed at {}", again[0].offset()))?;
    consumer.seek(&session.topic, 0, Offset::Offset(1_000_000), PATIENCE)?;
    let reset = read(&consumer, 1).await?;
    ensure(reset[0].offset() == 0, || format!("out of range was reset to {}", reset[0].offset()))
}

pub async fn deleted(session: &Session) -> Outcome {
    session.create(1).await?;
    session.send(100, 1).await?;
    let admin = session.admin()?;
    let low = admin.delete_records(&session.place(Offset::Offset(40))?, &options()).await?;
    ensure(low.elements()[0].offset() == Offset::Offset(40), || format!("{low:?}"))?;
    let beyond = admin.delete_records(&session.place(Offset::Offset(101))?, &options()).await?;
    let code = beyond.elements()[0].error();
    let wanted = Err(KafkaError::OffsetFetch(RDKafkaErrorCode::OffsetOutOfRange));
    ensure(code == wanted, || format!("{beyond:?}"))?;
    let left = session.read_topic(60, &[]).await?;
    ensure(left[0].offset() == 40, || format!("reads from {}", left[0].offset()))
}

pub async fn restart(session: &Session) -> Outcome {
    session.create(1).await?;
    let member = Member::join(session, &[])?;
    let producer = session.producer(&[("linger.ms", "5")])?;
    let values: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    let mut sent = Vec::new();
    for (number, value) in values.iter().enumerate() {
        sent.push(enqueue(&producer, session.numbered(0, value))?);
        if number == 1_000 {
            sent.remove(500).await?.map_err(|(error, _)| error)?;
            println!("half");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for one in sent {
        one.await?.map_err(|(error, _)| error)?;
    }
    for (have, want) in session.read_topic(2_000, &[]).await?.iter().zip(&values) {
        ensure(have.payload() == Some(want.as_bytes()), || format!("{have:?} is not {want}"))?;
    }
    let all = || Ok(member.seen()?.into_iter().collect::<HashSet<_>>().len() == 2_000);
    until("the member that lived through it read all", all).await?;
    member.leave()
}
