//! The claims of harness/programs.py for rdkafka, and those that only it has.

mod groups;
mod records;
mod session;
mod topics;
mod transactions;

use std::process::ExitCode;
use std::time::Duration;

use session::{Outcome, Session};

/// Below the time that the harness allows, so that what was waited for is still told.
const PROGRAM_TIME_MAX: Duration = Duration::from_secs(110);

async fn claim(name: &str, session: &Session) -> Outcome {
    match name {
        "records_of_every_kind_come_back" => records::every_kind(session).await,
        "readers_seek_pause_and_find_offsets_by_time" => records::seeks_and_times(session).await,
        "a_restart_loses_and_repeats_nothing" => records::restart(session).await,
        "deleted_records_are_gone_for_every_reader" => records::deleted(session).await,
        "a_group_of_two_shares_a_topic_and_one_takes_over" => groups::shared_topic(session).await,
        "a_static_member_returns_without_a_rebalance" => groups::static_member(session).await,
        "groups_are_listed_described_and_deleted" => groups::described(session).await,
        "topics_are_made_described_enlarged_and_deleted" => topics::life(session).await,
        "topic_settings_change_live_and_say_where_they_come_from" => topics::settings(session).await,
        "only_what_was_committed_is_read" => transactions::committed(session).await,
        "offsets_sent_to_a_transaction_follow_it" => transactions::offsets(session).await,
        "a_second_producer_fences_the_first" => transactions::fenced(session).await,
        _ => Err(format!("no claim {name}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some((name, session)) = Session::of_arguments() else {
        eprintln!("usage: rdkafka_rs CLAIM BOOTSTRAP TOPIC GROUP [WORD]");
        return ExitCode::FAILURE;
    };
    match tokio::time::timeout(PROGRAM_TIME_MAX, claim(&name, &session)).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("{name}: still running after {PROGRAM_TIME_MAX:?}");
            ExitCode::FAILURE
        }
    }
}
