//! The part of a run that belongs to its groups at the broker: they come together before it, and are gone behind it.

use super::Session;
use crate::clients::Clients;
use crate::crew::group_name;
use crate::error::Error;
use crate::group;

impl Session<'_> {
    /// The clock starts when every member has its partitions.
    pub(super) fn join_groups(&mut self, clients: &mut Clients, consumers: u32) -> Result<(), Error> {
        if self.evidence.workload.group.is_none() || consumers == 0 {
            return Ok(());
        }
        self.progress.say("joining the consumer groups");
        self.evidence.joins_groups = true;
        clients.join_groups(&self.interrupted)
    }

    /// The groups of the run know nothing that is of use without its topic.
    pub(super) fn remove_groups(&self, bootstrap: &str, topic: &str) {
        if !self.evidence.joins_groups || self.broker.is_some() {
            return;
        }
        let names: Vec<String> = (0..self.evidence.workload.groups).map(|number| group_name(topic, number)).collect();
        if let Err(error) = group::delete_groups(self.login.as_deref(), bootstrap, &names) {
            self.progress.say(&format!("groups {topic}-group-* may still be there: {error}"));
        }
    }
}
