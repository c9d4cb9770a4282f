//! Transactions: what was committed is read, what was aborted never, offsets follow, an owner at a time.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, Producer};
use rdkafka::{Message, Offset};

use crate::session::{Outcome, PATIENCE, Session, ensure};

fn producer(session: &Session) -> Outcome<FutureProducer> {
    let producer = session.producer(&[("transactional.id", &format!("{}-id", session.topic))])?;
    producer.init_transactions(PATIENCE)?;
    Ok(producer)
}

async fn send(session: &Session, producer: &FutureProducer, value: &str) -> Outcome {
    producer.send(session.numbered(0, value), PATIENCE).await.map_err(|(error, _)| error)?;
    Ok(())
}

fn end(producer: &FutureProducer, is_commit: bool) -> Outcome {
    Ok(if is_commit { producer.commit_transaction(PATIENCE) } else { producer.abort_transaction(PATIENCE) }?)
}

/// What a reader of committed records gets.
async fn visible(session: &Session, count: usize) -> Outcome<Vec<String>> {
    let records = session.read_topic(count, &[("isolation.level", "read_committed")]).await?;
    Ok(records.iter().map(|one| String::from_utf8_lossy(one.payload().unwrap_or_default()).into_owned()).collect())
}

pub async fn committed(session: &Session) -> Outcome {
    session.create(1).await?;
    let producer = producer(session)?;
    for round in 0..4 {
        producer.begin_transaction()?;
        for number in 0..10 {
            send(session, &producer, &format!("{round} {number}")).await?;
        }
        end(&producer, round % 2 == 0)?;
    }
    let wanted: Vec<String> =
        [0, 2].iter().flat_map(|round| (0..10).map(move |number| format!("{round} {number}"))).collect();
    let got = visible(session, 20).await?;
    ensure(got == wanted, || format!("{got:?}"))
}

pub async fn offsets(session: &Session) -> Outcome {
    session.create(1).await?;
    let consumer: BaseConsumer = session.consumer(&[])?;
    consumer.assign(&session.place(Offset::Beginning)?)?;
    let group = consumer.group_metadata().ok_or("no group")?;
    let producer = producer(session)?;
    for (is_commit, expected) in [(false, Offset::Invalid), (true, Offset::Offset(7)), (false, Offset::Offset(7))] {
        producer.begin_transaction()?;
        send(session, &producer, "moved").await?;
        let sent = session.place(Offset::Offset(if is_commit { 7 } else { 9 }))?;
        producer.send_offsets_to_transaction(&sent, &group, PATIENCE)?;
        end(&producer, is_commit)?;
        let found = consumer.committed_offsets(session.place(Offset::Invalid)?, PATIENCE)?.elements()[0].offset();
        ensure(found == expected, || format!("{found:?} is committed, not {expected:?}"))?;
    }
    Ok(())
}

pub async fn fenced(session: &Session) -> Outcome {
    session.create(1).await?;
    let first = producer(session)?;
    first.begin_transaction()?;
    send(session, &first, "1").await?;
    let second = producer(session)?;
    let refusal = first.commit_transaction(PATIENCE);
    let is_fenced = match &refusal {
        Err(KafkaError::Transaction(error)) => {
            error.is_fatal() && matches!(error.code(), RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced)
        }
        _ => false,
    };
    ensure(is_fenced, || format!("two producers own one transactional id: {refusal:?}"))?;
    second.begin_transaction()?;
    send(session, &second, "2").await?;
    end(&second, true)?;
    let got = visible(session, 1).await?;
    ensure(got == ["2"], || format!("{got:?}"))
}
