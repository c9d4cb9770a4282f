//! One member of a group: what it asked for, what it was assigned, and when it was last heard of.

use bytes::Bytes;

use super::{JoinProtocol, JoinRequest, ReplyToken};

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) protocols: Vec<JoinProtocol>,
    pub(super) assignment: Bytes,
    /// An unanswered `JoinGroup`.
    pub(super) join_token: Option<ReplyToken>,
    /// An unanswered `SyncGroup`.
    pub(super) sync_token: Option<ReplyToken>,
    /// Counts only while no answer is owed: a waiting member cannot send heartbeats.
    session_deadline_ms: i64,
}

impl Member {
    pub(super) fn new(request: JoinRequest, now_ms: i64) -> Self {
        let mut member = Self::restored(request.instance_id.clone(), Bytes::new());
        member.update(request, now_ms);
        member
    }

    /// A member read from the log; its session starts with [`Member::heard`].
    pub(super) fn restored(instance_id: Option<String>, assignment: Bytes) -> Self {
        Self {
            instance_id,
            client_id: String::new(),
            client_host: String::new(),
            session_timeout_ms: 0,
            rebalance_timeout_ms: 0,
            protocols: Vec::new(),
            assignment,
            join_token: None,
            sync_token: None,
            session_deadline_ms: 0,
        }
    }

    /// Takes over everything that a join may change.
    pub(super) fn update(&mut self, request: JoinRequest, now_ms: i64) {
        self.client_id = request.client_id;
        self.client_host = request.client_host;
        self.session_timeout_ms = request.session_timeout_ms;
        self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        self.protocols = request.protocols;
        self.heard(now_ms);
    }

    pub(super) fn heard(&mut self, now_ms: i64) {
        self.session_deadline_ms = now_ms.saturating_add(i64::from(self.session_timeout_ms));
    }

    /// When the member is dropped unless it is heard; never while it waits for an answer.
    pub(super) fn deadline_ms(&self) -> Option<i64> {
        (self.join_token.is_none() && self.sync_token.is_none()).then_some(self.session_deadline_ms)
    }

    pub(super) fn supports(&self, protocol_name: &str) -> bool {
        self.protocols.iter().any(|protocol| protocol.name == protocol_name)
    }

    /// Metadata for `protocol_name`, empty when the member does not speak it.
    pub(super) fn metadata(&self, protocol_name: Option<&str>) -> Bytes {
        self.protocols
            .iter()
            .find(|protocol| Some(protocol.name.as_str()) == protocol_name)
            .map_or_else(Bytes::new, |protocol| protocol.metadata.clone())
    }
}
