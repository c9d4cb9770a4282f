//! `Core`: what a task on a shard's thread sees of the engine. The asynchronous edge around the synchronous [`Shard`].

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use tokio::sync::{Notify, oneshot};

use super::appends::Append;
use super::fair_queue::FairQueue;
pub use super::fair_queue::Source;
use super::mailbox::{Mailboxes, Reply, Work};
pub use super::reads::ReadBatches;
pub use super::state::{Appended, LogView};
use super::state::{Refusal, Shard};
pub use super::transactions::ProducerView;
pub use super::waiters::Acks;
use super::waiters::{CommitWaiters, ReadWaiters, Watches};
use crate::data_directory::CleanEnd;
use crate::error::AppendError;
use crate::io::ring::{CompletionSignal, RingIo};
use crate::limits::MAILBOX_MESSAGES_MAX;
pub use crate::offset::LogRef;
use crate::offset::{CommitSequence, LogId, Offset, ShardId};
pub use crate::partition::config::LogConfig;
pub use crate::partition::marker::{MarkerKind, TransactionMarker};
pub use crate::partition::transactions::{AbortedTransaction, Isolation};

/// The shard's thread has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardGone;

pub(super) struct Inner {
    pub(super) id: ShardId,
    shard_count: u32,
    pub(super) shard: RefCell<Shard<RingIo>>,
    pub(super) mailboxes: Arc<Mailboxes>,
    /// Requests without an answer, and those that wait until there are fewer, by target.
    pub(super) unanswered: RefCell<Vec<usize>>,
    unsent: RefCell<Vec<VecDeque<Work>>>,
    slots: RefCell<Slab<oneshot::Sender<Box<dyn Any + Send>>>>,
    pub(super) written: RefCell<CommitWaiters>,
    pub(super) durable: RefCell<CommitWaiters>,
    /// Appends that wait for room.
    pub(super) stalled: RefCell<FairQueue<Append>>,
    pub(super) sources: Cell<u64>,
    pub(super) reads: RefCell<ReadWaiters>,
    pub(super) watches: RefCell<Watches>,
    /// Something was appended or asked for: a turn is wanted soon.
    pub(super) kick: Notify,
    /// A turn has ended: refused changes may be tried again.
    turned: Notify,
}

/// Handle of the shard whose thread this is. Cheap to clone, never leaves its thread.
#[derive(Clone)]
pub struct Core {
    pub(super) inner: Rc<Inner>,
}

impl Core {
    pub(super) fn new(shard: Shard<RingIo>, shard_count: u32, mailboxes: Arc<Mailboxes>) -> Core {
        let inner = Inner {
            id: shard.id(),
            shard_count,
            shard: RefCell::new(shard),
            mailboxes,
            unanswered: RefCell::new(vec![0; shard_count as usize]),
            unsent: RefCell::new((0..shard_count).map(|_| VecDeque::new()).collect()),
            slots: RefCell::default(),
            written: RefCell::default(),
            durable: RefCell::default(),
            stalled: RefCell::default(),
            sources: Cell::new(0),
            reads: RefCell::default(),
            watches: RefCell::default(),
            kick: Notify::new(),
            turned: Notify::new(),
        };
        Core { inner: Rc::new(inner) }
    }

