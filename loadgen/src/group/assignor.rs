//! Kafka's range assignor for one topic: members in the order of their ids get neighbouring partitions, the first ones one more.

/// The name that members agree on.
pub const ASSIGNOR: &str = "range";

/// Deals partitions `0..partitions` out to members.
pub(super) fn assign(members: &[String], partitions: u32) -> Vec<(&str, Vec<u32>)> {
    let mut sorted: Vec<&str> = members.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let count = sorted.len() as u32;
    let mut next = 0;
    let mut share = |place: u32| {
        let from = next;
        next += partitions / count + u32::from(place < partitions % count);
        (from..next).collect()
    };
    (0..).zip(sorted).map(|(place, member)| (member, share(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_partitions_go_to_members_in_order_and_every_one_to_somebody() {
        let members = ["b", "a", "c"].map(str::to_owned);
        assert_eq!(assign(&members, 8), [("a", vec![0, 1, 2]), ("b", vec![3, 4, 5]), ("c", vec![6, 7])]);
        assert_eq!(assign(&members, 1), [("a", vec![0]), ("b", vec![]), ("c", vec![])]);
        assert!(assign(&[], 4).is_empty());
    }
}
