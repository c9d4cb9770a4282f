//! `GroupKey`: the settings of single groups (resource type 32) under Kafka's names: what they take, and what they are where nothing is set.

use crate::config::{Settings, broker_key};
use crate::config_edits::{EditError, StoredConfigs};
use crate::config_type::ConfigType;
use crate::group::ConsumerConfig;
use crate::topic_config::Check;

/// One key.
pub struct GroupKey {
    /// Kafka's name.
    pub name: &'static str,
    /// The type that `DescribeConfigs` reports.
    pub kind: ConfigType,
    /// Whether it changes what the broker does. What does not act is stored and reported back.
    pub acts: bool,
    /// Kafka's default. Where nothing is set the broker's key counts before it.
    pub default: &'static str,
    /// What it does here.
    pub documentation: &'static str,
    check: Check,
}

const SESSION: &str = "consumer.session.timeout.ms";
const INTERVAL: &str = "consumer.heartbeat.interval.ms";
/// Of what Kafka reads as an int.
const LARGEST: i64 = i32::MAX as i64;

macro_rules! group_keys {
    ($($name:literal: $kind:ident = $default:literal, $check:expr, $acts:literal, $documentation:literal;)*) => {
        /// Every key of Kafka 4.1, in the order in which Kafka reads them.
        pub const GROUP_KEYS: &[GroupKey] = &[$(GroupKey {
            name: $name,
            kind: ConfigType::$kind,
            acts: $acts,
            default: $default,
            documentation: $documentation,
            check: $check,
        }),*];
    };
}

group_keys! {
    "consumer.session.timeout.ms": Int = "45000", Check::Integer(1, LARGEST), true,
        "Silence after which a member of the consumer protocol is dropped, ms.";
    "consumer.heartbeat.interval.ms": Int = "5000", Check::Integer(1, LARGEST), true,
        "How often members of the consumer protocol are told to speak, ms.";
    "share.session.timeout.ms": Int = "45000", Check::Integer(1, LARGEST), false, "Share groups are not served.";
    "share.heartbeat.interval.ms": Int = "5000", Check::Integer(1, LARGEST), false, "Share groups are not served.";
    "share.record.lock.duration.ms": Int = "30000", Check::Integer(1000, LARGEST), false, "Share groups are not served.";
    "share.auto.offset.reset": String = "latest", Check::OffsetReset, false, "Share groups are not served.";
    "streams.session.timeout.ms": Int = "45000", Check::Integer(1, LARGEST), false,
        "Groups of the streams protocol are not served.";
    "streams.heartbeat.interval.ms": Int = "5000", Check::Integer(1, LARGEST), false,
        "Groups of the streams protocol are not served.";
    "streams.num.standby.replicas": Int = "0", Check::Integer(0, LARGEST), false,
        "Groups of the streams protocol are not served.";
    "share.isolation.level": String = "read_uncommitted", Check::OneOf(&["read_committed", "read_uncommitted"]), false,
        "Share groups are not served.";
}

