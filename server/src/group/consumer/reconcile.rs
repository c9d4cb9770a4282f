//! How a member comes from what it has to what it shall have, a heartbeat at a time: it gives up first, then it gets what nobody else
//! holds. So no partition has two owners.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::state::{ConsumerMember, ConsumerState, MemberState, Partitions};
use super::topics::Topics;

/// What a member says that it owns; none when it did not say.
pub(super) type Owned<'a> = Option<&'a [(Uuid, Vec<i32>)]>;

impl ConsumerState {
    /// Takes a member as far as it can go now. `changed_subscription`: what it reads no more is taken from it even where it waits.
    pub(super) fn reconcile(
        &mut self,
        member_id: &str,
        owned: Owned<'_>,
        topics: Topics<'_>,
        changed_subscription: bool,
    ) {
        let member = &self.members[member_id];
        let read = topics.ids_read_by(&member.profile);
        let next =
            match member.current.state {
                MemberState::Stable if member.current.epoch != self.target_epoch => {
                    Some(self.advance(member_id, owned, &read))
                }
                MemberState::Stable if changed_subscription => drop_unread(member, owned, &read),
                MemberState::Stable => None,
                MemberState::UnrevokedPartitions if owns_any(owned, &member.current.revoking) => {
                    if changed_subscription { drop_unread(member, owned, &read) } else { None }
                }
                MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                    Some(self.advance(member_id, owned, &read))
                }
            };
        if let Some(next) = next.filter(|next| next.current != member.current) {
            *self.member_mut(member_id) = next;
        }
    }

    /// The next step towards the target.
    fn advance(&self, member_id: &str, owned: Owned<'_>, read: &BTreeSet<Uuid>) -> ConsumerMember {
        let member = &*self.members[member_id];
        let nothing = BTreeSet::new();
        let (mut kept, mut lost, mut free) = (Partitions::new(), Partitions::new(), Partitions::new());
        let mut waits_for_others = false;
        let ids: BTreeSet<Uuid> = member.target.keys().chain(member.current.assigned.keys()).copied().collect();
        for id in ids {
            let target = member.target.get(&id).filter(|_| read.contains(&id)).unwrap_or(&nothing);
            let has = member.current.assigned.get(&id).unwrap_or(&nothing);
            put(&mut kept, id, has.intersection(target).copied());
            put(&mut lost, id, has.difference(target).copied());
            let (held, unheld): (Vec<i32>, Vec<i32>) = target
                .difference(has)
                .copied()
                .partition(|&partition| self.is_held_by_another(member_id, id, partition));
            waits_for_others |= !held.is_empty();
            put(&mut free, id, unheld.into_iter());
        }
        let mut next = member.clone();
        if !lost.is_empty() && owns_any(owned, &lost) {
            next.current.state = MemberState::UnrevokedPartitions;
            next.current.assigned = kept;
            next.current.revoking = lost;
            return next;
        }
        for (id, partitions) in free {
            kept.entry(id).or_default().extend(partitions);
        }
        next.current.state = if waits_for_others { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.current.assigned = kept;
        next.current.revoking = Partitions::new();
        if next.current.epoch != self.target_epoch {
            next.current.previous_epoch = next.current.epoch;
            next.current.epoch = self.target_epoch;
        }
        next
    }

    /// Whether a member waits for partitions that others hold.
    pub(super) fn waits_for_others(&self, member_id: &str) -> bool {
        let member = &self.members[member_id];
        let has = |id: &Uuid, partition: &i32| {
            member.current.assigned.get(id).is_some_and(|partitions| partitions.contains(partition))
        };
        member.target.iter().any(|(id, partitions)| {
            let mut missing = partitions.iter().filter(|partition| !has(id, partition));
            missing.any(|&partition| self.is_held_by_another(member_id, *id, partition))
        })
    }
}

/// Takes from a member what it reads no more, in the epoch that it is in.
fn drop_unread(member: &ConsumerMember, owned: Owned<'_>, read: &BTreeSet<Uuid>) -> Option<ConsumerMember> {
    let unread: Vec<Uuid> = member.current.assigned.keys().filter(|id| !read.contains(id)).copied().collect();
    if unread.is_empty() {
        return None;
    }
    let mut next = member.clone();
    let mut revoking = std::mem::take(&mut next.current.revoking);
    for id in unread {
        let lost = next.current.assigned.remove(&id).unwrap_or_default();
        revoking.entry(id).or_default().extend(lost);
    }
    if owns_any(owned, &revoking) {
        next.current.state = MemberState::UnrevokedPartitions;
        next.current.revoking = revoking;
    } else if next.current.state == MemberState::UnrevokedPartitions {
        // What it gave up already stays with it until the next step.
        next.current.revoking = revoking;
    }
    Some(next)
}

/// Whether a member still owns one of these partitions; who does not say may own all.
fn owns_any(owned: Owned<'_>, partitions: &Partitions) -> bool {
    let Some(owned) = owned else { return true };
    owned.iter().any(|(id, owned)| {
        partitions.get(id).is_some_and(|partitions| owned.iter().any(|partition| partitions.contains(partition)))
    })
}

/// Whether all that a member owns is among these; not when it does not say.
pub(super) fn owns_only(owned: Owned<'_>, partitions: &Partitions) -> bool {
    owned.is_some_and(|owned| {
        owned.iter().all(|(id, owned)| {
            let among = partitions.get(id);
            among.is_some_and(|among| owned.iter().all(|partition| among.contains(partition)))
        })
    })
}

fn put(partitions: &mut Partitions, id: Uuid, some: impl Iterator<Item = i32>) {
    let some: BTreeSet<i32> = some.collect();
    if !some.is_empty() {
        partitions.insert(id, some);
    }
}
