//! What a thread asks of its clients, whatever they speak.

use mio::Registry;

use crate::consumer::{Consumer, Reader};
use crate::error::Error;
use crate::integrity::PartitionSeen;
use crate::payload::PayloadWriter;
use crate::producer::{Producer, ProducerReport};
use crate::recorder::Recorder;

/// A producer in a thread's loop; [`Producer`] tells what each call is for.
pub trait ProducerClient: Send {
    /// Starts to send at `origin_ns`: by schedule, or as fast as it goes.
    fn start(&mut self, origin_ns: u64, records_max: u64);
    /// The measured window begins: what the warm-up still owes is forgotten.
    fn restart(&mut self, origin_ns: u64);
    /// Opens lost connections again, where losses are planned.
    fn recover(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error>;
    /// Builds and sends what is due at `now_ns`.
    fn fill(&mut self, now_ns: u64, payload: &mut PayloadWriter, recorder: &mut Recorder) -> Result<(), Error>;
    /// Goes on with what its coordinator is asked, where it has one.
    fn tend(&mut self, _now_ns: u64, _registry: &Registry) -> Result<(), Error> {
        Ok(())
    }
    /// Whether a socket is the one to its coordinator.
    fn is_coordinator(&self, _socket: usize) -> bool {
        false
    }
    /// The socket to its coordinator became readable or writable.
    fn on_coordinator_ready(
        &mut self,
        _now_ns: u64,
        _registry: &Registry,
        _recorder: &mut Recorder,
    ) -> Result<(), Error> {
        Ok(())
    }
    /// Stops at the end of the window.
    fn close(&mut self, end_ns: u64);
    /// Everything sent is answered, and nothing more is to be sent.
    fn is_idle(&self) -> bool;
    /// When `fill` is worth calling again, if nothing is answered before.
    fn next_wake_ns(&self) -> u64;
    /// A socket became readable or writable.
    fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error>;
    /// When the oldest request without an answer was written.
    fn oldest_sent_ns(&self) -> Option<u64>;
    /// What is known at the end, which `ended` early or not.
    fn into_report(self: Box<Self>, ended: &Result<(), Error>) -> ProducerReport;
}

impl ProducerClient for Producer {
    fn start(&mut self, origin_ns: u64, records_max: u64) {
        Producer::start(self, origin_ns, records_max);
    }

    fn restart(&mut self, origin_ns: u64) {
        Producer::restart(self, origin_ns);
    }

    fn recover(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        Producer::recover(self, now_ns, registry)
    }

    fn fill(&mut self, now_ns: u64, payload: &mut PayloadWriter, recorder: &mut Recorder) -> Result<(), Error> {
        Producer::fill(self, now_ns, payload, recorder)
    }

    fn tend(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        Producer::tend(self, now_ns, registry)
    }

    fn is_coordinator(&self, socket: usize) -> bool {
        Producer::is_coordinator(self, socket)
    }

    fn on_coordinator_ready(&mut self, now_ns: u64, registry: &Registry, recorder: &mut Recorder) -> Result<(), Error> {
        Producer::on_coordinator_ready(self, now_ns, registry, recorder)
    }

    fn close(&mut self, end_ns: u64) {
        Producer::close(self, end_ns);
    }

    fn is_idle(&self) -> bool {
        Producer::is_idle(self)
    }

    fn next_wake_ns(&self) -> u64 {
        Producer::next_wake_ns(self)
    }

    fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        Producer::on_ready(self, broker, recorder)
    }

    fn oldest_sent_ns(&self) -> Option<u64> {
        Producer::oldest_sent_ns(self)
    }

    fn into_report(self: Box<Self>, ended: &Result<(), Error>) -> ProducerReport {
        Producer::into_report(*self, ended)
    }
}

/// A consumer in a thread's loop; [`Consumer`] tells what each call is for.
pub trait ConsumerClient: Send {
    /// Opens lost connections again, where losses are planned.
    fn recover(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error>;
    /// Goes on with its membership of a group, where it is a member.
    fn tend(&mut self, _now_ns: u64, _registry: &Registry) -> Result<(), Error> {
        Ok(())
    }
    /// Whether a socket is the one to its coordinator.
    fn is_coordinator(&self, _socket: usize) -> bool {
        false
    }
    /// The socket to its coordinator became readable or writable.
    fn on_coordinator_ready(&mut self, _now_ns: u64, _registry: &Registry) -> Result<(), Error> {
        Ok(())
    }
    /// Whether its group has given out all partitions, where it is a member.
    fn is_assigned(&self) -> bool {
        true
    }
    /// Whether everything below `targets` was read and the group is left.
    fn has_ended(&mut self, targets: &[i64]) -> bool {
        self.has_reached(targets)
    }
    /// Asks for more wherever no question is open.
    fn poll(&mut self) -> Result<(), Error>;
    /// A socket became readable or writable; how many faults were found in what came.
    fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<u64, Error>;
    /// Whether everything below `targets`, the ends of all partitions of the topic, was read.
    fn has_reached(&self, targets: &[i64]) -> bool;
    /// When the oldest question without an answer was asked.
    fn oldest_sent_ns(&self) -> Option<u64>;
    /// What was read.
    fn into_seen(self: Box<Self>) -> Vec<(Reader, PartitionSeen)>;
}

impl ConsumerClient for Consumer {
    fn recover(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        Consumer::recover(self, now_ns, registry)
    }

    fn tend(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        Consumer::tend(self, now_ns, registry)
    }

    fn is_coordinator(&self, socket: usize) -> bool {
        Consumer::is_coordinator(self, socket)
    }

    fn on_coordinator_ready(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        Consumer::on_coordinator_ready(self, now_ns, registry)
    }

    fn is_assigned(&self) -> bool {
        Consumer::is_assigned(self)
    }

    fn has_ended(&mut self, targets: &[i64]) -> bool {
        Consumer::has_ended(self, targets)
    }

    fn poll(&mut self) -> Result<(), Error> {
        Consumer::poll(self)
    }

    fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<u64, Error> {
        Consumer::on_ready(self, broker, recorder)
    }

    fn has_reached(&self, targets: &[i64]) -> bool {
        Consumer::has_reached(self, targets)
    }

    fn oldest_sent_ns(&self) -> Option<u64> {
        Consumer::oldest_sent_ns(self)
    }

    fn into_seen(self: Box<Self>) -> Vec<(Reader, PartitionSeen)> {
        Consumer::into_seen(*self).collect()
    }
}
