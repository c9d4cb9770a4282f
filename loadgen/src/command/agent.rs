//! `loadgen agent`: lends this host to the coordinators of runs.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::agent::{AgentServer, Token};
use crate::command::{Exit, refuse};

/// The options of an agent.
#[derive(Debug, Clone, Args)]
pub struct AgentOptions {
    /// Address and port to wait at for coordinators; other than loopback only with a token.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7400")]
    pub listen: SocketAddr,
    /// File with the token that a coordinator must know; without it, the environment variable `LOADGEN_TOKEN`.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Take no load; measure the broker's process, which must be on this host.
    #[arg(long)]
    pub monitor: bool,
}

/// Waits for coordinators until it is killed.
pub fn execute(options: &AgentOptions) -> Exit {
    let token = match Token::find(options.token_file.as_deref()) {
        Ok(token) => token,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    let server = match AgentServer::bind(options.listen, token, options.monitor) {
        Ok(server) => server,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    // The port may have been chosen by the system. Nobody listening on standard output is no reason not to serve.
    let address = server.address().unwrap_or(options.listen);
    let mut out = std::io::stdout();
    let _ = writeln!(out, "agent listens on {address}").and_then(|()| out.flush());
    server.serve()
}
