//! `Nodes`: the broker nodes that a client sees, and where it reaches them: one for all shards, or one a shard (`--listeners per-core`).

use std::sync::Arc;

use engine::offset::ShardId;

use crate::catalog::CATALOG_SHARD;

/// The nodes as one listener advertises them.
pub struct Nodes {
    /// Id of the first node; the others follow.
    first_id: i32,
    /// The host of all of them.
    host: String,
    /// A port for each node.
    ports: Arc<[u16]>,
}

/// One node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node<'a> {
    /// Its id.
    pub id: i32,
    /// Its host.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
}

impl Nodes {
    /// One node for all shards, or as many ports as there are shards.
    pub fn new(first_id: i32, host: String, ports: Arc<[u16]>) -> Nodes {
        assert!(!ports.is_empty(), "a broker listens somewhere");
        Nodes { first_id, host, ports }
    }

    /// All nodes, by id.
    pub fn all(&self) -> impl Iterator<Item = Node<'_>> {
        (self.first_id..).zip(&*self.ports).map(|(id, port)| Node { id, host: &self.host, port: *port })
    }

    /// The node that leads what lives on a shard.
    pub fn of_shard(&self, shard: ShardId) -> Node<'_> {
        let index = if self.ports.len() == 1 { 0 } else { shard.0 as usize };
        Node { id: self.first_id + index as i32, host: &self.host, port: self.ports[index] }
    }

    /// The node that clients ask for changes of topics; any node would do, this one makes them without a detour.
    pub fn controller(&self) -> Node<'_> {
        self.of_shard(CATALOG_SHARD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_is_the_node_of_every_shard_and_several_are_one_each() {
        let one = Nodes::new(7, "h".into(), [9092].into());
        assert_eq!(one.of_shard(ShardId(3)), Node { id: 7, host: "h", port: 9092 });
        let each = Nodes::new(7, "h".into(), [9092, 40_001].into());
        assert_eq!(each.of_shard(ShardId(1)), Node { id: 8, host: "h", port: 40_001 });
        assert_eq!(each.all().map(|node| node.id).collect::<Vec<_>>(), [7, 8]);
        assert_eq!((one.all().count(), each.controller().id), (1, 7));
    }
}
