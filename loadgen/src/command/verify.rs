//! `loadgen verify`: a long check that nothing acknowledged is lost, doubled, out of order or harmed, with an account on disk that
//! outlives this program.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{ArgMatches, Args};

use crate::command::{Exit, refuse_run, run};
use crate::options::RunOptions;
use crate::result::{Acks, Kind, utc_timestamp};
use crate::run::execute_as_part;
use crate::settings::{InvalidSetting, Setting};
use crate::verification::Verification;

/// What is not said otherwise: long rather than fast, and numbered where the acknowledgements allow it.
const DEFAULTS: [(&str, &str); 3] = [("duration", "1h"), ("rate", "2MB/s"), ("idempotent", "true")];

/// The options of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyOptions {
    /// A run with its load, target and files.
    #[command(flatten)]
    pub run: RunOptions,
    /// File of what was acknowledged; by default a new one in --out.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Ledger of a verification that was broken off: what it tells of is judged, then the check goes on.
    #[arg(long, value_name = "LEDGER", conflicts_with_all = ["ledger", "data_dir", "broker"])]
    pub resume: Option<PathBuf>,
}

impl VerifyOptions {
    /// Fills in what neither the line, nor the preset, nor the workload file says.
    pub fn complete(&mut self, line: &ArgMatches) -> Result<(), InvalidSetting> {
        let load = &mut self.run.load;
        let defaults = DEFAULTS.iter().map(|&(key, value)| Setting::new(key, value)).collect();
        load.complete_over(defaults, line)?;
        let is_asked = line.value_source("idempotent") == Some(clap::parser::ValueSource::CommandLine);
        if load.acks != Acks::All && !is_asked {
            load.idempotent = false;
        }
        Ok(())
    }
}

/// Carries out the verification and reports it.
pub fn execute(mut options: VerifyOptions) -> Exit {
    let verification = match &options.resume {
        None => Verification::new(&options.ledger.clone().unwrap_or_else(|| new_ledger(&options))),
        Some(path) => match Verification::resume(path) {
            Ok(verification) => verification,
            Err(error) => return refuse_run(&error),
        },
    };
    if let Some(ledger) = verification.ledger() {
        options.run.target.bootstrap.get_or_insert_with(|| ledger.topic.bootstrap.clone());
    }
    let options = &options.run;
    run::execute_by(
        options,
        |progress, interrupted| {
            execute_as_part(&options.load, &options.target, Some(verification), progress, interrupted)
        },
        |result| result.kind = Kind::Verify,
    )
}

fn new_ledger(options: &VerifyOptions) -> PathBuf {
    let stamp: String = utc_timestamp(SystemTime::now()).chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("verify-{}-{:08x}.ledger", stamp.to_lowercase(), rand::random::<u32>());
    options.run.output.out.join(name)
}
