//! Groups of the consumer protocol (KIP-848): the broker assigns, members follow a heartbeat at a time, nobody waits for anybody else.
//!
//! | state | when |
//! |---|---|
//! | Empty | no members |
//! | Assigning | members, subscriptions or topics have changed since the targets were made |
//! | Reconciling | a member does not have yet what it shall have |
//! | Stable | all have |
//!
//! A [`ConsumerGroup`] takes one event after the other. What changes it is a set of records; the state in force is what is durable, and
//! nobody hears of anything else. While records are on their way other events wait. If they cannot be written the state stays as it
//! was, and before the next change the log is told all of it again, because nobody knows what the log holds of them.
//!
//! Members that speak the classic protocol are members of such a group too, as long as one member speaks the new one.

mod assignor;
mod classic;
mod conversion;
mod describe;
mod group;
mod heartbeat;
mod leave;
mod reconcile;
mod records;
mod regexes;
mod request;
mod request_check;
mod state;
mod timers;
mod topics;

pub use assignor::Assignor;
pub(super) use group::not_persisted;
pub use group::{ConsumerEffect, ConsumerEvent, ConsumerGroup};
pub use records::ConsumerRecord;
pub use request::{ConsumerGroupDescription, ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, Refusal};
pub use state::{ConsumerMember, ConsumerState, Partitions};
pub use topics::TopicsView;
