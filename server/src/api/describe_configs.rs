//! `DescribeConfigs`: every key of a topic or of this broker, with its value, where it comes from, and its type.

use protocol::error_code::ErrorCode;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::resource_configs::{BROKER, TOPIC, is_this_broker};
use crate::config::DYNAMIC_KEYS;
use crate::request::{Answer, Call};
use crate::topic_config::{ConfigType, TOPIC_KEYS, TopicKey};

const SOURCE_TOPIC: i8 = 1;
const SOURCE_DYNAMIC_BROKER: i8 = 2;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// One setting, ready to be answered.
struct Setting {
    name: &'static str,
    /// Where a value is said, the one that counts first.
    places: Vec<Place>,
    kind: i8,
    read_only: bool,
}

/// One place that says a value.
struct Place {
    name: &'static str,
    value: String,
    source: i8,
}

pub fn handle(call: &Call, request: &DescribeConfigsRequest<'_>) -> Answer {
    let described: Vec<_> = request.resources.iter().map(|resource| settings_of(call, resource)).collect();
    let results = request
        .resources
        .iter()
        .zip(&described)
        .map(|(resource, outcome)| {
            let (error, message, settings) = match outcome {
                Ok(settings) => (ErrorCode::None, None, settings.as_slice()),
                Err((error, message)) => (*error, Some(*message), [].as_slice()),
            };
            DescribeConfigsResult {
                error_code: error.code(),
                error_message: message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
                configs: settings.iter().map(|setting| config(setting, request.include_synonyms)).collect(),
            }
        })
        .collect();
    call.answer(&DescribeConfigsResponse { results, ..Default::default() })
}

fn settings_of(call: &Call, resource: &DescribeConfigsResource<'_>) -> Result<Vec<Setting>, (ErrorCode, &'static str)> {
    let mut settings = match resource.resource_type {
        TOPIC => topic_settings(call, resource.resource_name)?,
        BROKER => broker_settings(call, resource.resource_name)?,
        _ => return Err((ErrorCode::InvalidRequest, "only topics and brokers have settings here")),
    };
    // Null asks for all, and so do older clients with an empty list.
    if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
        settings.retain(|setting| keys.contains(&setting.name));
    }
    Ok(settings)
}

fn topic_settings(call: &Call, name: &str) -> Result<Vec<Setting>, (ErrorCode, &'static str)> {
    let catalog = call.broker.catalog();
    let topic = catalog.topic(name).ok_or((ErrorCode::UnknownTopicOrPartition, "there is no such topic"))?;
    let fixed = &call.broker.settings;
    let setting = |key: &TopicKey| {
        let of_topic = topic.configs.get(key.name).map(|value| place(key.name, value, SOURCE_TOPIC));
        let of_broker = key
            .broker_key()
            .and_then(|name| catalog.broker_configs().get(name).map(|value| place(name, value, SOURCE_DYNAMIC_BROKER)));
        let default = place(key.broker_key().unwrap_or(key.name), &key.default_value(fixed), SOURCE_DEFAULT);
        let places = of_topic.into_iter().chain(of_broker).chain([default]).collect();
        Setting { name: key.name, places, kind: wire_type(key.kind), read_only: false }
    };
    Ok(TOPIC_KEYS.iter().map(setting).collect())
}

fn broker_settings(call: &Call, name: &str) -> Result<Vec<Setting>, (ErrorCode, &'static str)> {
    if !is_this_broker(call, name) {
        return Err((ErrorCode::InvalidRequest, "the resource name is not this node's id"));
    }
    let catalog = call.broker.catalog();
    let kind = wire_type(ConfigType::String);
    let resolved = call.broker.settings.resolved().map(|(name, value)| {
        let dynamic = catalog.broker_configs().get(name).map(|value| place(name, value, SOURCE_DYNAMIC_BROKER));
        let places = dynamic.into_iter().chain([place(name, &value, SOURCE_STATIC_BROKER)]).collect();
        Setting { name, places, kind, read_only: !DYNAMIC_KEYS.contains(&name) }
    });
    // What admin tools read of every broker although it is a matter of course here.
    let expected = [("default.replication.factor", "1"), ("delete.topic.enable", "true")]
        .map(|(name, value)| Setting { name, places: vec![place(name, value, SOURCE_DEFAULT)], kind, read_only: true });
    Ok(resolved.chain(expected).collect())
}

fn place(name: &'static str, value: &str, source: i8) -> Place {
    Place { name, value: value.to_owned(), source }
}

fn config(setting: &Setting, include_synonyms: bool) -> DescribeConfigsResourceResult<'_> {
    let synonyms = setting.places.iter().filter(|_| include_synonyms).map(|place| DescribeConfigsSynonym {
        name: place.name,
        value: Some(&place.value),
        source: place.source,
    });
    let first = &setting.places[0];
    DescribeConfigsResourceResult {
        name: setting.name,
        value: Some(&first.value),
        read_only: setting.read_only,
        config_source: first.source,
        is_sensitive: false,
        synonyms: synonyms.collect(),
        config_type: setting.kind,
        documentation: None,
    }
}

fn wire_type(kind: ConfigType) -> i8 {
    match kind {
        ConfigType::Boolean => 1,
        ConfigType::String => 2,
        ConfigType::Int => 3,
        ConfigType::Long => 5,
        ConfigType::Double => 6,
        ConfigType::List => 7,
    }
}
