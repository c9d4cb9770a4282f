//! `AlterPartitionReassignments`: a partition stays on the node that leads it. To move it there is no move, and none is ever under way.

use protocol::error_code::ErrorCode;
use protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};

use super::resource_configs::Refusal;
use crate::catalog::Catalog;
use crate::limits::PARTITIONS_MAX;
use crate::nodes::Nodes;
use crate::request::{Answer, Call};

pub fn handle(call: &Call, request: &AlterPartitionReassignmentsRequest<'_>) -> Answer {
    let allow_replication_factor_change = request.allow_replication_factor_change;
    let named: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    if named > PARTITIONS_MAX {
        return call.answer(&AlterPartitionReassignmentsResponse {
            allow_replication_factor_change,
            error_code: ErrorCode::PolicyViolation.code(),
            error_message: Some("Unable to perform excessively large batch operation."),
            ..Default::default()
        });
    }
    let (catalog, nodes) = (call.broker.catalog(), &call.client.nodes);
    let outcomes_of = |(topic, partitions): (&str, &[ReassignablePartition])| -> Vec<_> {
        partitions.iter().map(|partition| reassign(&catalog, nodes, topic, partition).err()).collect()
    };
    let outcomes: Vec<Vec<Option<Refusal>>> =
        request.topics.iter().map(|topic| outcomes_of((topic.name, &topic.partitions))).collect();
    let responses = request.topics.iter().zip(&outcomes).map(|(topic, outcomes)| ReassignableTopicResponse {
        name: topic.name,
        partitions: topic
            .partitions
            .iter()
            .zip(outcomes)
            .map(|(asked, outcome)| response(asked, outcome.as_ref()))
            .collect(),
    });
    call.answer(&AlterPartitionReassignmentsResponse {
        allow_replication_factor_change,
        error_code: ErrorCode::None.code(),
        responses: responses.collect(),
        ..Default::default()
    })
}

fn response<'a>(asked: &ReassignablePartition, outcome: Option<&'a Refusal>) -> ReassignablePartitionResponse<'a> {
    let (error, message) = match outcome {
        None => (ErrorCode::None, None),
        Some((error, message)) => (*error, Some(message.as_str())),
    };
    ReassignablePartitionResponse {
        partition_index: asked.partition_index,
        error_code: error.code(),
        error_message: message,
    }
}

fn reassign(catalog: &Catalog, nodes: &Nodes, topic: &str, asked: &ReassignablePartition) -> Result<(), Refusal> {
    let unknown = |what: &str| (ErrorCode::UnknownTopicOrPartition, format!("Unable to find {what}."));
    let topic = catalog.topic(topic).ok_or_else(|| unknown("a topic of this name"))?;
    let log = topic.log(asked.partition_index).ok_or_else(|| unknown("this partition"))?;
    let Some(replicas) = &asked.replicas else {
        return Err((ErrorCode::NoReassignmentInProgress, "No partition reassignment is in progress.".to_owned()));
    };
    let leader = nodes.of_shard(log.shard).id;
    check_target(nodes, replicas, leader).map_err(|message| (ErrorCode::InvalidReplicaAssignment, message))
}

/// Kafka's rules of a target, then the one of this broker.
fn check_target(nodes: &Nodes, replicas: &[i32], leader: i32) -> Result<(), String> {
    if replicas == [leader] {
        return Ok(());
    }
    if replicas.is_empty() {
        return Err("The manual partition assignment includes an empty replica list.".into());
    }
    // One more than there are nodes shows a fault, however many follow.
    let mut replicas: Vec<i32> = replicas.iter().copied().take(nodes.all().count() + 1).collect();
    replicas.sort_unstable();
    let mut previous = None;
    for replica in replicas {
        if nodes.all().all(|node| node.id != replica) {
            return Err(format!(
                "The manual partition assignment includes broker {replica}, but no such broker is registered."
            ));
        }
        if previous.replace(replica) == Some(replica) {
            return Err(format!("The manual partition assignment includes the broker {replica} more than once."));
        }
    }
    Err(format!("A partition has one replica, which stays on the broker that leads it, here {leader}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_refused_for_its_first_fault() {
        let nodes = Nodes::new(1, "h".into(), [1, 2, 3].into());
        let refused = |replicas: &[i32]| check_target(&nodes, replicas, 1).err().unwrap_or_default();
        assert_eq!(refused(&[1]), "");
        for (replicas, fault) in [
            ([].as_slice(), "empty"),
            (&[7, 1], "broker 7,"),
            (&[2, 2, 3], "2 more than once"),
            (&[2], "here 1"),
            (&[1, 2], "here 1"),
        ] {
            assert!(refused(replicas).contains(fault), "{replicas:?}: {}", refused(replicas));
        }
    }
}
