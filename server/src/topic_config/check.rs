//! What values a topic's key takes.

/// The check of one key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    Boolean,
    Integer(i64, i64),
    /// gzip has a number for its default beside its levels.
    GzipLevel,
    Fraction,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
    /// `PARTITION:BROKER` with commas between, or `*`.
    Replicas,
}

impl Check {
    /// Why it does not take this one.
    pub(super) fn refusal(self, value: &str) -> Option<String> {
        match self {
            Check::Boolean => (!matches!(value, "true" | "false")).then(|| "must be true or false".into()),
            Check::Integer(min, max) => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => None,
                _ => Some(format!("must be a number from {min} to {max}")),
            },
            Check::GzipLevel => match value.parse::<i64>() {
                Ok(-1 | 1..=9) => None,
                _ => Some("must be a number from 1 to 9, or -1".into()),
            },
            Check::Fraction => match value.parse::<f64>() {
                Ok(number) if (0.0..=1.0).contains(&number) => None,
                _ => Some("must be a number from 0 to 1".into()),
            },
            Check::OneOf(allowed) => {
                (!allowed.contains(&value)).then(|| format!("must be one of {}", allowed.join(", ")))
            }
            Check::ListOf(allowed) => {
                let valid = !value.is_empty() && value.split(',').all(|part| allowed.contains(&part.trim()));
                (!valid).then(|| format!("must be a list of {}", allowed.join(", ")))
            }
            Check::Replicas => (!is_replica_list(value))
                .then(|| "must be the literal '*' or a list of replicas [partitionId]:[brokerId] with commas".into()),
        }
    }
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
    fn replicas_are_a_star_or_pairs() {
        for right in ["", "*", "0:1", "0:1, 2:3"] {
            assert_eq!(Check::Replicas.refusal(right), None, "{right}");
        }
        for wrong in ["0", "0:", ":1", "0:1,", "a:b", "*,0:1"] {
            assert!(Check::Replicas.refusal(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn gzip_has_no_level_of_zero() {
        let taken: Vec<i32> =
            (-2..=10).filter(|level| Check::GzipLevel.refusal(&level.to_string()).is_none()).collect();
        assert_eq!(taken, [-1, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
