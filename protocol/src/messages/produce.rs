//! `Produce`: appends record batches to partitions.

use crate::Records;

message! {
    /// Appends one batch to each of its partitions.
    pub struct ProduceRequest<'a>: request Produce {
        transactional_id: Option<&'a str>, 3..;
        /// 0: no answer at all; 1: after the leader's append; -1: after all replicas in sync.
        acks: i16, 0..;
        timeout_ms: i32, 0..;
        topic_data: Vec<TopicProduceData<'a>>, 0..;
    }

    /// What goes to one topic.
    pub struct TopicProduceData<'a> {
        name: &'a str, 0..=12;
        partition_data: Vec<PartitionProduceData<'a>>, 0..;
    }

    /// What goes to one partition.
    pub struct PartitionProduceData<'a> {
        index: i32, 0..;
        records: Option<Records<'a>>, 0..;
    }

    /// The answer, unless acks was 0.
    pub struct ProduceResponse<'a>: response Produce {
        responses: Vec<TopicProduceResponse<'a>>, 0..;
        throttle_time_ms: i32, 1..;
        node_endpoints: Vec<NodeEndpoint<'a>>, 10.., tag 0;
    }

    /// The outcome for one topic.
    pub struct TopicProduceResponse<'a> {
        name: &'a str, 0..=12;
        partition_responses: Vec<PartitionProduceResponse<'a>>, 0..;
    }

    /// The outcome for one partition.
    pub struct PartitionProduceResponse<'a> {
        index: i32, 0..;
        error_code: i16, 0..;
        base_offset: i64, 0..;
        /// -1 unless the topic stamps records itself.
        log_append_time_ms: i64, 2.., default -1;
        log_start_offset: i64, 5.., default -1;
        record_errors: Vec<BatchIndexAndErrorMessage<'a>>, 8..;
        error_message: Option<&'a str>, 8..;
        current_leader: LeaderIdAndEpoch, 10.., tag 0;
    }

    /// A record that made the batch fail.
    pub struct BatchIndexAndErrorMessage<'a> {
        batch_index: i32, 8..;
        batch_index_error_message: Option<&'a str>, 8..;
    }

    /// Who leads the partition now.
    pub struct LeaderIdAndEpoch {
        leader_id: i32, 10.., default -1;
        leader_epoch: i32, 10.., default -1;
    }

    /// Where a leader listens.
    pub struct NodeEndpoint<'a> {
        node_id: i32, 10..;
        host: &'a str, 10..;
        port: i32, 10..;
        rack: Option<&'a str>, 10..;
    }
}
