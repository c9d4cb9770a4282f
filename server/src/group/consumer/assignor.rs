//! The assignors: which member shall have which partitions. Pure functions of subscriptions and of what members shall have now.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::state::Partitions;
use crate::limits::GROUP_BALANCE_PASSES_MAX;

/// How a group's partitions are assigned, under Kafka's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// As evenly as subscriptions allow, with as few moves as that takes.
    Uniform,
    /// Of each topic a stretch of neighbours, the first members one more.
    Range,
}

impl Assignor {
    /// The one of that name.
    pub fn named(name: &str) -> Option<Assignor> {
        [Assignor::Uniform, Assignor::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Kafka's word.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    pub(super) fn assign(self, topics: &[Topic], members: &[Subscriber<'_>]) -> Vec<Partitions> {
        match self {
            Assignor::Uniform => uniform(topics, members),
            Assignor::Range => range(topics, members),
        }
    }
}

/// A topic that somebody reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    pub(super) partitions: usize,
}

/// A member.
#[derive(Debug, Clone)]
pub(super) struct Subscriber<'a> {
    /// What it reads: places among the topics, ascending.
    pub(super) topics: Vec<usize>,
    /// What it shall have now.
    pub(super) target: &'a Partitions,
}

/// Members of each topic, in the order of the members.
fn readers(topics: &[Topic], members: &[Subscriber<'_>]) -> Vec<Vec<usize>> {
    let mut readers = vec![Vec::new(); topics.len()];
    for (member, subscriber) in members.iter().enumerate() {
        for &topic in &subscriber.topics {
            readers[topic].push(member);
        }
    }
    readers
}

fn range(topics: &[Topic], members: &[Subscriber<'_>]) -> Vec<Partitions> {
    let mut assigned = vec![Partitions::new(); members.len()];
    for (topic, readers) in topics.iter().zip(readers(topics, members)).filter(|(_, readers)| !readers.is_empty()) {
        let (each, more) = (topic.partitions / readers.len(), topic.partitions % readers.len());
        let mut next = 0;
        for (place, member) in readers.into_iter().enumerate() {
            let end = next + each + usize::from(place < more);
            if end > next {
                assigned[member].insert(topic.id, (next as i32..end as i32).collect());
            }
            next = end;
        }
    }
    assigned
}

fn uniform(topics: &[Topic], members: &[Subscriber<'_>]) -> Vec<Partitions> {
    let mut plan = Plan::keeping(topics, members);
    let readers = readers(topics, members);
    // Topics with the same readers are one heap of partitions to them.
    let mut pools = BTreeMap::<&[usize], Vec<usize>>::new();
    for (topic, readers) in readers.iter().enumerate().filter(|(_, readers)| !readers.is_empty()) {
        pools.entry(readers).or_default().push(topic);
    }
    let mut pools: Vec<_> = pools.into_iter().collect();
    // Who has the least choice goes first.
    pools.sort_by_key(|(readers, _)| readers.len());
    for (readers, pool) in &pools {
        plan.hand_out(readers, pool);
    }
    for _ in 0..GROUP_BALANCE_PASSES_MAX {
        let moved = pools.iter().filter(|(readers, pool)| plan.balance(readers, pool)).count();
        if moved == 0 {
            break;
        }
    }
    plan.partitions(topics)
}

/// Who gets what, while it is worked out.
struct Plan {
    /// By topic and partition.
    owners: Vec<Vec<Option<usize>>>,
    /// Partitions of each member.
    loads: Vec<usize>,
}

impl Plan {
    /// Everybody keeps what it has and still reads.
    fn keeping(topics: &[Topic], members: &[Subscriber<'_>]) -> Plan {
        let places: BTreeMap<Uuid, usize> = topics.iter().enumerate().map(|(place, topic)| (topic.id, place)).collect();
        let owners = topics.iter().map(|topic| vec![None; topic.partitions]).collect();
        let mut plan = Plan { owners, loads: vec![0; members.len()] };
        for (member, subscriber) in members.iter().enumerate() {
            for (id, partitions) in subscriber.target {
                let Some(&topic) = places.get(id).filter(|topic| subscriber.topics.binary_search(topic).is_ok()) else {
                    continue;
                };
                for &partition in partitions {
                    let owner = usize::try_from(partition).ok().and_then(|at| plan.owners[topic].get_mut(at));
                    if let Some(owner) = owner.filter(|owner| owner.is_none()) {
                        *owner = Some(member);
                        plan.loads[member] += 1;
                    }
                }
            }
        }
        plan
    }

    fn by_load(&self, readers: &[usize]) -> BTreeSet<(usize, usize)> {
        readers.iter().map(|&member| (self.loads[member], member)).collect()
    }

    /// What nobody has goes to who has least.
    fn hand_out(&mut self, readers: &[usize], pool: &[usize]) {
        let mut by_load = self.by_load(readers);
        for &topic in pool {
            for partition in 0..self.owners[topic].len() {
                if self.owners[topic][partition].is_some() {
                    continue;
                }
                let (load, member) = by_load.pop_first().expect("a pool has readers");
                self.owners[topic][partition] = Some(member);
                self.loads[member] += 1;
                by_load.insert((load + 1, member));
            }
        }
    }

    /// Moves partitions of a pool from who has most to who has least, for as long as that makes them more alike.
    fn balance(&mut self, readers: &[usize], pool: &[usize]) -> bool {
        let mut held = vec![Vec::new(); self.loads.len()];
        for &topic in pool {
            for (partition, owner) in self.owners[topic].iter().enumerate() {
                held[owner.expect("all was handed out")].push((topic, partition));
            }
        }
        let mut by_load = self.by_load(readers);
        let mut moved = false;
        loop {
            let &(least, poor) = by_load.first().expect("a pool has readers");
            let rich = by_load.iter().rev().take_while(|(load, _)| *load >= least + 2);
            let Some(&(most, rich)) = rich.into_iter().find(|(_, member)| !held[*member].is_empty()) else {
                return moved;
            };
            let (topic, partition) = held[rich].pop().expect("it holds one");
            held[poor].push((topic, partition));
            self.owners[topic][partition] = Some(poor);
            by_load.remove(&(most, rich));
            by_load.remove(&(least, poor));
            by_load.insert((most - 1, rich));
            by_load.insert((least + 1, poor));
            (self.loads[rich], self.loads[poor]) = (most - 1, least + 1);
            moved = true;
        }
    }

    fn partitions(self, topics: &[Topic]) -> Vec<Partitions> {
        let mut assigned = vec![Partitions::new(); self.loads.len()];
        for (topic, owners) in topics.iter().zip(self.owners) {
            for (partition, owner) in (0..).zip(owners) {
                if let Some(member) = owner {
                    assigned[member].entry(topic.id).or_default().insert(partition);
                }
            }
        }
        assigned
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics(partitions: &[usize]) -> Vec<Topic> {
        let topic = |(at, &partitions)| Topic { id: Uuid::from_u128(at as u128 + 1), partitions };
        partitions.iter().enumerate().map(topic).collect()
    }

    fn assign(
        assignor: Assignor,
        topics: &[Topic],
        subscriptions: &[Vec<usize>],
        targets: &[Partitions],
    ) -> Vec<Partitions> {
        let nothing = Partitions::new();
        let members = subscriptions.iter().enumerate().map(|(at, topics)| {
            let target = targets.get(at).unwrap_or(&nothing);
            Subscriber { topics: topics.clone(), target }
        });
        assignor.assign(topics, &members.collect::<Vec<_>>())
    }

    fn load(assigned: &Partitions) -> usize {
        assigned.values().map(BTreeSet::len).sum()
    }

    /// Every partition that somebody reads has one owner, who reads it.
    fn check(topics: &[Topic], subscriptions: &[Vec<usize>], assigned: &[Partitions]) {
        for (at, topic) in topics.iter().enumerate() {
            let readers: Vec<usize> =
                (0..subscriptions.len()).filter(|&member| subscriptions[member].contains(&at)).collect();
            for partition in 0..topic.partitions as i32 {
                let has = |member: &usize| {
                    assigned[*member].get(&topic.id).is_some_and(|partitions| partitions.contains(&partition))
                };
                let owners: Vec<usize> = (0..assigned.len()).filter(has).collect();
                assert_eq!(owners.len(), usize::from(!readers.is_empty()), "{at}-{partition}: {owners:?}");
                assert!(owners.iter().all(|owner| readers.contains(owner)));
            }
        }
    }

    fn moves(before: &[Partitions], after: &[Partitions]) -> usize {
        let lost = |(before, after): (&Partitions, &Partitions)| {
            let kept = |(id, partitions): (&Uuid, &BTreeSet<i32>)| {
                after.get(id).map_or(0, |now| partitions.intersection(now).count())
            };
            load(before) - before.iter().map(kept).sum::<usize>()
        };
        before.iter().zip(after).map(lost).sum()
    }

    #[test]
    fn range_gives_neighbours_and_the_first_members_one_more() {
        let topics = topics(&[5, 1]);
        let assigned = assign(Assignor::Range, &topics, &[vec![0, 1], vec![0, 1]], &[]);
        assert_eq!(assigned[0], Partitions::from([(topics[0].id, [0, 1, 2].into()), (topics[1].id, [0].into())]));
        assert_eq!(assigned[1], Partitions::from([(topics[0].id, [3, 4].into())]));
    }

    #[test]
    fn uniform_moves_no_more_than_a_newcomer_needs() {
        let topics = topics(&[6]);
        let alone = assign(Assignor::Uniform, &topics, &[vec![0]], &[]);
        let two = assign(Assignor::Uniform, &topics, &[vec![0], vec![0]], &alone);
        assert_eq!((load(&two[0]), load(&two[1]), moves(&alone, &two)), (3, 3, 3));
        let three = assign(Assignor::Uniform, &topics, &[vec![0], vec![0], vec![0]], &two);
        assert_eq!((three.iter().map(load).collect::<Vec<_>>(), moves(&two, &three)), (vec![2, 2, 2], 2));
    }

    proptest! {
        #[test]
        fn all_is_assigned_once_to_who_reads_it(
            partitions in proptest::collection::vec(0usize..9, 1..5),
            reads in proptest::collection::vec(any::<u8>(), 1..6),
            then in proptest::collection::vec(any::<u8>(), 1..6),
        ) {
            let topics = topics(&partitions);
            let subscribe = |bits: &[u8]| -> Vec<Vec<usize>> {
                bits.iter().map(|bits| (0..topics.len()).filter(|at| bits >> at & 1 == 1).collect()).collect()
            };
            let (first, then) = (subscribe(&reads), subscribe(&then));
            for assignor in [Assignor::Uniform, Assignor::Range] {
                let before = assign(assignor, &topics, &first, &[]);
                check(&topics, &first, &before);
                let after = assign(assignor, &topics, &then, &before);
                check(&topics, &then, &after);
                if assignor == Assignor::Uniform {
                    // Nobody could give a partition away to somebody who has two less.
                    for (rich, has) in after.iter().enumerate() {
                        for (poor, reads) in then.iter().enumerate() {
                            let could = reads.iter().any(|&topic| has.contains_key(&topics[topic].id));
                            assert!(!could || load(has) < load(&after[poor]) + 2, "{rich} could give to {poor}");
                        }
                    }
                }
            }
        }

        #[test]
        fn uniform_is_even_and_sticks_to_what_was(
            partitions in 0usize..40, before in 1usize..8, after in 1usize..8,
        ) {
            let topics = topics(&[partitions]);
            let had = assign(Assignor::Uniform, &topics, &vec![vec![0]; before], &[]);
            let has = assign(Assignor::Uniform, &topics, &vec![vec![0]; after], &had);
            let loads: Vec<usize> = has.iter().map(load).collect();
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
            // No more moves than what those who are gone had, or what newcomers need.
            let given_up: usize = had.iter().skip(after).map(load).sum();
            let needed: usize = loads.iter().skip(before).sum();
            let stayed = moves(&had[..before.min(after)], &has[..before.min(after)]);
            prop_assert!(stayed + given_up <= given_up.max(needed));
        }
    }
}
