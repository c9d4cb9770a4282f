//! `ElectLeaders`: every partition has one replica, which leads it, so that no election is ever needed.

use protocol::error_code::ErrorCode;
use protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, ElectLeadersTopicPartitions, PartitionResult, ReplicaElectionResult,
};

use crate::catalog::Catalog;
use crate::limits::PARTITIONS_MAX;
use crate::request::{Answer, Call};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub fn handle(call: &Call, request: &ElectLeadersRequest<'_>) -> Answer {
    // Of all partitions only those are told that need an election.
    let topics = request.topic_partitions.as_deref().unwrap_or_default();
    let named: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    if named > PARTITIONS_MAX {
        let error_code = ErrorCode::PolicyViolation.code();
        return call.answer(&ElectLeadersResponse { error_code, ..Default::default() });
    }
    let is_known_type = matches!(request.election_type, PREFERRED | UNCLEAN);
    let refusal = if is_known_type { ErrorCode::None } else { ErrorCode::InvalidRequest };
    let catalog = call.broker.catalog();
    let outcome = |topic: &str, partition: i32| match refusal {
        ErrorCode::None => elect(&catalog, topic, partition),
        refusal => (refusal, "Unknown election type"),
    };
    let results = topics.iter().map(|topic| result(topic, &outcome));
    call.answer(&ElectLeadersResponse {
        error_code: refusal.code(),
        replica_election_results: results.collect(),
        ..Default::default()
    })
}

fn result<'a>(
    asked: &ElectLeadersTopicPartitions<'a>,
    outcome: &impl Fn(&str, i32) -> (ErrorCode, &'static str),
) -> ReplicaElectionResult<'a> {
    let partitions = asked.partitions.iter().map(|&partition_id| {
        let (error, message) = outcome(asked.topic, partition_id);
        PartitionResult { partition_id, error_code: error.code(), error_message: Some(message) }
    });
    ReplicaElectionResult { topic: asked.topic, partition_result: partitions.collect() }
}

/// The error that tells how it went; an election that would change nothing is one.
fn elect(catalog: &Catalog, topic: &str, partition: i32) -> (ErrorCode, &'static str) {
    match catalog.log(topic, partition) {
        Some(_) => (ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition."),
        None => (ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition."),
    }
}
