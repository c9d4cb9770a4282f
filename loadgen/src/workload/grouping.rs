//! How consumers come to their partitions, checked and told.

use std::time::Duration;

use crate::group::{ASSIGNOR, Churn, GroupProtocol, GroupSettings};
use crate::options::LoadOptions;
use crate::result;
use crate::workload::{InvalidWorkload, Mode};

/// Signs of life and commits more often than this are a load of their own.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Kafka's largest `group.max.session.timeout.ms` by default.
const SESSION_MAX: Duration = Duration::from_secs(30 * 60);
/// A group that rebalances more often never reads.
const CHURN_MIN: Duration = Duration::from_secs(1);

/// What members of groups do; `None` where the broker knows of no group.
pub(super) fn from_options(args: &LoadOptions, mode: Mode) -> Result<Option<GroupSettings>, InvalidWorkload> {
    let refuse = |what| Err(InvalidWorkload::Group(what));
    if args.group_protocol == GroupProtocol::Assigned {
        return match args.group_churn {
            Some(_) => refuse("--group-churn needs --group-protocol classic"),
            None => Ok(None),
        };
    }
    if mode == Mode::Produce {
        return refuse("--group-protocol classic needs consumers: --mode both, consume or drain, and --consumers");
    }
    if args.commit_interval < INTERVAL_MIN || args.heartbeat_interval < INTERVAL_MIN {
        return refuse("--commit-interval and --heartbeat-interval must be at least 10 ms");
    }
    if args.commit_interval > SESSION_MAX || args.session_timeout > SESSION_MAX {
        return refuse("--commit-interval and --session-timeout must be at most 30 minutes");
    }
    if args.heartbeat_interval >= args.session_timeout {
        return refuse("--heartbeat-interval must be below --session-timeout: a third of it is usual");
    }
    if args.group_churn.is_some_and(|interval| interval < CHURN_MIN) {
        return refuse("--group-churn must be at least 1 s");
    }
    Ok(Some(GroupSettings {
        commit_interval: args.commit_interval,
        session_timeout: args.session_timeout,
        heartbeat_interval: args.heartbeat_interval,
        churn: args.group_churn.map(|interval| Churn { interval, departure: args.group_churn_by }),
    }))
}

/// The same as the result file tells it.
pub(super) fn describe(settings: &GroupSettings) -> result::GroupMembership {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    result::GroupMembership {
        protocol: "classic".into(),
        assignor: ASSIGNOR.into(),
        commit_interval_ms: milliseconds(settings.commit_interval),
        session_timeout_ms: milliseconds(settings.session_timeout),
        heartbeat_interval_ms: milliseconds(settings.heartbeat_interval),
        churn: settings.churn.map(|churn| result::GroupChurn {
            interval_ms: milliseconds(churn.interval),
            departure: churn.departure.name().into(),
        }),
    }
}