    /// The shard of this thread.
    pub fn shard(&self) -> ShardId {
        self.inner.id
    }
    /// Number of shards of the directory.
    pub fn shard_count(&self) -> u32 {
        self.inner.shard_count
    }
    /// Logs of this shard, for a comparison with the catalog.
    pub fn logs(&self) -> Vec<LogId> {
        self.inner.shard.borrow().logs()
    }
    /// See [`Shard::clean_end`].
    pub(super) fn clean_end(&self) -> Option<CleanEnd> {
        self.inner.shard.borrow().clean_end()
    }
    /// Runs a task on this thread.
    #[allow(clippy::unused_self, reason = "only a thread with a core has a runtime")]
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }

    /// Runs `work` on another shard's thread (or this one) and gives its result. The message is queued during this call; one
    /// sender's `work` runs on the target in the order of its calls (the futures that it gives run concurrently).
    pub fn on<R, W, F>(&self, shard: ShardId, work: W) -> impl Future<Output = Result<R, ShardGone>> + 'static
    where
        R: Send + 'static,
        W: FnOnce(Core) -> F + Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let (here, there) =
            if shard == self.inner.id { (Some(work(self.clone())), None) } else { (None, Some(self.ask(shard, work))) };
        async move {
            match (here, there) {
                (Some(future), _) => Ok(future.await),
                (None, Some(reply)) => {
                    reply.await.ok().and_then(|value| value.downcast::<R>().ok()).map(|value| *value).ok_or(ShardGone)
                }
                (None, None) => Err(ShardGone),
            }
        }
    }

    /// Ends when everything that this shard has sent to those shards before has arrived there: its appends are in the logs, or wait for room.
    pub async fn arrived(&self, shards: &BTreeSet<ShardId>) {
        // A sender's messages are taken in their order, so that what answers last says it of all before.
        let told: Vec<_> = shards.iter().map(|shard| self.on(*shard, |_| async {})).collect();
        for told in told {
            // A shard that is gone takes nothing any more.
            let _ = told.await;
        }
    }

    fn ask<R, W, F>(&self, shard: ShardId, work: W) -> oneshot::Receiver<Box<dyn Any + Send>>
    where
        R: Send + 'static,
        W: FnOnce(Core) -> F + Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let slot = self.inner.slots.borrow_mut().insert(sender);
        let asker = self.inner.id;
        let work: Work = Box::new(move |core: &Core| {
            let future = work(core.clone());
            let core = core.clone();
            tokio::task::spawn_local(async move {
                let value: Box<dyn Any + Send> = Box::new(future.await);
                core.inner.mailboxes.reply(core.inner.id, asker, Reply { slot, value });
            });
        });
        self.inner.unsent.borrow_mut()[shard.0 as usize].push_back(work);
        self.send_unsent(shard);
        receiver
    }

    fn send_unsent(&self, to: ShardId) {
        let mut unsent = self.inner.unsent.borrow_mut();
        let unanswered = &mut self.inner.unanswered.borrow_mut()[to.0 as usize];
        while *unanswered < MAILBOX_MESSAGES_MAX {
            let Some(work) = unsent[to.0 as usize].pop_front() else {
                return;
            };
            *unanswered += 1;
            self.inner.mailboxes.send(self.inner.id, to, work);
        }
    }

    /// Ends when the commit is durable.
    fn durable(&self, commit: CommitSequence) -> impl Future<Output = Result<(), AppendError>> + use<> {
        let is_durable = self.inner.shard.borrow().ends().durable >= commit;
        let reached = (!is_durable).then(|| self.inner.durable.borrow_mut().wait(commit));
        async move {
            match reached {
                Some(reached) => reached.await.map_err(|_| AppendError::Stopping),
                None => Ok(()),
            }
        }
    }

    /// The ends of a log.
    pub fn view(&self, log: LogRef) -> impl Future<Output = Option<LogView>> + 'static {
        let answer = self.on(log.shard, move |core| async move { core.inner.shard.borrow().view(log.log) });
        async move { answer.await.unwrap_or(None) }
    }

    /// (epoch, end offset) for `OffsetForLeaderEpoch`: the largest epoch <= `epoch` and where it ends; None if unknown.
    pub fn epoch_end(&self, log: LogRef, epoch: i32) -> impl Future<Output = Option<(i32, Offset)>> + 'static {
        let answer = self.on(log.shard, move |core| async move { core.inner.shard.borrow().epoch_end(log.log, epoch) });
        async move { answer.await.unwrap_or(None) }
    }

    /// Makes a log on its shard, durable when the future ends, or changes the configuration of an existing one.
    pub fn configure_log(
        &self,
        log: LogRef,
        config: LogConfig,
    ) -> impl Future<Output = Result<(), AppendError>> + 'static {
        self.change(log.shard, move |shard| shard.configure_log(log.log, config))
    }

    /// Deletes a log for ever; durable when the future ends. Unknown logs are fine.
    pub fn delete_log(&self, log: LogRef) -> impl Future<Output = Result<(), AppendError>> + 'static {
        self.change(log.shard, move |shard| shard.delete_log(log.log))
    }

    /// Looks for what retention may take from the logs of this shard.
    pub fn check_retention(&self) {
        self.inner.shard.borrow_mut().check_retention();
        self.inner.kick.notify_one();
    }

    /// Begins a new leader epoch of a log; durable when the future ends.
    pub fn raise_leader_epoch(&self, log: LogRef) -> impl Future<Output = Result<(), AppendError>> + 'static {
        self.change(log.shard, move |shard| shard.raise_leader_epoch(log.log))
    }

    /// Raises the log start offset (`DeleteRecords`), at most to the high watermark; durable when the future ends. Gives the new start.
    pub fn raise_log_start(
        &self,
        log: LogRef,
        start: Offset,
    ) -> impl Future<Output = Result<Offset, AppendError>> + 'static {
        let core = self.clone();
        let raised =
            self.change(log.shard, move |shard| shard.raise_log_start(log.log, start).map(|(_, commit)| commit));
        async move {
            raised.await?;
            core.view(log).await.map(|view| view.start).ok_or(AppendError::UnknownLog(log.log))
        }
    }

    /// Makes a change on a shard, again after each turn that had no room for it, and waits until it is durable.
    pub(super) fn change(
        &self,
        shard: ShardId,
        change: impl Fn(&mut Shard<RingIo>) -> Result<CommitSequence, Refusal> + Send + 'static,
    ) -> impl Future<Output = Result<(), AppendError>> + 'static {
        let answer = self.on(shard, move |core| async move {
            loop {
                let outcome = change(&mut core.inner.shard.borrow_mut());
                core.inner.kick.notify_one();
                match outcome {
                    Ok(commit) => return core.durable(commit).await,
                    Err(Refusal::Wait) => core.inner.turned.notified().await,
                    Err(Refusal::Error(error)) => return Err(error),
                }
            }
        });
        async move { answer.await.unwrap_or(Err(AppendError::Stopping)) }
    }

    /// Turns the shard whenever there is something to do, until every service of the engine has ended and everything is durable.
    pub(super) async fn run(&self, signal: CompletionSignal) {
        loop {
            let deadline_ns = self.inner.shard.borrow().deadline_ns();
            let sleep_ns = deadline_ns
                .map(|at| at.saturating_sub(crate::io::Io::monotonic_ns(self.inner.shard.borrow_mut().io())));
            tokio::select! {
                () = signal.wait() => {}
                () = self.inner.mailboxes.rung(self.inner.id) => {}
                () = self.inner.kick.notified() => {}
                () = tokio::time::sleep(Duration::from_nanos(sleep_ns.unwrap_or(0))), if sleep_ns.is_some() => {}
            }
            self.turn();
            if self.inner.mailboxes.all_services_ended() && self.inner.stalled.borrow().is_empty() {
                let settled = self.inner.shard.borrow_mut().try_settle();
                if settled {
                    return;
                }
                self.inner.shard.borrow_mut().pump();
            }
        }
    }

    fn turn(&self) {
        let inner = &self.inner;
        inner.mailboxes.silence(inner.id);
        while let Some((from, reply)) = inner.mailboxes.next_reply(inner.id) {
            inner.unanswered.borrow_mut()[from.0 as usize] -= 1;
            self.send_unsent(from);
            let _ = inner.slots.borrow_mut().remove(reply.slot).send(reply.value);
        }
        while let Some(work) = inner.mailboxes.next_request(inner.id) {
            work(self);
        }
        let outcome = inner.shard.borrow_mut().turn();
        if let Err(failure) = outcome {
            super::engine::stop_the_process(inner.id, &failure);
        }
        self.tell_waiters();
        self.admit_stalled();
        inner.shard.borrow_mut().pump();
        inner.turned.notify_waiters();
    }

    fn tell_waiters(&self) {
        let inner = &self.inner;
        let mut shard = inner.shard.borrow_mut();
        let ends = shard.ends();
        inner.written.borrow_mut().reached(ends.written);
        inner.durable.borrow_mut().reached(ends.durable);
        for (id, outcome) in shard.take_finished_reads() {
            if let Some(sender) = inner.reads.borrow_mut().remove(&id) {
                let _ = sender.send(outcome);
            }
        }
        for advance in shard.take_advanced() {
            inner.watches.borrow_mut().advanced(advance);
        }
    }
}
