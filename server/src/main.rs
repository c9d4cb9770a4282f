//! `posthaste`: the broker as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::cli::run()
}
