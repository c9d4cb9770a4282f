//! The file of a suite: parsed, bounded and consistent, or refused with the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use serde::Deserialize;

use super::machine::Split;
use super::peer::{Peer, PeerFile};
use super::plan::{Cell, CellFile};
use super::quick;
use crate::options::LoadOptions;
use crate::quantity::parse_duration;
use crate::result::fnv1a;
use crate::settings::{InvalidSetting, Setting, value_text};

/// Far beyond any suite.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Sides of one comparison; a report has room for no more.
const PEERS_MAX: usize = 24;

/// Loads of one suite.
const CELLS_MAX: usize = 100;

/// A name is part of a path.
const NAME_BYTES_MAX: usize = 60;

/// A cold JVM flatters nobody.
const WARMUP_DEFAULT: &str = "60s";

/// What is compared, under which loads, how often.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its name, and that of its folder.
    pub name: String,
    /// The folder of its file, in which its commands run.
    pub folder: PathBuf,
    /// Hash of its file: another file is another suite.
    pub hash: u64,
    /// Runs of each peer in each cell.
    pub repeats: u32,
    /// Load on a peer after its start, before anything is measured.
    pub warmup: Duration,
    /// No run begins later than this.
    pub limit: Option<Duration>,
    /// Which processors belong to whom.
    pub split: Split,
    /// Who takes part, in their order.
    pub peers: Vec<Peer>,
    /// The loads, in their order.
    pub cells: Vec<Cell>,
}

/// As it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    name: String,
    #[serde(default = "repeats_default")]
    repeats: u32,
    warmup: Option<String>,
    limit: Option<String>,
    #[serde(default)]
    machine: Split,
    #[serde(default)]
    load: toml::Table,
    #[serde(rename = "peer")]
    peers: Vec<PeerFile>,
    #[serde(rename = "cell")]
    cells: Vec<CellFile>,
}

fn repeats_default() -> u32 {
    5
}

