//! The thread that writes acknowledgements down: producers hand over ranges, a second later they are on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{AckedRange, LedgerFile, in_lines};
use crate::error::{Error, local};
use crate::integrity::RangeSet;

/// How much the end of this program may cost.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// How often the thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// Ranges on their way: a second of a hundred thousand batches. Full means that producers wait for the disk.
const WAITING_MAX: usize = 100_000;

/// A ledger that is being written.
#[derive(Debug)]
pub struct Journal {
    sender: SyncSender<AckedRange>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(LedgerFile, Result<(), Error>)>,
}

impl Journal {
    /// Writes the acknowledgements of the last run of `file`.
    pub fn start(file: LedgerFile) -> Result<Self, Error> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let spawned = thread::Builder::new().name("ledger".into()).spawn(move || work(file, &receiver, &stopped));
        Ok(Self { sender, stop, thread: spawned.map_err(local("cannot start a thread"))? })
    }

    /// Where producers hand over what was acknowledged.
    pub fn sender(&self) -> SyncSender<AckedRange> {
        self.sender.clone()
    }

    /// It cannot write any more; `finish` tells why.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Writes the rest; the ledger, and why it is not whole if it is not.
    pub fn finish(self) -> Result<(LedgerFile, Result<(), Error>), Error> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Error::Panicked("ledger"))
    }
}

fn work(mut file: LedgerFile, receiver: &Receiver<AckedRange>, stop: &AtomicBool) -> (LedgerFile, Result<(), Error>) {
    let mut pending: BTreeMap<(u32, u32), RangeSet> = BTreeMap::new();
    let mut flushed = Instant::now();
    loop {
        let first = receiver.recv_timeout(LOOK);
        let is_last = first == Err(RecvTimeoutError::Disconnected) || stop.load(Ordering::Relaxed);
        for range in first.into_iter().chain(receiver.try_iter().take(WAITING_MAX)) {
            pending.entry((range.producer, range.partition)).or_default().push(range.start, range.end);
        }
        if is_last || flushed.elapsed() >= FLUSH_EVERY {
            let ranges = pending.iter().flat_map(|(&(producer, partition), acked)| {
                acked.ranges().iter().map(move |&(start, end)| (producer, partition, start, end))
            });
            let lines = in_lines(ranges);
            if !lines.is_empty()
                && let Err(error) = file.append(&lines)
            {
                return (file, Err(error));
            }
            pending.clear();
            flushed = Instant::now();
        }
        if is_last {
            return (file, Ok(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_over_is_in_the_file_at_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.ledger");
        let mut file = LedgerFile::create(&path, "h:1", "loadgen-x", 2).expect("created");
        file.begin_run(7, 2).expect("begun");
        let journal = Journal::start(file).expect("started");
        let sender = journal.sender();
        for number in 0..1_000 {
            let range = AckedRange { producer: 1, partition: number as u32 % 2, start: number, end: number + 1 };
            sender.send(range).expect("it listens");
        }
        let (file, outcome) = journal.finish().expect("it ended");
        assert!(outcome.is_ok());
        let opened = LedgerFile::open(file.path()).expect("whole");
        let acked = &opened.ledger().runs[0].acked;
        assert_eq!((acked[&(1, 0)].count(), acked[&(1, 1)].count()), (500, 500));
    }
}
