//! `DescribeLogDirs`: the bytes of batches that each partition of this node holds, in its one data directory, and what the disk has left. A
//! partition that is named twice is answered once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::shard::core::LogRef;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::catalog::Topic;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: DescribeLogDirsRequest<'_>) -> Answer {
    let asked = match &request.topics {
        None => everything(call),
        Some(topics) => named(call, topics),
    };
    let views = call.broker.views(asked.iter().flat_map(|(_, logs)| logs.values().copied())).await;
    let topics = asked.iter().map(|(topic, partitions)| DescribeLogDirsTopic {
        name: &topic.name,
        partitions: partitions
            .iter()
            .map(|(&partition_index, log)| DescribeLogDirsPartition {
                partition_index,
                partition_size: views.get(log).map_or(0, |view| view.bytes.cast_signed()),
                ..Default::default()
            })
            .collect(),
    });
    let data = &call.broker.settings.data;
    let log_dir = data.canonicalize().unwrap_or_else(|_| data.clone()).display().to_string();
    let space = rustix::fs::statvfs(data).ok();
    let bytes_of =
        |blocks: u64, block_bytes: u64| i64::try_from(blocks.saturating_mul(block_bytes)).unwrap_or(i64::MAX);
    call.answer(&DescribeLogDirsResponse {
        results: vec![DescribeLogDirsResult {
            error_code: ErrorCode::None.code(),
            log_dir: &log_dir,
            topics: topics.collect(),
            total_bytes: space.as_ref().map_or(-1, |space| bytes_of(space.f_blocks, space.f_frsize)),
            usable_bytes: space.as_ref().map_or(-1, |space| bytes_of(space.f_bavail, space.f_frsize)),
        }],
        ..Default::default()
    })
}

/// A topic and those of its partitions that this node has.
type Asked = Vec<(Arc<Topic>, BTreeMap<i32, LogRef>)>;

fn everything(call: &Call) -> Asked {
    let catalog = call.broker.catalog();
    let here = |topic: &Arc<Topic>| {
        let logs = (0..).zip(topic.logs()).filter(|(_, log)| call.broker.leads(*log));
        (Arc::clone(topic), logs.collect())
    };
    catalog.topics().map(here).filter(|(_, logs): &(_, BTreeMap<_, _>)| !logs.is_empty()).collect()
}

fn named(call: &Call, topics: &[DescribableLogDirTopic<'_>]) -> Asked {
    let catalog = call.broker.catalog();
    let mut wanted: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for asked in topics {
        wanted.entry(asked.topic).or_default().extend(&asked.partitions);
    }
    let mut found = Asked::new();
    for (name, partitions) in wanted {
        let Some(topic) = catalog.topic(name) else { continue };
        let logs = partitions.into_iter().filter_map(|partition| Some((partition, topic.log(partition)?)));
        let logs: BTreeMap<_, _> = logs.filter(|(_, log)| call.broker.leads(*log)).collect();
        if !logs.is_empty() {
            found.push((Arc::clone(topic), logs));
        }
    }
    found
}
