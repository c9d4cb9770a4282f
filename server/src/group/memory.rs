//! How much memory groups take, about: what grows is counted, what is small and fixed is a size.

use std::collections::BTreeSet;

use super::coordinator::{Coordinator, Entry};
use super::member::Member;
use super::{CommittedOffset, Group, GroupMetadata, MemberMetadata, Offsets};

impl Coordinator {
    /// Whether new groups, members and committed partitions are refused, for want of memory. The error is retriable: there may be room in a
    /// moment, and who is there already goes on.
    pub fn refuse_growth(&mut self, grows_no_more: bool) {
        self.grows_no_more = grows_no_more;
    }

    /// Bytes of memory of all groups and their offsets.
    pub fn memory_bytes(&self) -> usize {
        let groups = self.groups.iter().map(|(id, entry)| size_of::<String>() + id.len() + entry.memory_bytes());
        let producers = self.transactions.values().map(|groups| {
            let names: usize = groups.iter().map(|id| size_of::<String>() + id.len()).sum();
            size_of::<(i64, BTreeSet<String>)>() + names
        });
        groups.chain(producers).sum()
    }
}

impl Entry {
    fn memory_bytes(&self) -> usize {
        let logged = self.logged.as_ref().map_or(0, |logged| logged.metadata.memory_bytes());
        size_of::<Entry>()
            + self.group.memory_bytes()
            + self.offsets.memory_bytes()
            + self.pending.memory_bytes()
            + logged
            + self.consumers.as_ref().map_or(0, |consumers| consumers.memory_bytes())
    }
}

impl Group {
    fn memory_bytes(&self) -> usize {
        let members =
            self.members.iter().map(|(id, member)| size_of::<(String, Member)>() + id.len() + member.heap_bytes());
        let names = self.pending_members.keys().chain(&self.pending_syncs).chain(self.static_members.keys());
        self.id.len() + members.sum::<usize>() + names.map(|name| 2 * (size_of::<String>() + name.len())).sum::<usize>()
    }
}

impl Member {
    fn heap_bytes(&self) -> usize {
        let protocols =
            self.protocols.iter().map(|protocol| size_of_val(protocol) + protocol.name.len() + protocol.metadata.len());
        let instance_id = self.instance_id.as_ref().map_or(0, String::len);
        self.client_id.len() + self.client_host.len() + instance_id + self.assignment.len() + protocols.sum::<usize>()
    }
}

impl GroupMetadata {
    fn memory_bytes(&self) -> usize {
        let members = self.members.iter().map(|member| {
            let names = member.member_id.len() + member.client_id.len() + member.client_host.len();
            size_of::<MemberMetadata>() + names + member.subscription.len() + member.assignment.len()
        });
        members.sum()
    }
}

impl Offsets {
    fn memory_bytes(&self) -> usize {
        let each = size_of::<(i32, CommittedOffset, u64)>();
        self.iter().map(|(_, _, committed)| each + committed.metadata.len()).sum()
    }
}
