//! The APIs: one file each, and the one table from which requests are served and `ApiVersions` answers.

mod access_rules;
mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod alter_partition_reassignments;
mod api_versions;
mod assignments;
mod authorized_operations;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
pub mod error_map;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod resource_configs;
mod sync_group;
mod txn_offset_commit;

use std::pin::Pin;

use protocol::api_key::ApiKey;

use crate::request::{Answer, Call, Refused};
use crate::unserved::Unserved;

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A request that was begun.
pub enum Begun {
    /// Its batches are queued, in order; the next Produce may begin.
    Produce(LocalFuture<Answer>),
    /// Its batches are queued when this future ends; then the next Produce may begin.
    Delayed {
        /// What comes before that.
        queued: LocalFuture<Queued>,
        /// Its client waits for the answer: when that has gone it need not go on.
        is_answered: bool,
    },
    /// Not begun before it is polled, which waits for all earlier answers.
    Serial(LocalFuture<Result<Answer, Refused>>),
}

/// The answer to a Produce whose batches are queued.
pub struct Queued(pub LocalFuture<Answer>);

/// One row of the table.
struct Api {
    key: ApiKey,
    begin: fn(Call) -> Result<Begun, Refused>,
}

macro_rules! serial {
    ($key:ident, $module:ident) => {
        Api {
            key: ApiKey::$key,
            begin: |call| {
                Ok(Begun::Serial(Box::pin(async move {
                    let request = call.decode()?;
                    Ok($module::handle(&call, request).await)
                })))
            },
        }
    };
}

/// For answers that wait for other clients: what was asked is taken over, so that nobody waits for the memory of the frame.
macro_rules! waiting {
    ($key:ident, $module:ident) => {
        Api {
            key: ApiKey::$key,
            begin: |mut call| {
                Ok(Begun::Serial(Box::pin(async move {
                    let asked = $module::take_over(&call, &call.decode()?);
                    call.forget_frame();
                    Ok($module::handle(&call, asked).await)
                })))
            },
        }
    };
}

/// For answers that need nothing from another task.
macro_rules! at_once {
    ($key:ident, $module:ident) => {
        Api {
            key: ApiKey::$key,
            begin: |call| {
                Ok(Begun::Serial(Box::pin(async move {
                    let request = call.decode()?;
                    Ok($module::handle(&call, &request))
                })))
            },
        }
    };
}

/// Every API that works. Versions are the codec's: it knows no version that is not served.
const APIS: &[Api] = &[
    Api { key: ApiKey::Produce, begin: produce::begin },
    serial!(Fetch, fetch),
    serial!(ListOffsets, list_offsets),
    serial!(Metadata, metadata),
    serial!(OffsetCommit, offset_commit),
    serial!(OffsetFetch, offset_fetch),
    serial!(FindCoordinator, find_coordinator),
    waiting!(JoinGroup, join_group),
    serial!(Heartbeat, heartbeat),
    serial!(LeaveGroup, leave_group),
    waiting!(SyncGroup, sync_group),
    serial!(DescribeGroups, describe_groups),
    serial!(ListGroups, list_groups),
    Api {
        key: ApiKey::ApiVersions,
        begin: |call| Ok(Begun::Serial(Box::pin(async move { api_versions::handle(&call) }))),
    },
    serial!(CreateTopics, create_topics),
    serial!(DeleteTopics, delete_topics),
    serial!(DeleteRecords, delete_records),
    serial!(InitProducerId, init_producer_id),
    serial!(OffsetForLeaderEpoch, offset_for_leader_epoch),
    serial!(AddPartitionsToTxn, add_partitions_to_txn),
    serial!(AddOffsetsToTxn, add_offsets_to_txn),
    waiting!(EndTxn, end_txn),
    serial!(TxnOffsetCommit, txn_offset_commit),
    at_once!(DescribeAcls, describe_acls),
    at_once!(CreateAcls, create_acls),
    at_once!(DeleteAcls, delete_acls),
    at_once!(DescribeConfigs, describe_configs),
    serial!(AlterConfigs, alter_configs),
    serial!(DescribeLogDirs, describe_log_dirs),
    serial!(CreatePartitions, create_partitions),
    serial!(DeleteGroups, delete_groups),
    at_once!(ElectLeaders, elect_leaders),
    serial!(IncrementalAlterConfigs, incremental_alter_configs),
    at_once!(AlterPartitionReassignments, alter_partition_reassignments),
    at_once!(ListPartitionReassignments, list_partition_reassignments),
    serial!(OffsetDelete, offset_delete),
    at_once!(DescribeCluster, describe_cluster),
    serial!(DescribeProducers, describe_producers),
    serial!(DescribeTransactions, describe_transactions),
    serial!(ListTransactions, list_transactions),
    serial!(ConsumerGroupHeartbeat, consumer_group_heartbeat),
    serial!(ConsumerGroupDescribe, consumer_group_describe),
    at_once!(ListConfigResources, list_config_resources),
    serial!(DescribeTopicPartitions, describe_topic_partitions),
];

/// Begins a request.
pub fn begin(call: Call) -> Result<Begun, Refused> {
    match APIS.iter().find(|api| api.key == call.api) {
        Some(api) => (api.begin)(call),
        None => Err(Unserved { key: call.api as i16, version: call.version, client_id: call.client_id }.into()),
    }
}

/// The keys of the table.
fn served() -> impl Iterator<Item = ApiKey> {
    APIS.iter().map(|api| api.key)
}
