//! What administrators ask of a coordinator.

use super::coordinator::Coordinator;
use super::{GroupDescription, GroupListing, GroupState, ReplyToken, Response};

/// The type of every group of the consumer protocol.
const CONSUMERS: &str = "consumer";

impl Coordinator {
    pub(super) fn describe(&mut self, token: ReplyToken, group_id: String) {
        let description = match self.groups.get(&group_id) {
            Some(entry) if entry.consumers.is_none() => entry.group.describe(),
            other => GroupDescription {
                group_id,
                state: GroupState::Dead,
                is_of_consumers: other.is_some(),
                protocol_type: String::new(),
                protocol_name: String::new(),
                members: Vec::new(),
            },
        };
        self.reply(token, Response::Describe(Ok(description)));
    }

    pub(super) fn list(&mut self, token: ReplyToken) {
        let listings = self.groups.iter().map(|(group_id, entry)| match &entry.consumers {
            Some(consumers) => GroupListing {
                group_id: group_id.clone(),
                protocol_type: CONSUMERS.to_owned(),
                state: consumers.state().name(),
                is_of_consumers: true,
            },
            None => GroupListing {
                group_id: group_id.clone(),
                protocol_type: entry.group.protocol_type().unwrap_or_default().to_owned(),
                state: entry.group.state(),
                is_of_consumers: false,
            },
        });
        let listings = listings.collect();
        self.reply(token, Response::List(Ok(listings)));
    }
}