/// The broker's keys that bound one of a group, in the order in which Kafka looks at them.
const BOUNDS: &[(&str, &str, &str)] = &[
    (INTERVAL, "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    (SESSION, "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"),
    (
        "share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    (
        "streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    ("streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"),
    // Nothing bounds it from below but its type.
    ("streams.num.standby.replicas", "", "group.streams.max.standby.replicas"),
];

/// A session and the interval that must be below it.
const PAIRS: &[(&str, &str)] = &[
    (SESSION, INTERVAL),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];

impl GroupKey {
    /// The broker's key for it, which may not be there.
    pub fn broker_key(&self) -> String {
        format!("group.{}", self.name)
    }

    /// The value where none is set.
    pub fn default_value(&self, settings: &Settings) -> String {
        let of_broker = broker_key(&self.broker_key()).and_then(|key| key.value(settings));
        of_broker.unwrap_or_else(|| self.default.to_owned())
    }

    fn read(&self, value: &str) -> Result<String, EditError> {
        let refused = |value: &str, reason: &str| {
            EditError::Invalid(format!("Invalid value {value} for configuration {}: {reason}", self.name))
        };
        let read = self.kind.read(value).map_err(|reason| refused(value.trim(), &reason))?;
        match self.check.refusal(self.name, &read) {
            Some(wrong) => Err(refused(&wrong.value, &wrong.reason)),
            None => Ok(read),
        }
    }
}

fn group_key(name: &str) -> Option<&'static GroupKey> {
    GROUP_KEYS.iter().find(|key| key.name == name)
}

/// Checks all that is set for a group, each and together, and gives what to store.
///
/// # Errors
///
/// Says what is wrong first, in Kafka's order and words.
pub fn validate(configs: &StoredConfigs, settings: &Settings) -> Result<StoredConfigs, EditError> {
    if let Some(unknown) = configs.keys().find(|name| group_key(name).is_none()) {
        let shown: String = unknown.chars().take(100).collect();
        return Err(EditError::Invalid(format!("Unknown group config name: {shown}")));
    }
    let mut read = StoredConfigs::new();
    for key in GROUP_KEYS {
        if let Some(value) = configs.get(key.name) {
            read.insert(key.name.to_owned(), key.read(value)?);
        }
    }
    check_together(&read, settings).map_err(EditError::Invalid)?;
    Ok(read)
}

fn check_together(configs: &StoredConfigs, settings: &Settings) -> Result<(), String> {
    let number = |name: &str| -> Option<i64> {
        let set = configs.get(name).cloned();
        set.or_else(|| group_key(name).map(|key| key.default_value(settings)))?.parse().ok()
    };
    let bound = |name: &str| -> Option<i64> { broker_key(name)?.value(settings)?.parse().ok() };
    for (name, least, most) in BOUNDS {
        if number(name) < bound(least) {
            return Err(format!("{name} must be greater than or equal to {least}"));
        }
        if bound(most).is_some_and(|most| number(name) > Some(most)) {
            return Err(format!("{name} must be less than or equal to {most}"));
        }
    }
    match PAIRS.iter().find(|(session, interval)| number(session) <= number(interval)) {
        Some((session, interval)) => Err(format!("{session} must be greater than {interval}")),
        None => Ok(()),
    }
}

/// What acts of what is set for a group, over what the broker says.
pub fn acting(of_broker: ConsumerConfig, configs: Option<&StoredConfigs>) -> ConsumerConfig {
    let set = |name: &str, otherwise: i32| {
        configs.and_then(|configs| configs.get(name)).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    ConsumerConfig {
        session_timeout_ms: set(SESSION, of_broker.session_timeout_ms),
        heartbeat_interval_ms: set(INTERVAL, of_broker.heartbeat_interval_ms),
        ..of_broker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(pairs: &[(&str, &str)]) -> Result<StoredConfigs, String> {
        let configs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        validate(&configs, &Settings::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_within_their_bounds_and_come_from_the_broker() {
        assert_eq!(validated(&[]), Ok(StoredConfigs::new()));
        let settings = Settings { group_consumer_session_timeout_ms: 50_000, ..Settings::default() };
        assert_eq!(group_key(SESSION).unwrap().default_value(&settings), "50000");
        for key in GROUP_KEYS {
            let default = key.default_value(&Settings::default());
            assert_eq!(validated(&[(key.name, &default)]).map(|read| read[key.name].clone()), Ok(default));
        }
    }

    #[test]
    fn the_broker_bounds_what_a_group_may_have() {
        for (name, value, refused) in [
            (SESSION, "44999", "must be greater than or equal to group.consumer.min.session.timeout.ms"),
            (SESSION, "60001", "must be less than or equal to group.consumer.max.session.timeout.ms"),
            (INTERVAL, "4999", "must be greater than or equal to group.consumer.min.heartbeat.interval.ms"),
            (INTERVAL, "15001", "must be less than or equal to group.consumer.max.heartbeat.interval.ms"),
        ] {
            assert_eq!(validated(&[(name, value)]), Err(format!("{name} {refused}")));
        }
        assert_eq!(validated(&[(SESSION, " 60000 "), (INTERVAL, "15000")]).unwrap()[SESSION], "60000");
        let narrow = Settings { group_consumer_min_session_timeout_ms: 1, ..Settings::default() };
        let session = StoredConfigs::from([(SESSION.to_owned(), "5000".to_owned())]);
        let refused = validate(&session, &narrow).unwrap_err().to_string();
        assert_eq!(refused, format!("{SESSION} must be greater than {INTERVAL}"));
    }

    #[test]
    fn what_is_unknown_or_no_number_is_refused() {
        assert_eq!(validated(&[("no.such", "1")]), Err("Unknown group config name: no.such".to_owned()));
        let no_number = format!("Invalid value x for configuration {SESSION}: Not a number of type INT");
        assert_eq!(validated(&[(SESSION, "x")]), Err(no_number));
    }

    #[test]
    fn what_is_set_acts_before_what_the_broker_says() {
        let of_broker = ConsumerConfig::default();
        assert_eq!(acting(of_broker, None), of_broker);
        let set = StoredConfigs::from([(INTERVAL.to_owned(), "7000".to_owned())]);
        assert_eq!(acting(of_broker, Some(&set)), ConsumerConfig { heartbeat_interval_ms: 7_000, ..of_broker });
    }
}
