//! What the broker says about its settings, so that a result tells what was measured: without secrets, and without what only
//! says where the broker lives, which would make every embedded broker another target.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};

use crate::client::Client;
use crate::cluster::{Topic, socket_address};
use crate::error::Error;

/// Settings are a remark beside the figures: a broker that takes longer goes without.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Apache Kafka has some 250 settings of a broker and 40 of a topic, of which most are defaults and left out.
const SETTINGS_MAX: usize = 200;

/// Longer values are lists of addresses or of ciphers.
const VALUE_LETTERS_MAX: usize = 200;

/// Kafka's resource types.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Kafka's `ConfigSource` of a built-in default.
const SOURCE_DEFAULT: i8 = 5;

/// A setting with one of these in its name may be a secret, whatever the broker says of it.
const SECRET_PARTS: [&str; 6] = ["password", "secret", "key", "jaas", "credential", "token"];

/// A setting with one of these in its name says where the broker lives.
const PLACE_PARTS: [&str; 8] = [
    "listeners",
    "admin.listener",
    "host.name",
    "log.dir",
    "bootstrap",
    "zookeeper.connect",
    "location",
    "controller.quorum",
];

/// Settings that identify a node and nothing else.
const IDENTITIES: [&str; 6] = ["node.id", "broker.id", "broker.rack", "cluster.id", "port", "advertised.port"];

/// Defaults that are told all the same: they decide how fast a broker is, and differ between versions of it.
const TELLING_DEFAULTS: [&str; 18] = [
    "cleanup.policy",
    "compression.type",
    "flush.messages",
    "flush.ms",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "log.segment.bytes",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "num.io.threads",
    "num.network.threads",
    "num.replica.fetchers",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
];

/// Settings of a broker at `bootstrap` and (`topic.` in front) of the topic; none when it does not tell.
pub fn describe(bootstrap: &str, topic: &Topic) -> BTreeMap<String, String> {
    // A run does not fail for want of a remark.
    ask(bootstrap, topic).unwrap_or_default()
}

fn ask(bootstrap: &str, topic: &Topic) -> Result<BTreeMap<String, String>, Error> {
    let login = topic.login.as_deref();
    let mut client = Client::open_as(login, bootstrap, CALL_TIMEOUT)?;
    let metadata: MetadataResponse<'_> =
        client.call(&MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() })?;
    let Some(broker) = metadata.brokers.first() else { return Ok(BTreeMap::new()) };
    // Each broker tells its own settings only.
    let (node, address) = (broker.node_id.to_string(), socket_address(broker.host, broker.port));
    let mut client = Client::open_as(login, &address, CALL_TIMEOUT)?;
    let resource = |resource_type, resource_name| DescribeConfigsResource {
        resource_type,
        resource_name,
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource(BROKER, node.as_str()), resource(TOPIC, &topic.name)],
        ..DescribeConfigsRequest::default()
    };
    let response: DescribeConfigsResponse<'_> = client.call(&request)?;
    let mut settings = BTreeMap::new();
    for result in response.results.iter().filter(|result| result.error_code == 0) {
        let prefix = if result.resource_type == TOPIC { "topic." } else { "" };
        let told = result.configs.iter().filter(|setting| is_told(setting));
        for setting in told.take(SETTINGS_MAX - settings.len().min(SETTINGS_MAX)) {
            settings.insert(format!("{prefix}{}", clipped(setting.name)), value_of(setting));
        }
    }
    Ok(settings)
}

fn is_told(setting: &DescribeConfigsResourceResult<'_>) -> bool {
    let name = setting.name;
    let says_place = PLACE_PARTS.iter().any(|part| name.contains(part)) || IDENTITIES.contains(&name);
    !says_place
        && (setting.config_source != SOURCE_DEFAULT
            || TELLING_DEFAULTS.contains(&name)
            || name.starts_with("posthaste."))
}

fn value_of(setting: &DescribeConfigsResourceResult<'_>) -> String {
    let name = setting.name.to_lowercase();
    let is_secret = setting.is_sensitive || SECRET_PARTS.iter().any(|part| name.contains(part));
    match setting.value {
        _ if is_secret => "(not told)".into(),
        Some(value) => clipped(value),
        None => String::new(),
    }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(VALUE_LETTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting<'a>(name: &'a str, value: &'a str, config_source: i8) -> DescribeConfigsResourceResult<'a> {
        DescribeConfigsResourceResult { name, value: Some(value), config_source, ..Default::default() }
    }

    #[test]
    fn whatever_may_be_a_secret_is_not_told_however_the_broker_marks_it() {
        for name in ["ssl.keystore.password", "sasl.jaas.config", "Delegation.Secret", "aws.credentials", "api.key"] {
            assert_eq!(value_of(&setting(name, "hunter2", 4)), "(not told)", "{name}");
        }
        let marked = DescribeConfigsResourceResult { is_sensitive: true, ..setting("harmless", "hunter2", 4) };
        assert_eq!(value_of(&marked), "(not told)");
        assert_eq!(value_of(&setting("num.io.threads", "8", 4)), "8");
    }

    #[test]
    fn places_and_defaults_without_weight_are_left_out() {
        assert!(is_told(&setting("num.io.threads", "8", SOURCE_DEFAULT)));
        assert!(is_told(&setting("log.cleaner.threads", "2", 4)));
        assert!(is_told(&setting("connections.max.idle.ms", "600000", 4)));
        assert!(!is_told(&setting("log.cleaner.threads", "1", SOURCE_DEFAULT)));
        for name in ["advertised.listeners", "log.dirs", "log.dir", "node.id", "controller.quorum.voters"] {
            assert!(!is_told(&setting(name, "somewhere", 4)), "{name}");
        }
    }

    #[test]
    fn a_long_value_is_clipped_between_letters() {
        let long = "ä".repeat(VALUE_LETTERS_MAX + 5);
        assert_eq!(clipped(&long).chars().count(), VALUE_LETTERS_MAX + 3);
        assert_eq!(clipped("short"), "short");
    }
}
