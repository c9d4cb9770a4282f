//! A check that goes on over several runs of this program: the topic and its ledger outlive each of them.

use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use crate::error::Error;
use crate::ledger::{AckedRange, Journal, Ledger, LedgerFile};

/// The ledger of a verification, as far as this run has come with it.
#[derive(Debug)]
pub struct Verification {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is on disk yet.
    New,
    /// Nobody writes.
    Open(LedgerFile),
    /// The run's acknowledgements are being written.
    Written(Journal),
    /// It could not be written, or the topic is gone.
    Closed,
}

impl Verification {
    /// One that begins with this run; its ledger is to be `path`.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), state: State::New }
    }

    /// One that earlier runs began.
    pub fn resume(path: &Path) -> Result<Self, Error> {
        let file = LedgerFile::open(path)?;
        if file.ledger().ended {
            return Err(Error::Ledger(format!("{} ended as planned: nothing is left to judge", path.display())));
        }
        Ok(Self { path: path.to_path_buf(), state: State::Open(file) })
    }

    /// Where its ledger is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What earlier runs left; `None` for a new one.
    pub fn ledger(&self) -> Option<&Ledger> {
        match &self.state {
            State::Open(file) => Some(file.ledger()),
            _ => None,
        }
    }

    /// Makes the ledger of a new verification.
    pub fn create(&mut self, bootstrap: &str, topic: &str, partitions: u32) -> Result<(), Error> {
        self.state = State::Open(LedgerFile::create(&self.path, bootstrap, topic, partitions)?);
        Ok(())
    }

    /// A run begins whose acknowledgements are to be written down.
    pub fn begin_run(&mut self, tag: u32, producers: u32) -> Result<(), Error> {
        if let State::Open(mut file) = std::mem::replace(&mut self.state, State::Closed) {
            file.begin_run(tag, producers)?;
            self.state = State::Written(Journal::start(file)?);
        }
        Ok(())
    }

    /// Where producers hand over what was acknowledged.
    pub fn sender(&self) -> Option<SyncSender<AckedRange>> {
        match &self.state {
            State::Written(journal) => Some(journal.sender()),
            _ => None,
        }
    }

    /// The ledger cannot be written any more.
    pub fn has_failed(&self) -> bool {
        matches!(&self.state, State::Written(journal) if journal.has_failed())
    }

    /// The run is over: all that was acknowledged is on disk.
    pub fn end_run(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Written(journal) => {
                let (file, outcome) = journal.finish()?;
                self.state = State::Open(file);
                outcome
            }
            other => {
                self.state = other;
                Ok(())
            }
        }
    }

    /// The topic is gone, so nothing is left to judge.
    pub fn end(&mut self) -> Result<(), Error> {
        match &mut self.state {
            State::Open(file) => file.end(),
            _ => Ok(()),
        }
    }
}
