//! `Change`: one record of the catalog's log. JSON, because the log is small, rare and read by people after an accident.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Topic;
use crate::config_edits::StoredConfigs;

/// What became true. Every change is an assignment, so that replaying it twice does no harm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The cluster has this id.
    Cluster {
        /// Kafka's form: 22 characters of base64.
        id: String,
    },
    /// The topic is this: it was made, got partitions or other configs.
    Topic(Topic),
    /// The topic is gone.
    DeleteTopic {
        /// Its id.
        id: Uuid,
    },
    /// The dynamic configuration of all brokers of the cluster is this.
    ClusterConfigs {
        /// Values by name.
        configs: StoredConfigs,
    },
    /// The broker's dynamic configuration is this; it goes before the cluster's.
    BrokerConfigs {
        /// Values by name.
        configs: StoredConfigs,
    },
    /// The settings of a group are these; none when it has no more.
    GroupConfigs {
        /// The group's id.
        group_id: String,
        /// Values by name.
        configs: StoredConfigs,
    },
    /// Who leads partitions: the one node of all shards, or a node a shard.
    NodePerShard {
        /// A node a shard.
        enabled: bool,
    },
    /// Log ids below this were given away.
    NextLogId {
        /// The lowest free one.
        next: u64,
    },
    /// Producer ids below this were given away.
    NextProducerId {
        /// The lowest free one.
        next: i64,
    },
}

impl Change {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        // Strings, integers and maps with string keys: serde_json has no reason to fail on them.
        serde_json::to_vec(self).expect("a change has no map with keys that are not strings").into()
    }

    /// Reads a record's value; refuses what `encode` cannot make.
    pub fn decode(bytes: &[u8]) -> Result<Change, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