impl Suite {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, InvalidSetting> {
        let failed = |what: String| InvalidSetting::new(format!("suite {}: {what}", path.display()));
        let length = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(failed(format!("{length} bytes are more than the {FILE_BYTES_MAX} that a suite may have")));
        }
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|error| failed(error.to_string()))?;
        Self::parse(&text, folder).map_err(failed)
    }

    /// The same of its text.
    pub fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let file: SuiteFile = toml::from_str(text).map_err(|error| told_with_line(text, &error))?;
        check_name("name", &file.name)?;
        if !(1..=20).contains(&file.repeats) {
            return Err(format!("repeats is {}: from 1 to 20 make sense", file.repeats));
        }
        if !(1..=PEERS_MAX).contains(&file.peers.len()) || !(1..=CELLS_MAX).contains(&file.cells.len()) {
            return Err(format!("from 1 to {PEERS_MAX} peers and from 1 to {CELLS_MAX} cells make a suite"));
        }
        let duration = |key: &str, text: &str| parse_duration(text).map_err(|error| format!("{key}: {error}"));
        let warmup = duration("warmup", file.warmup.as_deref().unwrap_or(WARMUP_DEFAULT))?;
        let limit = file.limit.as_deref().map(|limit| duration("limit", limit)).transpose()?;
        let mut common = load_default();
        set_all(&mut common, &file.load, "load")?;
        let cells = file.cells.into_iter().map(|cell| Cell::new(cell, &common)).collect::<Result<Vec<_>, _>>()?;
        let peers = file.peers.into_iter().map(Peer::new).collect::<Result<Vec<_>, _>>()?;
        let suite = Self {
            name: file.name,
            folder,
            hash: fnv1a(text.as_bytes()),
            repeats: file.repeats,
            warmup,
            limit,
            split: file.machine,
            peers,
            cells,
        };
        suite.check().map(|()| suite)
    }

    /// The same suite, over in a moment: it shows that everything runs, and measures nothing.
    #[must_use]
    pub fn quick(mut self) -> Self {
        // Its runs are no part of a campaign that measures.
        self.hash = fnv1a(format!("{:016x} quick", self.hash).as_bytes());
        self.repeats = self.repeats.min(quick::REPEATS_MAX);
        self.warmup = self.warmup.min(quick::WARMUP_MAX);
        for cell in &mut self.cells {
            cell.load.warmup = cell.load.warmup.min(quick::RUN_WARMUP_MAX);
            cell.load.duration = cell.load.duration.min(quick::DURATION_MAX);
            cell.load.prefill = cell.load.prefill.min(quick::PREFILL_BYTES_MAX);
        }
        self
    }

    /// Only the peers and cells of these names; of none named, all.
    pub fn narrow(&mut self, peers: &[String], cells: &[String]) -> Result<(), InvalidSetting> {
        let unknown = |what: &str, name: &str, known: Vec<&str>| {
            Err(InvalidSetting::new(format!("there is no {what} {name:?}; there are {}", known.join(", "))))
        };
        if let Some(name) = peers.iter().find(|name| self.peer(name).is_none()) {
            return unknown("peer", name, self.peers.iter().map(|peer| peer.name.as_str()).collect());
        }
        if let Some(name) = cells.iter().find(|name| !self.cells.iter().any(|cell| &cell.name == *name)) {
            return unknown("cell", name, self.cells.iter().map(|cell| cell.name.as_str()).collect());
        }
        let hosts: Vec<String> = self.peers.iter().filter_map(|peer| peer.process_of.clone()).collect();
        for peer in &mut self.peers {
            if !peers.is_empty() && !peers.contains(&peer.name) {
                // Its process may still be another's.
                peer.cells = Some(Vec::new());
            }
        }
        self.peers
            .retain(|peer| peer.cells.as_ref().is_none_or(|cells| !cells.is_empty()) || hosts.contains(&peer.name));
        self.cells.retain(|cell| cells.is_empty() || cells.contains(&cell.name));
        Ok(())
    }

    /// The peer of this name.
    pub fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let all = self.peers.iter().map(|peer| &peer.name).chain(self.cells.iter().map(|cell| &cell.name));
        for name in all {
            check_name("name", name)?;
            if !names.insert(name) {
                return Err(format!("the name {name:?} is given twice"));
            }
        }
        for peer in &self.peers {
            let host = peer.process_of.as_deref();
            if host.is_some_and(|host| {
                self.peer(host).is_none_or(|host| host.start.is_none() || host.process_of.is_some())
            }) {
                return Err(format!("peer {}: process_of names no peer with a start of its own", peer.name));
            }
            for name in peer.cells.iter().flatten() {
                if !self.cells.iter().any(|cell| &cell.name == name) {
                    return Err(format!("peer {}: there is no cell {name:?}", peer.name));
                }
            }
            for cell in self.cells.iter().filter(|cell| peer.plays(&cell.name)) {
                peer.load(cell).map_err(|error| format!("cell {} with peer {}: {error}", cell.name, peer.name))?;
            }
        }
        for (place, cell) in self.cells.iter().enumerate() {
            let Some(of) = &cell.rate_of else { continue };
            let is_known = self.peer(&of.peer).is_some_and(|peer| peer.plays(&of.cell));
            if !is_known || !self.cells[..place].iter().any(|earlier| earlier.name == of.cell) {
                return Err(format!("cell {}: rate_of names no peer in an earlier cell", cell.name));
            }
        }
        Ok(())
    }
}

/// Options of a load as they are when nothing is said.
fn load_default() -> LoadOptions {
    let command = LoadOptions::augment_args(Command::new("loadgen").no_binary_name(true));
    let matches = command.try_get_matches_from(std::iter::empty::<String>()).expect("every option has a default");
    LoadOptions::from_arg_matches(&matches).expect("the defaults are consistent")
}

