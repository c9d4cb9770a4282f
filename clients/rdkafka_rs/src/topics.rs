//! Topics and their settings through the admin client.

use rdkafka::admin::{
    AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;

use crate::session::{Outcome, PATIENCE, Session, ensure, one, options, until};

const DEFAULT: ConfigSource = ConfigSource::Default;
const DYNAMIC: ConfigSource = ConfigSource::DynamicTopic;

fn refusal(answer: Vec<Result<String, (String, RDKafkaErrorCode)>>, wanted: RDKafkaErrorCode) -> Outcome {
    let answer = one(answer)?;
    ensure(answer.as_ref().is_err_and(|(_, code)| *code == wanted), || format!("{answer:?} is not {wanted:?}"))
}

pub async fn life(session: &Session) -> Outcome {
    let admin = session.admin()?;
    let topic = NewTopic::new(&session.topic, 2, TopicReplication::Fixed(1));
    let partitions = || -> Outcome<Option<usize>> {
        let told = admin.inner().fetch_metadata(None, PATIENCE)?;
        Ok(told.topics().iter().find(|one| one.name() == session.topic).map(|one| one.partitions().len()))
    };
    one(admin.create_topics([&topic], &options().validate_only(true)).await?)?.map_err(|(_, code)| code)?;
    ensure(partitions()?.is_none(), || "it was only to be validated".to_owned())?;
    session.create(2).await?;
    refusal(admin.create_topics([&topic], &options()).await?, RDKafkaErrorCode::TopicAlreadyExists)?;
    let copies = NewTopic::new("copied", 1, TopicReplication::Fixed(3));
    refusal(admin.create_topics([&copies], &options()).await?, RDKafkaErrorCode::InvalidReplicationFactor)?;
    until("two partitions", || Ok(partitions()? == Some(2))).await?;
    let three = NewPartitions::new(&session.topic, 3);
    one(admin.create_partitions([&three], &options()).await?)?.map_err(|(_, code)| code)?;
    until("three partitions", || Ok(partitions()? == Some(3))).await?;
    let fewer = NewPartitions::new(&session.topic, 1);
    refusal(admin.create_partitions([&fewer], &options()).await?, RDKafkaErrorCode::InvalidPartitions)?;
    one(admin.delete_topics(&[&session.topic], &options()).await?)?.map_err(|(_, code)| code)?;
    until("deleted", || Ok(partitions()?.is_none())).await
}

pub async fn settings(session: &Session) -> Outcome {
    session.create(1).await?;
    expect(session, &[("retention.ms", "604800000", DEFAULT)]).await?;
    altered(session, &[("retention.ms", "3600000"), ("cleanup.policy", "compact")]).await?.map_err(|(_, code)| code)?;
    expect(session, &[("retention.ms", "3600000", DYNAMIC), ("cleanup.policy", "compact", DYNAMIC)]).await?;
    // What an alteration of this kind does not name goes back to its default.
    altered(session, &[("retention.ms", "7200000")]).await?.map_err(|(_, code)| code)?;
    expect(session, &[("retention.ms", "7200000", DYNAMIC), ("cleanup.policy", "delete", DEFAULT)]).await?;
    // The crate says Ok of a refused resource too, here as with Apache Kafka: `AlterConfigsFuture` of 0.39.0 never asks for its error.
    let _ = altered(session, &[("retention.ms", "soon")]).await?;
    expect(session, &[("retention.ms", "7200000", DYNAMIC)]).await?;
    let node = session.admin()?.inner().fetch_metadata(None, PATIENCE)?.brokers()[0].id();
    let broker = described(session, ResourceSpecifier::Broker(node)).await?;
    ensure(broker.get("log.retention.ms").is_some(), || "the broker tells no retention".to_owned())
}

async fn described(session: &Session, resource: ResourceSpecifier<'_>) -> Outcome<ConfigResource> {
    Ok(one(session.admin()?.describe_configs([&resource], &options()).await?)??)
}

async fn altered(session: &Session, settings: &[(&str, &str)]) -> Outcome<rdkafka::admin::AlterConfigsResult> {
    let empty = AlterConfig::new(ResourceSpecifier::Topic(&session.topic));
    let change = settings.iter().fold(empty, |change, (name, value)| change.set(name, value));
    one(session.admin()?.alter_configs([&change], &options()).await?)
}

/// Waits until these settings are told, with where they come from.
async fn expect(session: &Session, wanted: &[(&str, &str, ConfigSource)]) -> Outcome {
    let started = std::time::Instant::now();
    loop {
        let told = described(session, ResourceSpecifier::Topic(&session.topic)).await?;
        let is_told = |(name, value, source): &(&str, &str, ConfigSource)| {
            told.get(name).is_some_and(|entry| entry.value.as_deref() == Some(*value) && entry.source == *source)
        };
        if wanted.iter().all(is_told) {
            return Ok(());
        }
        ensure(started.elapsed() < PATIENCE, || format!("still not {wanted:?}"))?;
    }
}
