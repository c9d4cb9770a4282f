//! The command line of `posthaste`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{ConfigError, Endpoint, KeyValue, ListenerMode, Settings, read_file, read_pair};
use crate::exit;

/// A message broker that speaks the Kafka protocol and flushes before it acknowledges.
#[derive(Parser, Debug)]
#[command(name = "posthaste", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a broker until SIGTERM or Ctrl-C.
    #[command(after_help = EXIT_CODES)]
    Serve(ServeArguments),
    /// Read every commit of a stopped data directory and print what is damaged. Changes nothing.
    Check(CheckArguments),
    /// Print the commits, entries and batches of one segment file.
    Dump(DumpArguments),
}

const EXIT_CODES: &str = "Exit codes: 0 stopped as asked; 1 check or dump found damage; 2 wrong command line or configuration; 3 io_uring refused; \
4 data directory unusable; 5 address unusable; 6 catalog unreadable; 7 second signal, stopped at once; 74 journal write failed.";

/// What `serve` takes.
#[derive(Args, Debug)]
pub struct ServeArguments {
    /// Data directory; made if it does not exist. Only one broker can use it.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Address to listen on; several with commas, IPv6 in brackets, port 0 for any. Goes before `listeners` of the file.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// shared: one node and one port for all shards; per-core: every shard is a node with its own port, PORT + shard.
    #[arg(long, value_name = "MODE")]
    pub listeners: Option<ListenerMode>,
    /// Address of the admin page (/metrics, /livez, /readyz), port 0 for any; it has no authentication. Goes before the file.
    #[arg(long, value_name = "HOST:PORT")]
    pub admin: Option<String>,
    /// TOML file with Kafka's names for broker settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to write {"bootstrap":"HOST:PORT","pid":N,"nodes":[{"id":N,"address":"HOST:PORT"}],"admin":"HOST:PORT"} once the broker listens.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// One setting, over the file's; may be repeated. Example: --set num.partitions=8
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Stop gracefully when standard input ends, for programs that embed a broker.
    #[arg(long)]
    pub stop_on_stdin_eof: bool,
    /// Log level: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: tracing::Level,
}

/// What `check` takes.
#[derive(Args, Debug)]
pub struct CheckArguments {
    /// Data directory of a broker that is stopped.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// What `dump` takes.
#[derive(Args, Debug)]
pub struct DumpArguments {
    /// A segment file: DIR/shard-NNNN/NNNNNNNNNN.segment
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only commits, without their entries.
    #[arg(long)]
    pub commits: bool,
    /// Only what belongs to this log (the numbers are in the entries).
    #[arg(long, value_name = "LOG")]
    pub log: Option<u64>,
}

impl ServeArguments {
    /// Defaults, then the file, then `--set`, then `--listen` and `--listeners`.
    pub fn resolve(&self) -> Result<Settings, ConfigError> {
        let mut settings = Settings {
            data: self.data.clone(),
            ready_file: self.ready_file.clone(),
            stop_on_stdin_eof: self.stop_on_stdin_eof,
            ..Settings::default()
        };
        if let Some(file) = &self.config {
            settings.apply(&read_file(file)?)?;
        }
        for pair in &self.settings {
            settings.apply(&[read_pair(pair)?])?;
        }
        // As if they were written in the file, so that they are told as settings of the start.
        let mut given = |name: &str, value: String| settings.apply(&[KeyValue { name: name.to_owned(), value }]);
        if let Some(listen) = &self.listen {
            let endpoints: Vec<String> = Endpoint::parse_list(listen)?.iter().map(ToString::to_string).collect();
            given("listeners", endpoints.join(","))?;
        }
        if let Some(mode) = self.listeners {
            given("posthaste.listeners", mode.to_string())?;
        }
        if let Some(admin) = &self.admin {
            given("posthaste.admin.listener", admin.clone())?;
        }
        settings.check()?;
        Ok(settings)
    }
}

/// Runs the command of the process's arguments.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(arguments) => serve_with(&arguments),
        Command::Check(arguments) => crate::check::run(&arguments),
        Command::Dump(arguments) => crate::dump::run(&arguments),
    }
}

/// Runs a broker as the arguments say.
pub fn serve_with(arguments: &ServeArguments) -> ExitCode {
    // A logger that is there already belongs to the program that embeds the broker.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(arguments.log_level)
        .try_init();
    match arguments.resolve() {
        Ok(settings) => crate::serve(settings),
        Err(error) => {
            eprintln!("posthaste: {error}");
            ExitCode::from(exit::CONFIGURATION)
        }
    }
}
