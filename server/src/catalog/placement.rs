//! Which shards get new partitions: so that every topic is spread evenly, and all topics together are.

use super::{Catalog, Topic};

/// The shards of `count` new partitions of a topic that has `placed` already. Broker topics (`internal`) and clients' are counted apart: what
/// the broker keeps for itself is idle beside what clients do.
pub fn spread(catalog: &Catalog, placed: Option<&Topic>, internal: bool, count: usize, shards: u32) -> Vec<u32> {
    let mut of_all = vec![0_usize; shards as usize];
    let mut of_topic = of_all.clone();
    for topic in catalog.topics().filter(|topic| topic.internal == internal) {
        count_partitions(topic, &mut of_all);
    }
    if let Some(topic) = placed {
        count_partitions(topic, &mut of_topic);
    }
    let emptiest = |_| {
        let shard = (0..of_all.len()).min_by_key(|shard| (of_topic[*shard], of_all[*shard])).unwrap_or(0);
        of_all[shard] += 1;
        of_topic[shard] += 1;
        shard as u32
    };
    (0..count).map(emptiest).collect()
}

fn count_partitions(topic: &Topic, counts: &mut [usize]) {
    for placement in &topic.partitions {
        if let Some(count) = counts.get_mut(placement.shard as usize) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::catalog::{Change, Placement};
    use crate::topic_config::TopicConfigs;

    const SHARDS: u32 = 3;

    fn create(catalog: &mut Catalog, id: u128, internal: bool, count: usize) -> Vec<usize> {
        let shards = spread(catalog, None, internal, count, SHARDS);
        let first = catalog.next_log_id();
        let partitions = (first..).zip(shards).map(|(log, shard)| Placement { shard, log }).collect();
        let topic =
            Topic { name: id.to_string(), id: Uuid::from_u128(id), internal, partitions, configs: TopicConfigs::new() };
        let mut counts = vec![0; SHARDS as usize];
        count_partitions(&topic, &mut counts);
        catalog.apply(Change::Topic(topic));
        counts
    }

    fn totals(catalog: &Catalog) -> Vec<usize> {
        let mut counts = vec![0; SHARDS as usize];
        catalog.topics().filter(|topic| !topic.internal).for_each(|topic| count_partitions(topic, &mut counts));
        counts
    }

    #[test]
    fn topics_of_one_partition_take_turns_also_where_others_were_deleted() {
        let mut catalog = Catalog::default();
        for id in 0..9 {
            create(&mut catalog, id, false, 1);
        }
        assert_eq!(totals(&catalog), [3, 3, 3]);
        // All that one shard had goes; what comes next goes there.
        for id in [0, 3, 6] {
            catalog.apply(Change::DeleteTopic { id: Uuid::from_u128(id) });
        }
        for id in 10..13 {
            create(&mut catalog, id, false, 1);
        }
        assert_eq!(totals(&catalog), [3, 3, 3]);
    }

    #[test]
    fn a_topic_is_spread_evenly_whatever_the_others_did_and_so_are_the_groups() {
        let mut catalog = Catalog::default();
        create(&mut catalog, 1, false, 1);
        assert_eq!(create(&mut catalog, 2, false, 7).iter().max(), Some(&3));
        assert_eq!(create(&mut catalog, 3, true, 50), [17, 17, 16]);
        assert_eq!(create(&mut catalog, 4, false, 1), [0, 0, 1], "the broker's own topic does not count");
        assert_eq!(totals(&catalog), [3, 3, 3]);
    }

    #[test]
    fn partitions_that_are_added_go_where_the_topic_has_least() {
        let mut catalog = Catalog::default();
        create(&mut catalog, 1, false, 2);
        let topic = catalog.topic("1").unwrap().clone();
        assert_eq!(spread(&catalog, Some(&topic), false, 2, SHARDS), [2, 0]);
    }
}