/// Sets options by the names that they have in a workload file.
pub(super) fn set_all(load: &mut LoadOptions, table: &toml::Table, place: &str) -> Result<(), String> {
    for (key, value) in table {
        let value = value_text(value).ok_or_else(|| format!("{place}.{key} is no single value"))?;
        load.set(&Setting::new(key, value)).map_err(|error| format!("{place}: {error}"))?;
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    let is_plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'-' | b'.');
    let fits =
        (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with(['.', '-']);
    if fits { Ok(()) } else { Err(format!("{what} {name:?} is no file name of small letters, digits, - and .")) }
}

fn told_with_line(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
    format!("line {line}: {}", error.message().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "name = \"two\"\n[load]\nproducers = 2\n[[peer]]\nname = \"a\"\n[[peer]]\nname = \"b\"\n\
        load = { acks = \"1\", partitions = 9 }\ncells = [\"one\"]\n[[cell]]\nname = \"one\"\nload = { partitions = 3 }\n\
        [[cell]]\nname = \"other\"\nload = { duration = \"4s\" }\n";

    fn parse(text: &str) -> Result<Suite, String> {
        Suite::parse(text, PathBuf::from("/"))
    }

    #[test]
    fn a_load_is_the_common_one_then_the_peers_then_the_cells() {
        let suite = parse(TWO).expect("consistent");
        assert_eq!((suite.repeats, suite.warmup.as_secs(), suite.cells.len()), (5, 60, 2));
        let load = suite.peers[1].load(&suite.cells[0]).expect("set");
        assert_eq!((load.producers, load.partitions, load.acks), (2, 3, crate::result::Acks::Leader));
        assert!(suite.peers[1].plays("one") && !suite.peers[1].plays("other") && suite.peers[0].plays("other"));
        let quick = suite.quick();
        assert_eq!((quick.repeats, quick.cells[1].load.duration), (2, quick::DURATION_MAX));
    }

    #[test]
    fn a_suite_that_makes_no_sense_is_refused_with_the_place() {
        for (from, to, says) in [
            ("name = \"two\"", "nam = \"two\"", "nam"),
            ("producers = 2", "producer = 2", "producer"),
            ("partitions = 3", "partitions = 0", "partitions"),
            ("acks = \"1\"", "ack = \"1\"", "ack"),
            ("acks = \"1\"", "idempotent = true, acks = \"1\"", "idempotent"),
            ("cells = [\"one\"]", "cells = [\"none\"]", "none"),
            ("name = \"b\"", "name = \"a\"", "twice"),
            ("name = \"b\"", "name = \"../b\"", "file name"),
            ("name = \"b\"", "name = \"b\"\nprocess_of = \"a\"", "process_of"),
            ("name = \"b\"", "name = \"b\"\ntarget = { fsnc = \"batch\" }", "fsnc"),
            (
                "name = \"other\"",
                "name = \"other\"\nrate_of = { peer = \"a\", cell = \"other\", share = 0.5 }",
                "earlier",
            ),
            ("name = \"other\"", "name = \"other\"\nfind_max = true", "slo"),
            ("[load]", "repeats = 0\n[load]", "repeats"),
            ("[load]", "warmup = \"soon\"\n[load]", "warmup"),
            ("[load]", "machine = { broker_cores = \"0;rm\" }\n[load]", "no list of cores"),
        ] {
            let error = parse(&TWO.replacen(from, to, 1)).map(|_| ()).expect_err(to);
            assert!(error.contains(says) && !error.contains('\n'), "{to}: {error}");
        }
    }

    #[test]
    fn a_narrowed_suite_keeps_the_process_that_another_peer_uses() {
        let shared = TWO.replacen("name = \"a\"", "name = \"a\"\nstart = \"true\"", 1);
        let mut suite =
            parse(&shared.replacen("name = \"b\"", "name = \"b\"\nprocess_of = \"a\"", 1)).expect("consistent");
        suite.narrow(&["b".into()], &["one".into()]).expect("known");
        assert_eq!((suite.peers.len(), suite.cells.len()), (2, 1));
        assert!(!suite.peers[0].plays("one") && suite.peers[1].plays("one"));
        assert!(suite.narrow(&["c".into()], &[]).is_err());
    }
}
