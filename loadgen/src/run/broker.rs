//! The broker of a run, and the cores that it and this process have.

use super::Session;
use crate::cores::{self, CoreList, Pinned};
use crate::embedded::EmbeddedBroker;
use crate::error::Error;
use crate::host::listener;
use crate::started::StartedBroker;

impl Session<'_> {
    /// The broker that comes with the run, or the one that was named, and its process where it is known. From here on this process
    /// stays on its cores.
    pub(super) fn find_broker(&mut self) -> Result<(String, Option<u32>), Error> {
        let target = self.target;
        // A broker that is started again while this process is pinned has all that it had at first.
        let broker_cores = match (&target.broker_cores, &target.loadgen_cores) {
            (None, Some(_)) => Some(CoreList::of_this_thread()?),
            (given, _) => given.clone(),
        };
        let found = self.start_broker(broker_cores.as_ref())?;
        self.evidence.core_split = cores::split(target.loadgen_cores.as_ref(), found.1);
        self.pinned = target.loadgen_cores.as_ref().map(Pinned::to).transpose()?;
        Ok(found)
    }

    fn start_broker(&mut self, cores: Option<&CoreList>) -> Result<(String, Option<u32>), Error> {
        let target = self.target;
        if let Some(bootstrap) = &target.bootstrap {
            if let Some(start) = &target.start {
                self.progress.say("starting the broker");
                let stop = target.stop.as_deref();
                let at = (target.speaks, bootstrap.as_str());
                self.started = Some(StartedBroker::start(start, stop, at, cores, &self.interrupted)?);
            }
            return Ok((bootstrap.clone(), target.broker_pid.or_else(|| listener::local_pid(bootstrap))));
        }
        self.progress.say("starting the embedded broker");
        let broker = EmbeddedBroker::start(target, cores)?;
        self.evidence.data_directory = Some(broker.directory().to_path_buf());
        let found = (broker.bootstrap().to_owned(), Some(broker.pid()));
        self.broker = Some(broker);
        Ok(found)
    }
}
