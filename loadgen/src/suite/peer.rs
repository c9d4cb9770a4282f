//! Who takes part: how it is installed, started and spoken to, and what its acknowledgement is worth.

use serde::Deserialize;

use super::file::set_all;
use super::plan::Cell;
use crate::options::{LoadOptions, TargetOptions};
use crate::side::set_target;
use crate::workload::Workload;

/// A peer as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerFile {
    name: String,
    install: Option<String>,
    start: Option<String>,
    stop: Option<String>,
    settle: Option<String>,
    process_of: Option<String>,
    #[serde(default)]
    in_memory: bool,
    #[serde(default)]
    target: toml::Table,
    #[serde(default)]
    load: toml::Table,
    cells: Option<Vec<String>>,
}

/// One side of the suite. Its commands are the shell's, in the folder of the suite; without a start it is the embedded broker, or
/// one that runs already at `target.bootstrap`.
#[derive(Debug, Clone)]
pub struct Peer {
    /// What the report calls it.
    pub name: String,
    /// Puts it where its start finds it; does nothing when it is there.
    pub install: Option<String>,
    /// Starts it in the foreground: one command, whose process becomes the peer.
    pub start: Option<String>,
    /// Stops it; without it, a signal does.
    pub stop: Option<String>,
    /// Run after each run, so that what one left behind is not the next one's load.
    pub settle: Option<String>,
    /// The peer whose process this one uses, under another load.
    pub process_of: Option<String>,
    /// It keeps all records in memory, which is then looked after as the disk is.
    pub in_memory: bool,
    /// The cells that it takes part in; without it, all.
    pub cells: Option<Vec<String>>,
    target: toml::Table,
    load: toml::Table,
}

impl Peer {
    pub(super) fn new(file: PeerFile) -> Result<Self, String> {
        let PeerFile { name, install, start, stop, settle, process_of, in_memory, target, load, cells } = file;
        let peer = Self { name, install, start, stop, settle, process_of, in_memory, cells, target, load };
        let failed = |what: &str| Err(format!("peer {}: {what}", peer.name));
        if peer.start.is_some() && peer.process_of.is_some() {
            return failed("it has a start of its own or the process of another, not both");
        }
        if peer.start.is_some() && peer.target.contains_key("bootstrap") {
            return failed("where it listens is chosen by the suite: leave target.bootstrap out");
        }
        if peer.start.is_none() && (peer.stop.is_some() || peer.settle.is_some()) {
            return failed("stop and settle need a start");
        }
        // Where it will listen is not known yet.
        let anywhere = (peer.start.is_some() || peer.process_of.is_some()).then_some("127.0.0.1:1");
        peer.target(anywhere).map_err(|error| format!("peer {}: {error}", peer.name))?;
        Ok(peer)
    }

    /// Whether it takes part in this cell.
    pub fn plays(&self, cell: &str) -> bool {
        self.cells.as_ref().is_none_or(|cells| cells.iter().any(|one| one == cell))
    }

    /// What is tested, at this address if the suite started it.
    pub fn target(&self, bootstrap: Option<&str>) -> Result<TargetOptions, String> {
        let mut table = self.target.clone();
        if let Some(bootstrap) = bootstrap {
            table.insert("bootstrap".into(), bootstrap.into());
        }
        let mut target = TargetOptions::default();
        set_target(&mut target, &table)?;
        Ok(target)
    }

    /// The load of a cell for this peer, consistent in itself: its own settings count where the cell says nothing.
    pub fn load(&self, cell: &Cell) -> Result<LoadOptions, String> {
        let mut load = cell.load.clone();
        set_all(&mut load, &self.load, "load")?;
        set_all(&mut load, &cell.settings, "load")?;
        // All peers have the same time and the same backlog, also when these were shortened.
        (load.warmup, load.duration, load.prefill) = (cell.load.warmup, cell.load.duration, cell.load.prefill);
        let workload = Workload::from_options(&load).map_err(|error| error.to_string())?;
        let bootstrap = (self.start.is_some() || self.process_of.is_some()).then_some("127.0.0.1:1");
        self.target(bootstrap)?.speaks.check(&workload).map_err(|error| error.to_string())?;
        Ok(load)
    }

    /// The name of the process that it uses.
    pub fn process(&self) -> &str {
        self.process_of.as_deref().unwrap_or(&self.name)
    }
}
