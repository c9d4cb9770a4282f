//! Partitions that a client assigns to nodes by hand, checked as Kafka checks them.

use crate::config::ListenerMode;
use crate::request::Call;

/// Why partitions cannot be assigned so (`INVALID_REPLICA_ASSIGNMENT`).
pub fn refusal<'a>(call: &Call, assignments: impl Iterator<Item = &'a [i32]>) -> Option<String> {
    let first = call.broker.settings.node_id;
    let nodes = match call.broker.settings.listener_mode {
        ListenerMode::Shared => 1,
        ListenerMode::PerCore => call.broker.core.shard_count() as i32,
    };
    let is_node = |id: i32| (first..first + nodes).contains(&id);
    let mut replicas = assignments;
    if let Some(refusal) = replicas.find_map(|replicas| wrong_replicas(replicas, is_node)) {
        return Some(refusal);
    }
    (nodes > 1).then(|| "This broker spreads partitions over its nodes by itself.".to_owned())
}

/// What is wrong with the replicas of one partition.
fn wrong_replicas(replicas: &[i32], is_node: impl Fn(i32) -> bool) -> Option<String> {
    if replicas.is_empty() {
        return Some("The manual partition assignment includes an empty replica list.".to_owned());
    }
    // As Kafka does, the lowest one that is wrong is named.
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (at, id) in sorted.iter().enumerate() {
        if !is_node(*id) {
            return Some(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if at > 0 && sorted[at - 1] == *id {
            return Some(format!("The manual partition assignment includes the broker {id} more than once."));
        }
    }
    (replicas.len() > 1)
        .then(|| "The manual partition assignment includes more than the one replica that is kept.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_one_replica_on_a_node_that_there_is() {
        let wrong = |replicas: &[i32]| wrong_replicas(replicas, |id| (1..3).contains(&id)).unwrap_or_default();
        assert_eq!((wrong(&[1]), wrong(&[2])), (String::new(), String::new()));
        assert!(wrong(&[]).contains("empty replica list"));
        assert!(wrong(&[1, 9, 7]).contains("broker 7, but no such"));
        assert!(wrong(&[-1]).contains("broker -1, but no such"));
        assert!(wrong(&[2, 1, 2]).contains("the broker 2 more than once"));
        assert!(wrong(&[1, 2]).contains("more than the one replica"));
    }
}
