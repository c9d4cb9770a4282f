//! `Heartbeat`: a member of a group says that it lives.

message! {
    /// The sign of life.
    pub struct HeartbeatRequest<'a>: request Heartbeat {
        group_id: &'a str, 0..;
        generation_id: i32, 0..;
        member_id: &'a str, 0..;
        group_instance_id: Option<&'a str>, 3..;
    }

    /// Whether it still belongs to the generation.
    pub struct HeartbeatResponse: response Heartbeat {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
    }
}
