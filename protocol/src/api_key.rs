//! The APIs that this codec speaks, their versions, and which header each version carries.

use std::ops::RangeInclusive;

/// Calls `$callback!` with the table of all APIs: name, key, versions that the codec reads, first flexible version,
/// module, request and response. The one place where an API is added.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_api {
    ($callback:ident) => {
        $callback! {
            Produce = 0, 3..=11, 9, produce ProduceRequest ProduceResponse;
            Fetch = 1, 4..=17, 12, fetch FetchRequest FetchResponse;
            ListOffsets = 2, 1..=10, 6, list_offsets ListOffsetsRequest ListOffsetsResponse;
            Metadata = 3, 0..=13, 9, metadata MetadataRequest MetadataResponse;
            OffsetCommit = 8, 1..=9, 8, offset_commit OffsetCommitRequest OffsetCommitResponse;
            OffsetFetch = 9, 1..=9, 6, offset_fetch OffsetFetchRequest OffsetFetchResponse;
            FindCoordinator = 10, 0..=5, 3, find_coordinator FindCoordinatorRequest FindCoordinatorResponse;
            JoinGroup = 11, 0..=9, 6, join_group JoinGroupRequest JoinGroupResponse;
            Heartbeat = 12, 0..=4, 4, heartbeat HeartbeatRequest HeartbeatResponse;
            LeaveGroup = 13, 0..=5, 4, leave_group LeaveGroupRequest LeaveGroupResponse;
            SyncGroup = 14, 0..=5, 4, sync_group SyncGroupRequest SyncGroupResponse;
            DescribeGroups = 15, 0..=6, 5, describe_groups DescribeGroupsRequest DescribeGroupsResponse;
            ListGroups = 16, 0..=5, 3, list_groups ListGroupsRequest ListGroupsResponse;
            ApiVersions = 18, 0..=4, 3, api_versions ApiVersionsRequest ApiVersionsResponse;
            CreateTopics = 19, 2..=7, 5, create_topics CreateTopicsRequest CreateTopicsResponse;
            DeleteTopics = 20, 1..=6, 4, delete_topics DeleteTopicsRequest DeleteTopicsResponse;
            DeleteRecords = 21, 0..=2, 2, delete_records DeleteRecordsRequest DeleteRecordsResponse;
            InitProducerId = 22, 0..=5, 2, init_producer_id InitProducerIdRequest InitProducerIdResponse;
            OffsetForLeaderEpoch = 23, 2..=4, 4,
                offset_for_leader_epoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse;
            AddPartitionsToTxn = 24, 0..=3, 3, add_partitions_to_txn AddPartitionsToTxnRequest AddPartitionsToTxnResponse;
            AddOffsetsToTxn = 25, 0..=4, 3, add_offsets_to_txn AddOffsetsToTxnRequest AddOffsetsToTxnResponse;
            EndTxn = 26, 0..=4, 3, end_txn EndTxnRequest EndTxnResponse;
            TxnOffsetCommit = 28, 0..=4, 3, txn_offset_commit TxnOffsetCommitRequest TxnOffsetCommitResponse;
            DescribeAcls = 29, 1..=3, 2, describe_acls DescribeAclsRequest DescribeAclsResponse;
            CreateAcls = 30, 1..=3, 2, create_acls CreateAclsRequest CreateAclsResponse;
            DeleteAcls = 31, 1..=3, 2, delete_acls DeleteAclsRequest DeleteAclsResponse;
            DescribeConfigs = 32, 1..=4, 4, describe_configs DescribeConfigsRequest DescribeConfigsResponse;
            AlterConfigs = 33, 0..=2, 2, alter_configs AlterConfigsRequest AlterConfigsResponse;
            DescribeLogDirs = 35, 1..=4, 2, describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse;
            CreatePartitions = 37, 0..=3, 2, create_partitions CreatePartitionsRequest CreatePartitionsResponse;
            DeleteGroups = 42, 0..=2, 2, delete_groups DeleteGroupsRequest DeleteGroupsResponse;
            ElectLeaders = 43, 0..=2, 2, elect_leaders ElectLeadersRequest ElectLeadersResponse;
            IncrementalAlterConfigs = 44, 0..=1, 1,
                incremental_alter_configs IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse;
            AlterPartitionReassignments = 45, 0..=1, 0,
                alter_partition_reassignments AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse;
            ListPartitionReassignments = 46, 0..=0, 0,
                list_partition_reassignments ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse;
            // No version of it is flexible.
            OffsetDelete = 47, 0..=0, 1, offset_delete OffsetDeleteRequest OffsetDeleteResponse;
            DescribeCluster = 60, 0..=2, 0, describe_cluster DescribeClusterRequest DescribeClusterResponse;
            DescribeProducers = 61, 0..=0, 0, describe_producers DescribeProducersRequest DescribeProducersResponse;
            DescribeTransactions = 65, 0..=0, 0,
                describe_transactions DescribeTransactionsRequest DescribeTransactionsResponse;
            ListTransactions = 66, 0..=1, 0, list_transactions ListTransactionsRequest ListTransactionsResponse;
            ConsumerGroupHeartbeat = 68, 0..=1, 0,
                consumer_group_heartbeat ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse;
            ConsumerGroupDescribe = 69, 0..=1, 0,
                consumer_group_describe ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse;
            ListConfigResources = 74, 0..=1, 0,
                list_config_resources ListConfigResourcesRequest ListConfigResourcesResponse;
            DescribeTopicPartitions = 75, 0..=0, 0,
                describe_topic_partitions DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse;
        }
    };
}

macro_rules! api_keys {
    ($(
        $name:ident = $key:literal, $versions:expr, $flexible:literal, $module:ident $request:ident $response:ident;
    )*) => {
        /// An API of the Kafka protocol, by its key on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        pub enum ApiKey {
            $(#[doc = concat!("`", stringify!($name), "`, key ", stringify!($key), ".")] $name = $key,)*
        }

        impl ApiKey {
            /// All of them, by ascending key.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The API of a key on the wire; `None` for one that this codec does not speak.
            pub fn from_i16(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The versions that the codec reads and writes.
            pub fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => $versions,)*
                }
            }

            fn first_flexible_version(self) -> i16 {
                match self {
                    $(Self::$name => $flexible,)*
                }
            }
        }
    };
}
for_each_api!(api_keys);

impl ApiKey {
    /// The versions to list in an `ApiVersions` answer. Produce pretends to start at 0: librdkafka before 2.11.1 sends
    /// no compression otherwise (KAFKA-18659). Versions 0 to 2 are refused when they come.
    pub fn advertised_versions(self) -> RangeInclusive<i16> {
        match self {
            Self::Produce => 0..=*self.versions().end(),
            _ => self.versions(),
        }
    }

    /// Whether `version` has compact lengths and tagged fields. Also answers for versions that are still unknown.
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.first_flexible_version()
    }

    /// The version of the header in front of a request.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header in front of a response. Always 0 for `ApiVersions`: the client does not know yet
    /// what the broker speaks.
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self != Self::ApiVersions && self.is_flexible(version))
    }
}
