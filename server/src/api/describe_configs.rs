//! `DescribeConfigs`: every key of a topic or of this broker, with its value, where it comes from, and its type.

use protocol::error_code::ErrorCode;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};

use crate::request::{Answer, Call};
use crate::topic_config::{ConfigType, TOPIC_KEYS};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// One setting, ready to be answered.
struct Setting {
    name: &'static str,
    value: String,
    default: Option<String>,
    source: i8,
    kind: i8,
    read_only: bool,
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
    let setting = |key: &crate::topic_config::TopicKey| {
        let default = key.default_value(&call.broker.settings);
        let set = topic.configs.get(key.name);
        Setting {
            name: key.name,
            value: set.cloned().unwrap_or_else(|| default.clone()),
            source: if set.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT },
            default: Some(default),
            kind: wire_type(key.kind),
            read_only: false,
        }
    };
    Ok(TOPIC_KEYS.iter().map(setting).collect())
}

fn broker_settings(call: &Call, name: &str) -> Result<Vec<Setting>, (ErrorCode, &'static str)> {
    let settings = &call.broker.settings;
    if !name.is_empty() && name != settings.node_id.to_string() {
        return Err((ErrorCode::InvalidRequest, "the resource name is not this node's id"));
    }
    let string = wire_type(ConfigType::String);
    let fixed = |name, value: &str| Setting {
        name,
        value: value.to_owned(),
        default: None,
        source: SOURCE_DEFAULT,
        kind: string,
        read_only: true,
    };
    let resolved = settings.resolved().map(|(name, value)| Setting {
        name,
        value,
        default: None,
        source: SOURCE_STATIC_BROKER,
        kind: string,
        read_only: true,
    });
    // What admin tools read of every broker although it is a matter of course here.
    let expected = [
        fixed("default.replication.factor", "1"),
        fixed("min.insync.replicas", "1"),
        fixed("delete.topic.enable", "true"),
    ];
    Ok(resolved.chain(expected).collect())
}

fn config(setting: &Setting, include_synonyms: bool) -> DescribeConfigsResourceResult<'_> {
    let own = DescribeConfigsSynonym { name: setting.name, value: Some(&setting.value), source: setting.source };
    let default = setting.default.as_deref().filter(|_| setting.source == SOURCE_TOPIC);
    let synonyms = if include_synonyms {
        let default = default.map(|value| DescribeConfigsSynonym {
            name: setting.name,
            value: Some(value),
            source: SOURCE_DEFAULT,
        });
        std::iter::once(own).chain(default).collect()
    } else {
        Vec::new()
    };
    DescribeConfigsResourceResult {
        name: setting.name,
        value: Some(&setting.value),
        read_only: setting.read_only,
        config_source: setting.source,
        is_sensitive: false,
        synonyms,
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
