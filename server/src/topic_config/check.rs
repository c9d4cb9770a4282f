//! What values a key takes.

use crate::config_type::out_of_bounds;

/// The check of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Whatever has its type.
    Any,
    Integer(i64, i64),
    /// gzip has a number for its default beside its levels.
    GzipLevel,
    Fraction,
    /// Where share groups begin.
    OffsetReset,
    NotEmpty,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
    /// `PARTITION:BROKER` with commas between, or `*`.
    Replicas,
    /// Not `true`, with an error of its own.
    NoRemoteStorage,
}

/// Why a value is refused, in Kafka's words, and the part of it that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    pub(crate) value: String,
    pub(crate) reason: String,
}

impl Check {
    /// What is wrong with a value that has the type of the key.
    pub(crate) fn refusal(self, name: &str, value: &str) -> Option<Wrong> {
        let reason = match self {
            Check::Any | Check::NoRemoteStorage => None,
            Check::Integer(min, max) => out_of_bounds(value.parse().ok()?, min, max),
            Check::GzipLevel => (!matches!(value.parse().ok()?, -1 | 1..=9))
                .then(|| "Value must be between 1 and 9 or equal to -1".to_owned()),
            Check::Fraction => fraction_refusal(value.parse().ok()?),
            Check::OffsetReset => (!is_offset_reset(value)).then(|| {
                format!(
                    "Invalid value `{value}` for configuration {name}. The value must be either 'earliest', 'latest' or of the format \
                     'by_duration:<PnDTnHnMn.nS>'."
                )
            }),
            Check::NotEmpty => value.is_empty().then(|| "String must be non-empty".to_owned()),
            Check::OneOf(allowed) => (!allowed.contains(&value)).then(|| one_of(allowed)),
            Check::ListOf(allowed) => {
                let mut items = value.split(',').filter(|_| !value.is_empty());
                let wrong = items.find(|item| !allowed.contains(item))?;
                return Some(Wrong { value: wrong.to_owned(), reason: one_of(allowed) });
            }
            Check::Replicas => {
                let reason = format!(
                    "{name} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],..."
                );
                let list = format!("[{}]", value.replace(',', ", "));
                return (!is_replica_list(value)).then_some(Wrong { value: list, reason });
            }
        }?;
        Some(Wrong { value: value.to_owned(), reason })
    }
}

fn fraction_refusal(number: f64) -> Option<String> {
    if number.is_nan() { Some("Value must be at least 0".to_owned()) } else { out_of_bounds(number, 0.0, 1.0) }
}

fn is_offset_reset(value: &str) -> bool {
    let is_duration = |duration: &str| {
        let form = r"\A(?i)P(?:\d{1,18}D)?(?:T(?:\d{1,18}H)?(?:\d{1,18}M)?(?:\d{1,18}(?:[.,]\d{0,9})?S)?)?\z";
        let has_form = regex::Regex::new(form).is_ok_and(|form| form.is_match(duration));
        has_form && duration.ends_with(|last: char| last.is_ascii_alphabetic() && !"PpTt".contains(last))
    };
    matches!(value, "earliest" | "latest") || value.strip_prefix("by_duration:").is_some_and(is_duration)
}

fn one_of(allowed: &[&str]) -> String {
    format!("String must be one of: {}", allowed.join(", "))
}

fn is_replica_list(value: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = |part: &str| {
        part.trim().split_once(':').is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    matches!(value.trim(), "" | "*") || value.split(',').all(is_replica)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_group_begins_at_an_end_or_some_time_ago() {
        for right in ["earliest", "latest", "by_duration:PT1H", "by_duration:P2DT3.5S", "by_duration:pt0s"] {
            assert_eq!(Check::OffsetReset.refusal("k", right), None, "{right}");
        }
        for wrong in [
            "EARLIEST",
            "never",
            "",
            "by_duration:",
            "by_duration:soon",
            "by_duration:-PT1H",
            "by_duration:P",
            "by_duration:PT",
        ] {
            assert!(Check::OffsetReset.refusal("k", wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn replicas_are_a_star_or_pairs() {
        for right in ["", "*", "0:1", "0:1,2:3"] {
            assert_eq!(Check::Replicas.refusal("k", right), None, "{right}");
        }
        for wrong in ["0", "0:", ":1", "0:1,", "a:b", "*,0:1"] {
            assert!(Check::Replicas.refusal("k", wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn gzip_has_no_level_of_zero() {
        let taken: Vec<i32> =
            (-2..=10).filter(|level| Check::GzipLevel.refusal("k", &level.to_string()).is_none()).collect();
        assert_eq!(taken, [-1, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_list_may_be_empty_and_what_is_wrong_in_it_is_named() {
        let policies = Check::ListOf(&["compact", "delete"]);
        assert_eq!(policies.refusal("k", ""), None);
        assert_eq!(policies.refusal("k", "delete,compact"), None);
        let wrong = policies.refusal("k", "delete,shred").map(|wrong| (wrong.value, wrong.reason));
        assert_eq!(wrong, Some(("shred".into(), "String must be one of: compact, delete".into())));
    }

    #[test]
    fn a_fraction_is_from_nothing_to_all() {
        for (value, taken) in [("0", true), ("1", true), ("0.5", true), ("-0.1", false), ("1.5", false), ("NaN", false)]
        {
            assert_eq!(Check::Fraction.refusal("k", value).is_none(), taken, "{value}");
        }
    }
}
