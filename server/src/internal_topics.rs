//! The broker's own topics, made at their first use: no client may make or write them.

use protocol::error_code::ErrorCode;

use crate::api::error_map;
use crate::broker::Broker;
use crate::catalog::{CatalogError, NewTopic, OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::limits::{
    OFFSETS_BATCH_BYTES_MAX, OFFSETS_TOPIC_PARTITIONS, TRANSACTIONS_BATCH_BYTES_MAX, TRANSACTIONS_TOPIC_PARTITIONS,
};
use crate::topic_config::TopicConfigs;

/// Whether a name is the broker's own.
pub fn is_reserved(name: &str) -> bool {
    name == OFFSETS_TOPIC || name == TRANSACTIONS_TOPIC
}

/// Makes `__consumer_offsets` unless it is there.
pub async fn ensure_offsets(broker: &Broker) -> Result<(), ErrorCode> {
    ensure(broker, OFFSETS_TOPIC, OFFSETS_TOPIC_PARTITIONS, OFFSETS_BATCH_BYTES_MAX * 2).await
}

/// Makes `__transaction_state` unless it is there.
pub async fn ensure_transactions(broker: &Broker) -> Result<(), ErrorCode> {
    ensure(broker, TRANSACTIONS_TOPIC, TRANSACTIONS_TOPIC_PARTITIONS, TRANSACTIONS_BATCH_BYTES_MAX).await
}

async fn ensure(broker: &Broker, name: &str, partitions: i32, batch_bytes_max: usize) -> Result<(), ErrorCode> {
    if let Some(topic) = broker.catalog().topic(name) {
        if topic.internal {
            return Ok(());
        }
        tracing::error!(
            topic = name,
            "a client's topic has a name of the broker's own, from a time when it could: delete it"
        );
        return Err(ErrorCode::CoordinatorNotAvailable);
    }
    let batch_bytes_max = batch_bytes_max.to_string();
    let configs = [("cleanup.policy", "compact"), ("max.message.bytes", &batch_bytes_max), ("retention.bytes", "-1")];
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let topic =
        NewTopic { name: name.to_owned(), partitions, configs: configs.collect::<TopicConfigs>(), internal: true };
    let created = broker.with_owner(|owner| async move { owner.create_topic(topic, false).await }).await;
    match created.unwrap_or(Err(CatalogError::Stopping)) {
        Ok(_) | Err(CatalogError::TopicExists(_)) => Ok(()),
        Err(error) => {
            tracing::error!(topic = name, %error, "cannot create a topic of the broker's own");
            // Retriable, whatever the reason: all may be fine in a moment.
            Err(match error_map::catalog(&error) {
                ErrorCode::KafkaStorageError | ErrorCode::NotController => ErrorCode::CoordinatorNotAvailable,
                code => code,
            })
        }
    }
}
