//! Where the results of a suite lie: `<out>/<suite>/<peer>/<date>-<commit>/<machine>/<cell>-r01.json`, as results/README.md has it.
//!
//! The date and the commit are those of the first start, written down in `plan.json`: what goes on later belongs to the same
//! campaign.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::file::Suite;
use crate::error::{Error, local};
use crate::host;
use crate::report::write_whole;
use crate::result::{HostRole, LoadgenBuild, machine_id, utc_timestamp};

/// A plan is a few lines.
const PLAN_BYTES_MAX: u64 = 64 * 1024;

/// Digits of a commit in the name of a folder.
const COMMIT_DIGITS: usize = 7;

/// What a campaign writes down of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    suite: String,
    suite_hash: String,
    campaign: String,
    machine: String,
}

/// The folders of one campaign.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
    plan: Plan,
}

impl Place {
    /// Goes on with the campaign that is there, or begins one; `anew` begins another in any case.
    pub fn open(suite: &Suite, out: &Path, data: &Path, anew: bool) -> Result<Self, Error> {
        let folder = out.join(&suite.name);
        let file = folder.join("plan.json");
        let hash = format!("{:016x}", suite.hash);
        if !anew && let Some(plan) = read(&file)? {
            if plan.suite_hash != hash {
                return Err(Error::Suite(format!(
                    "{} was begun with another suite file, or one of the two with --quick: give --new to begin another campaign, \
                     or another --out",
                    folder.display()
                )));
            }
            return Ok(Self { folder, plan });
        }
        let build = LoadgenBuild::of_this_program();
        let commit: String = build.git_sha.unwrap_or_default().chars().take(COMMIT_DIGITS).collect();
        let date: String = utc_timestamp(SystemTime::now()).chars().filter(char::is_ascii_digit).take(8).collect();
        let machine = machine_of(data);
        let campaign = format!("{date}-{commit:0<COMMIT_DIGITS$}");
        let place = Self { folder, plan: Plan { suite: suite.name.clone(), suite_hash: hash, campaign, machine } };
        if anew && place.folders(suite).any(|folder| folder.exists()) {
            return Err(Error::Suite(format!(
                "{} of this commit was begun today: remove its folders first, or leave --new out",
                place.plan.campaign
            )));
        }
        let cannot = || local(format!("cannot write {}", file.display()));
        fs::create_dir_all(&place.folder).map_err(cannot())?;
        let text = serde_json::to_vec_pretty(&place.plan).unwrap_or_default();
        write_whole(&file, &text).map_err(cannot())?;
        Ok(place)
    }

    /// Refuses to go on with what was begun on another machine; a summary may be written anywhere.
    pub fn check_machine(&self, data: &Path) -> Result<(), Error> {
        let (begun, here) = (&self.plan.machine, machine_of(data));
        if *begun == here {
            return Ok(());
        }
        let folder = self.folder.display();
        Err(Error::Suite(format!(
            "{folder} was begun on {begun}, and this is {here}: give --new to begin another campaign, or another --out"
        )))
    }

    /// The file of a run.
    pub fn file(&self, peer: &str, cell: &str, repeat: u32) -> PathBuf {
        self.of_peer(peer).join(format!("{cell}-r{repeat:02}.json"))
    }

    /// The folder of one peer's results.
    pub fn of_peer(&self, peer: &str) -> PathBuf {
        self.folder.join(peer).join(&self.plan.campaign).join(&self.plan.machine)
    }

    /// What summaries and pages lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its name and machine, for a heading.
    pub fn title(&self) -> String {
        format!("{} {} on {}", self.plan.suite, self.plan.campaign, self.plan.machine)
    }

    fn folders<'a>(&'a self, suite: &'a Suite) -> impl Iterator<Item = PathBuf> + 'a {
        suite.peers.iter().map(|peer| self.of_peer(&peer.name))
    }
}

fn machine_of(data: &Path) -> String {
    machine_id(&host::environment(HostRole::Colocated, Some(data)))
}

fn read(file: &Path) -> Result<Option<Plan>, Error> {
    let Ok(found) = fs::metadata(file) else { return Ok(None) };
    let wrong = |what: String| Error::Suite(format!("{} {what}: remove it to begin anew", file.display()));
    if found.len() > PLAN_BYTES_MAX {
        return Err(wrong("is no plan of a suite".into()));
    }
    let text = fs::read(file).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&text).map(Some).map_err(|error| wrong(format!("is no plan of a suite ({error})")))
}
