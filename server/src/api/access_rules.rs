//! Access rules, which there are none of: nothing checks them, as in Kafka without an authorizer, and every request about them is told so.

use protocol::error_code::ErrorCode;

use crate::limits::ACCESS_RULES_EXPLAINED_MAX;
use crate::request::Answer;

const UNKNOWN: i8 = 0;

/// Kafka's code where it has no authorizer.
pub const CODE: i16 = ErrorCode::SecurityDisabled as i16;
/// The words of its broker, which answers who asks for rules.
pub const WORDS_OF_BROKER: &str = "No Authorizer is configured on the broker";
/// ... and of its controller, to which the broker passes changes on.
const WORDS_OF_CONTROLLER: &str = "No Authorizer is configured.";

/// One refusal for each of so many rules to add or filters to remove by.
pub fn refusals<R: Clone>(count: usize, refusal: impl FnOnce(i16, Option<&'static str>) -> R) -> Vec<R> {
    vec![refusal(CODE, (count <= ACCESS_RULES_EXPLAINED_MAX).then_some(WORDS_OF_CONTROLLER)); count]
}

/// Whether a rule or filter has an element that says of itself that it is unknown. One that only we do not know may come from a newer client.
pub fn is_unknown(elements: [i8; 4]) -> bool {
    elements.contains(&UNKNOWN)
}

/// Kafka takes a request with such an element for one that cannot be read.
pub fn unreadable() -> Answer {
    Answer { close: Some("an access rule has an unknown element"), ..Answer::default() }
}
