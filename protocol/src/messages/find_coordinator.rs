//! `FindCoordinator`: which broker coordinates a group or a transactional id.

message! {
    /// Asks for one coordinator, from version 4 for several.
    pub struct FindCoordinatorRequest<'a>: request FindCoordinator {
        key: &'a str, 0..=3;
        /// 0: group; 1: transactional id.
        key_type: i8, 1..;
        coordinator_keys: Vec<&'a str>, 4..;
    }

    /// The coordinator, from version 4 the coordinators.
    pub struct FindCoordinatorResponse<'a>: response FindCoordinator {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..=3;
        error_message: Option<&'a str>, 1..=3, default Some("");
        node_id: i32, 0..=3;
        host: &'a str, 0..=3;
        port: i32, 0..=3;
        coordinators: Vec<Coordinator<'a>>, 4..;
    }

    /// The coordinator of one key.
    pub struct Coordinator<'a> {
        key: &'a str, 4..;
        node_id: i32, 4..;
        host: &'a str, 4..;
        port: i32, 4..;
        error_code: i16, 4..;
        error_message: Option<&'a str>, 4.., default Some("");
    }
}
