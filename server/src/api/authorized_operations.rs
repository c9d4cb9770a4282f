//! What a client may do: all that there is to do with a thing, as in Kafka without an authorizer. A bit for each of Kafka's `AclOperation`s.

/// With a topic: read, write, create, delete, alter, describe, describe and alter its configuration.
const TOPIC: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// With the cluster: create, alter, describe, act as a broker, describe and alter its configuration, write idempotently.
const CLUSTER: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// With a group: read, delete, describe, describe and alter its configuration.
const GROUP: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// Nobody asked.
const NOT_ASKED: i32 = i32::MIN;

pub fn of_topic(asked: bool) -> i32 {
    if asked { TOPIC } else { NOT_ASKED }
}

pub fn of_cluster(asked: bool) -> i32 {
    if asked { CLUSTER } else { NOT_ASKED }
}

pub fn of_group(asked: bool) -> i32 {
    if asked { GROUP } else { NOT_ASKED }
}
