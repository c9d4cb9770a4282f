//! What administrators ask of a coordinator.

use super::coordinator::Coordinator;
use super::{GroupDescription, GroupListing, GroupState, ReplyToken, Response};

impl Coordinator {
    pub(super) fn describe(&mut self, token: ReplyToken, group_id: String) {
        let description = match self.groups.get(&group_id) {
            Some(entry) => entry.group.describe(),
            None => GroupDescription {
                group_id,
                state: GroupState::Dead,
                protocol_type: String::new(),
                protocol_name: String::new(),
                members: Vec::new(),
            },
        };
        self.reply(token, Response::Describe(Ok(description)));
    }

    pub(super) fn list(&mut self, token: ReplyToken) {
        let listings = self.groups.iter().map(|(group_id, entry)| GroupListing {
            group_id: group_id.clone(),
            protocol_type: entry.group.protocol_type().unwrap_or_default().to_owned(),
            state: entry.group.state(),
        });
        let listings = listings.collect();
        self.reply(token, Response::List(Ok(listings)));
    }
}
