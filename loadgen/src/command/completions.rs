//! `loadgen completions`: what a shell needs to complete a line of this program, from the definition that reads the line.

use std::io::{Write, stdout};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::command::{Exit, visible};

/// The options of `loadgen completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsOptions {
    /// The shell that completes.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script for a shell.
pub fn execute(options: &CompletionsOptions, line: &Command) -> Exit {
    // Who closed the pipe has read enough.
    let _ = stdout().write_all(&script(options.shell, line));
    Exit::Fine
}

/// The script that a shell reads.
pub fn script(shell: Shell, line: &Command) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(line), line.get_name(), &mut script);
    script
}
