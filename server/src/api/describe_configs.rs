//! `DescribeConfigs`: every key of a topic, of a group or of this broker, with its value, all places that say one, its type, and what it does.

use std::collections::HashSet;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::error_map;
use super::resource_configs::{BROKER, GROUP, Refusal, TOPIC, check_name, is_broker};
use crate::catalog::{Catalog, Topic};
use crate::config::{BrokerKey, Effect, Settings, broker_key, broker_keys};
use crate::config_edits::StoredConfigs;
use crate::config_type::ConfigType;
use crate::group_config::{GROUP_KEYS, GroupKey};
use crate::request::{Answer, Call};
use crate::topic_config::{TOPIC_KEYS, TopicKey};

const SOURCE_TOPIC: i8 = 1;
const SOURCE_DYNAMIC_BROKER: i8 = 2;
const SOURCE_DYNAMIC_CLUSTER: i8 = 3;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
const SOURCE_GROUP: i8 = 8;

/// One setting, ready to be answered.
struct Setting {
    name: &'static str,
    value: Option<String>,
    /// Where a value is said, the one that counts first.
    places: Vec<Place>,
    kind: ConfigType,
    read_only: bool,
    documentation: &'static str,
}

/// One place that says a value.
struct Place {
    name: &'static str,
    value: String,
    source: i8,
}

pub fn handle(call: &Call, request: &DescribeConfigsRequest<'_>) -> Answer {
    // What is named again is not told again: a name takes five bytes, and its settings a hundred thousand.
    let mut named = HashSet::new();
    let resources = request.resources.iter();
    let resources: Vec<_> =
        resources.filter(|resource| named.insert((resource.resource_type, resource.resource_name))).collect();
    let described: Vec<_> = resources.iter().map(|resource| settings_of(call, resource)).collect();
    let results = resources
        .iter()
        .zip(&described)
        .map(|(resource, outcome)| {
            let (error, message, settings) = match outcome {
                Ok(settings) => (ErrorCode::None, "", settings.as_slice()),
                Err((error, message)) => (*error, message.as_str(), [].as_slice()),
            };
            DescribeConfigsResult {
                error_code: error.code(),
                error_message: Some(message),
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
                configs: settings.iter().map(|setting| config(setting, request)).collect(),
            }
        })
        .collect();
    call.answer(&DescribeConfigsResponse { results, ..Default::default() })
}

fn settings_of(call: &Call, resource: &DescribeConfigsResource<'_>) -> Result<Vec<Setting>, Refusal> {
    let catalog = call.broker.catalog();
    let fixed = &call.broker.settings;
    let mut settings: Vec<Setting> = match resource.resource_type {
        TOPIC => {
            check_name(resource.resource_name)?;
            let refusal = || (ErrorCode::UnknownTopicOrPartition, String::new());
            let topic = catalog.topic(resource.resource_name).ok_or_else(refusal)?;
            let effective = call.broker.effective_settings();
            TOPIC_KEYS.iter().map(|key| of_topic(key, topic, &catalog, fixed, &effective)).collect()
        }
        BROKER => {
            check_broker(call, resource.resource_name)?;
            let is_cluster = resource.resource_name.is_empty();
            let keys = broker_keys().filter(|key| !matches!(key.effect, Effect::Refused(_)));
            let described = keys.map(|key| of_broker(key, &catalog, fixed, is_cluster)).chain(of_start(fixed));
            // Of the whole cluster there is only what was changed for all of its brokers.
            described.filter(|setting| !is_cluster || catalog.cluster_configs().contains_key(setting.name)).collect()
        }
        GROUP if resource.resource_name.is_empty() => {
            return Err((ErrorCode::InvalidRequest, "Group name must not be empty".into()));
        }
        GROUP => {
            let configs = catalog.group_configs().get(resource.resource_name);
            GROUP_KEYS.iter().map(|key| of_group(key, configs, fixed)).collect()
        }
        other => return Err(unsupported(other)),
    };
    // Null asks for all, and so do older clients with an empty list.
    if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
        settings.retain(|setting| keys.contains(&setting.name));
    }
    Ok(settings)
}

/// Whether a broker resource means this broker.
fn check_broker(call: &Call, name: &str) -> Result<(), Refusal> {
    if is_broker(call, name) {
        return Ok(());
    }
    let name: String = name.chars().take(100).collect();
    let message = match name.parse::<i32>() {
        Ok(other) => {
            format!("Unexpected broker id, expected {} or empty string, but received {other}", call.broker.node_id())
        }
        Err(_) => format!("Broker id must be an integer, but it is: {name}"),
    };
    Err((ErrorCode::InvalidRequest, message))
}

/// The answer for a kind of resource that has no configuration here. Kafka has some for loggers and client metrics.
fn unsupported(resource_type: i8) -> Refusal {
    let message = match resource_type {
        8 | 16 => {
            format!(
                "Unsupported resource type: {resource_type}; topics (2), brokers (4) and groups (32) have settings here"
            )
        }
        _ => error_map::MALFORMED.to_owned(),
    };
    (ErrorCode::InvalidRequest, message)
}

