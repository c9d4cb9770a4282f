//! `DescribeTopicPartitions`: topics in the order of their names, a bounded number of partitions at once, and where the next request goes on.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use engine::shard::core::LogRef;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};

use super::{authorized_operations, error_map};
use crate::catalog::{Catalog, Topic, check_topic_name};
use crate::internal_topics::is_reserved;
use crate::limits::DESCRIBED_PARTITIONS_MAX;
use crate::nodes::Nodes;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: DescribeTopicPartitionsRequest<'_>) -> Answer {
    let catalog = call.broker.catalog();
    let Some(names) = wanted(&catalog, &request) else { return refuse(call, &request) };
    let page = page(&catalog, &request, &names);
    let logs = page.topics.iter().flat_map(|(_, found)| found.iter().flat_map(Found::logs));
    let views = call.broker.views(logs.map(|(_, log)| log)).await;
    let epochs: HashMap<LogRef, i32> = views.into_iter().map(|(log, view)| (log, view.leader_epoch)).collect();
    let topics = page.topics.iter().map(|(name, found)| match found {
        Ok(found) => described(name, found, &call.client.nodes, &epochs),
        Err(error) => failed(name, *error),
    });
    let topics = topics.map(|topic| DescribeTopicPartitionsResponseTopic {
        topic_authorized_operations: authorized_operations::of_topic(true),
        ..topic
    });
    call.answer(&DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        next_cursor: page.next,
        ..Default::default()
    })
}

/// The names to describe, from the cursor on. None for a cursor that cannot be.
fn wanted<'a>(catalog: &'a Catalog, request: &DescribeTopicPartitionsRequest<'a>) -> Option<BTreeSet<&'a str>> {
    let from = request.cursor.as_ref().map_or("", |cursor| cursor.topic_name);
    let is_all = request.topics.is_empty();
    let names: BTreeSet<&str> = if is_all {
        catalog.topics().map(|topic| topic.name.as_str()).filter(|name| *name >= from).collect()
    } else {
        request.topics.iter().map(|topic| topic.name).filter(|name| *name >= from).collect()
    };
    let is_valid = |cursor: &Cursor<'_>| cursor.partition_index >= 0 && (is_all || names.contains(cursor.topic_name));
    request.cursor.as_ref().is_none_or(is_valid).then_some(names)
}

/// The answer has no error of its own: each topic that was named has it.
fn refuse(call: &Call, request: &DescribeTopicPartitionsRequest<'_>) -> Answer {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name),
        ..Default::default()
    });
    call.answer(&DescribeTopicPartitionsResponse {
        topics: topics.take(DESCRIBED_PARTITIONS_MAX).collect(),
        ..Default::default()
    })
}

/// What one answer holds.
struct Page<'a> {
    topics: Vec<(&'a str, Result<Found, ErrorCode>)>,
    next: Option<Cursor<'a>>,
}

/// Some partitions of a topic.
struct Found {
    topic: Arc<Topic>,
    partitions: Range<usize>,
}

impl Found {
    fn logs(&self) -> impl Iterator<Item = (i32, LogRef)> {
        (0..).zip(self.topic.logs()).skip(self.partitions.start).take(self.partitions.len())
    }
}

/// Takes partitions up to the limit, and cuts within a topic where that ends. Topics count also without partitions: those that there are
/// not would otherwise make an answer of any size.
fn page<'a>(catalog: &Catalog, request: &DescribeTopicPartitionsRequest<'a>, names: &BTreeSet<&'a str>) -> Page<'a> {
    let mut page = Page { topics: Vec::new(), next: None };
    // As in Kafka: a negative limit is answered with nothing.
    let Ok(limit) = usize::try_from(request.response_partition_limit) else { return page };
    let mut left = limit.min(DESCRIBED_PARTITIONS_MAX);
    for &name in names {
        if left == 0 || page.topics.len() == DESCRIBED_PARTITIONS_MAX {
            page.next = Some(Cursor { topic_name: name, partition_index: 0 });
            break;
        }
        let Some(topic) = catalog.topic(name) else {
            page.topics.push((name, Err(missing(name))));
            continue;
        };
        let cursor = request.cursor.as_ref().filter(|cursor| cursor.topic_name == name);
        let count = topic.partitions.len();
        let start = cursor.map_or(0, |cursor| usize::try_from(cursor.partition_index).unwrap_or(0)).min(count);
        let end = count.min(start + left);
        page.topics.push((name, Ok(Found { topic: Arc::clone(topic), partitions: start..end })));
        if end < count {
            page.next = Some(Cursor { topic_name: name, partition_index: end as i32 });
            break;
        }
        left -= end - start;
    }
    page
}

fn missing(name: &str) -> ErrorCode {
    check_topic_name(name).map_or_else(|error| error_map::catalog(&error), |()| ErrorCode::UnknownTopicOrPartition)
}

fn failed(name: &str, error: ErrorCode) -> DescribeTopicPartitionsResponseTopic<'_> {
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        name: Some(name),
        is_internal: is_reserved(name),
        ..Default::default()
    }
}

fn described<'a>(
    name: &'a str,
    found: &Found,
    nodes: &Nodes,
    epochs: &HashMap<LogRef, i32>,
) -> DescribeTopicPartitionsResponseTopic<'a> {
    let partitions = found.logs().map(|(partition_index, log)| {
        let leader_id = nodes.of_shard(log.shard).id;
        DescribeTopicPartitionsResponsePartition {
            error_code: ErrorCode::None.code(),
            partition_index,
            leader_id,
            leader_epoch: epochs.get(&log).copied().unwrap_or(-1),
            replica_nodes: vec![leader_id],
            isr_nodes: vec![leader_id],
            // The replica that leads is in sync, and no other could.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: Vec::new(),
        }
    });
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::None.code(),
        name: Some(name),
        topic_id: found.topic.id,
        is_internal: found.topic.internal,
        partitions: partitions.collect(),
        ..Default::default()
    }
}
