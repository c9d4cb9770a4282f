//! Which logical processors generator and broker may use, so that neither takes from the other on a machine that they share.
//!
//! A thread hands its set on to what it starts: the broker is started while the starting thread has the broker's set.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use procfs::process::Process;
use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Deserialize;

use crate::error::{Error, local};
use crate::options::TargetOptions;
use crate::result::CoreSplit;

/// Logical processors, written as the kernel does: `0-3,8`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct CoreList(BTreeSet<usize>);

impl CoreList {
    /// Parses `0-3,8`; no number may be beyond what the kernel's set holds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no list of cores, as in 0-3,8 (numbers below {})", CpuSet::MAX_CPU);
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|&number| number < CpuSet::MAX_CPU);
        let mut cores = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) =
                number(first).zip(number(last)).filter(|(first, last)| first <= last).ok_or_else(wrong)?;
            cores.extend(first..=last);
        }
        Ok(Self(cores))
    }

    /// What the calling thread may use.
    pub fn of_this_thread() -> Result<Self, Error> {
        let set = sched_getaffinity(None).map_err(failed("cannot ask for the cores of this thread"))?;
        Ok(Self((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()))
    }

    /// What a process on this machine may use; absent when it is out of reach.
    pub fn of_process(pid: u32) -> Option<Self> {
        let status = Process::new(i32::try_from(pid).ok()?).and_then(|process| process.status()).ok()?;
        let ranges = status.cpus_allowed_list?;
        let within = |core: u32| (core as usize).min(CpuSet::MAX_CPU - 1);
        Some(Self(ranges.iter().flat_map(|&(first, last)| within(first)..=within(last)).collect()))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// From now on the calling thread, and what it starts, uses these alone.
    fn apply(&self) -> Result<(), Error> {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|&core| set.set(core));
        // The kernel takes what is there of the set and refuses only one of which nothing is.
        let got = match sched_setaffinity(None, &set) {
            Err(Errno::INVAL) => Self::default(),
            Err(error) => return Err(failed("cannot pin to cores")(error)),
            Ok(()) => Self::of_this_thread()?,
        };
        match self.0.difference(&got.0).next() {
            Some(&missing) => Err(Error::Cores { asked: self.to_string(), missing }),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for CoreList {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// The first of each run, and the last where it is another.
impl fmt::Display for CoreList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cores = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = cores.next() {
            let mut last = first;
            while let Some(next) = cores.next_if_eq(&(last + 1)) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// The calling thread is on other cores until this is dropped.
#[derive(Debug)]
pub struct Pinned {
    before: CoreList,
}

impl Pinned {
    /// Pins the calling thread and what it starts.
    pub fn to(cores: &CoreList) -> Result<Self, Error> {
        let pinned = Self { before: CoreList::of_this_thread()? };
        cores.apply()?;
        Ok(pinned)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before; when it is not any more, the kernel's choice is as good as any.
        let _ = self.before.apply();
    }
}

/// Refuses what could not be done, before anything is started.
pub fn check(target: &TargetOptions) -> Result<(), Error> {
    if target.broker_cores.is_some() && target.bootstrap.is_some() && target.start.is_none() {
        return Err(Error::CoresOfOthers);
    }
    [&target.broker_cores, &target.loadgen_cores]
        .into_iter()
        .flatten()
        .try_for_each(|cores| Pinned::to(cores).map(drop))
}

/// Does something that starts a process, which will use these cores.
pub fn started_on<T>(cores: Option<&CoreList>, start: impl FnOnce() -> T) -> Result<T, Error> {
    let _pinned = cores.map(Pinned::to).transpose()?;
    Ok(start())
}

/// What the result says of the cores: nothing where nobody is kept from any.
pub fn split(loadgen: Option<&CoreList>, broker_pid: Option<u32>) -> Option<CoreSplit> {
    let all = CoreList::of_this_thread().ok()?;
    let broker = broker_pid.and_then(CoreList::of_process);
    let is_split = loadgen.is_some() || broker.as_ref().is_some_and(|broker| *broker != all);
    is_split.then(|| CoreSplit {
        loadgen: loadgen.unwrap_or(&all).to_string(),
        broker: broker.map(|broker| broker.to_string()),
    })
}

fn failed(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |error| local(what)(io::Error::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, written) in [("0", "0"), ("3,1,2", "1-3"), ("0-3,8", "0-3,8"), (" 1 - 2 ,2", "1-2"), ("5,7", "5,7")]
        {
            assert_eq!(CoreList::parse(text).map(|cores| cores.to_string()), Ok(written.to_owned()), "{text}");
        }
        for text in ["", "a", "3-1", "1,,2", "-1", "0-99999999999", "1024"] {
            assert!(CoreList::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_started_has_the_cores_and_the_starter_has_its_own_again() {
        let before = CoreList::of_this_thread().expect("this thread has cores");
        let one = CoreList::parse(&before.0.first().expect("one at least").to_string()).expect("a list");
        let mut child = started_on(Some(&one), || std::process::Command::new("sleep").arg("60").spawn())
            .expect("a core of ours")
            .expect("a child");
        let of_child = CoreList::of_process(child.id());
        let split = split(Some(&one), Some(child.id()));
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert_eq!(of_child, Some(one.clone()));
        assert_eq!(CoreList::of_this_thread().expect("the same"), before);
        let split = split.expect("one of them is kept from a core, or the machine has one");
        assert_eq!((split.loadgen, split.broker), (one.to_string(), Some(one.to_string())));
    }

    #[test]
    fn a_core_that_is_not_there_is_refused_by_name() {
        let beyond = CoreList::parse("0,1023").expect("a list");
        let before = CoreList::of_this_thread().expect("this thread has cores");
        let error = Pinned::to(&beyond).map(|_| ()).expect_err("no machine of ours has so many");
        assert!(error.to_string().contains("1023"), "{error}");
        assert_eq!(CoreList::of_this_thread().expect("the same"), before);
    }
}