fn of_topic(key: &TopicKey, topic: &Topic, catalog: &Catalog, fixed: &Settings, effective: &Settings) -> Setting {
    let set = topic.configs.get(key.name);
    let mut places: Vec<Place> = set.map(|value| place(key.name, value, SOURCE_TOPIC)).into_iter().collect();
    if let Some(broker_key) = key.broker_keys.first() {
        places.extend(broker_places(broker_key, key.broker_keys, catalog, fixed));
    }
    let value = set.cloned().unwrap_or_else(|| key.default_value(effective));
    let (kind, documentation) = (key.kind, key.documentation);
    Setting { name: key.name, value: Some(value), places, kind, read_only: false, documentation }
}

fn of_broker(key: &BrokerKey, catalog: &Catalog, fixed: &Settings, is_cluster: bool) -> Setting {
    let alone = [key.name];
    let mut places = broker_places(key.name, stand_ins(key.name).unwrap_or(&alone), catalog, fixed);
    // Of the cluster only what was changed for all of its brokers.
    places.retain(|place| !is_cluster || place.source == SOURCE_DYNAMIC_CLUSTER);
    let value = places.first().map(|place| place.value.clone()).or_else(|| key.value(fixed));
    let (name, kind, documentation) = (key.name, key.kind, key.documentation);
    Setting { name, value, places, kind, read_only: !key.is_dynamic(), documentation }
}

/// As in Kafka, a default is told under the group's own name, even where the broker's key says it.
fn of_group(key: &GroupKey, configs: Option<&StoredConfigs>, fixed: &Settings) -> Setting {
    let set = configs.and_then(|configs| configs.get(key.name));
    let source = if set.is_some() { SOURCE_GROUP } else { SOURCE_DEFAULT };
    let value = set.cloned().unwrap_or_else(|| key.default_value(fixed));
    let places = vec![place(key.name, &value, source)];
    let (name, kind, documentation) = (key.name, key.kind, key.documentation);
    Setting { name, value: Some(value), places, kind, read_only: false, documentation }
}

/// Kafka's keys that are said in another way here, and not taken, but told to those who ask where a broker is.
fn of_start(fixed: &Settings) -> [Setting; 2] {
    let setting = |name, kind, places: Vec<Place>, documentation| {
        let value = places.first().map(|place| place.value.clone());
        Setting { name, value, places, kind, read_only: true, documentation }
    };
    let id = "broker.id";
    let ids = vec![place(id, &fixed.node_id.to_string(), SOURCE_STATIC_BROKER), place(id, "-1", SOURCE_DEFAULT)];
    let directory = place("log.dirs", &fixed.data.to_string_lossy(), SOURCE_STATIC_BROKER);
    [
        setting(id, ConfigType::Int, ids, "What node.id says."),
        setting("log.dirs", ConfigType::String, vec![directory], "What --data says."),
    ]
}

/// The keys of the broker that stand in for each other, this one among them.
fn stand_ins(name: &str) -> Option<&'static [&'static str]> {
    TOPIC_KEYS.iter().map(|key| key.broker_keys).find(|keys| keys.contains(&name))
}

/// What the broker says of a key: changed for this broker, for all, in its file or on its command line, or by default. Keys that stand in for
/// it are named where they come behind it; before it they are not, as in Kafka, though they may be what counts.
fn broker_places(name: &str, names: &[&'static str], catalog: &Catalog, fixed: &Settings) -> Vec<Place> {
    let nothing = Settings::default();
    let sources = [
        (SOURCE_DYNAMIC_BROKER, catalog.broker_configs()),
        (SOURCE_DYNAMIC_CLUSTER, catalog.cluster_configs()),
        (SOURCE_STATIC_BROKER, &fixed.given),
    ];
    let mut places = Vec::new();
    for (source, configs) in sources {
        let said = names.iter().filter_map(|name| Some(place(name, configs.get(*name)?, source)));
        places.extend(said);
    }
    // A node has no id by default.
    let defaults = names.iter().filter(|name| **name != "node.id");
    places.extend(defaults.filter_map(|name| Some(place(name, &broker_key(name)?.value(&nothing)?, SOURCE_DEFAULT))));
    places.into_iter().skip_while(|place| place.name != name).collect()
}

fn place(name: &'static str, value: &str, source: i8) -> Place {
    Place { name, value: value.to_owned(), source }
}

fn config<'a>(setting: &'a Setting, request: &DescribeConfigsRequest<'_>) -> DescribeConfigsResourceResult<'a> {
    let is_sensitive = setting.kind == ConfigType::Password;
    let shown = |value: &'a str| (!is_sensitive).then_some(value);
    let synonyms = setting.places.iter().filter(|_| request.include_synonyms).map(|place| DescribeConfigsSynonym {
        name: place.name,
        value: shown(&place.value),
        source: place.source,
    });
    DescribeConfigsResourceResult {
        name: setting.name,
        value: setting.value.as_deref().and_then(shown),
        read_only: setting.read_only,
        config_source: setting.places.first().map_or(SOURCE_DEFAULT, |place| place.source),
        is_sensitive,
        synonyms: synonyms.collect(),
        config_type: setting.kind.wire(),
        documentation: request.include_documentation.then_some(setting.documentation),
    }
}
