//! One coordinator of transactions with its log.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::error::ReadError;
use engine::shard::core::{Core, LogRef, Source};
use tokio::sync::Notify;

use super::{TransactionEdge, markers};
use crate::awaited::Awaited;
use crate::clock::SteadyClock;
use crate::state_log::{ReplayError, StateLog};
use crate::transaction::{
    Coordinator, Effect, Event, Markers, ReplyToken, Response, TransactionConfig, TransactionError,
};

pub(super) struct Keeper {
    core: Core,
    partition: i32,
    place: LogRef,
    log: StateLog,
    /// Of the markers.
    source: Source,
    coordinator: RefCell<Coordinator>,
    /// The leader epoch of the log when it was loaded: a later coordinator has no lower one.
    epoch: Cell<i32>,
    clock: SteadyClock,
    awaited: Awaited<Response>,
    /// The next deadline may be another one.
    changed: Notify,
}

impl Keeper {
    pub(super) fn new(core: &Core, config: TransactionConfig, partition: i32, log: LogRef) -> Keeper {
        Keeper {
            core: core.clone(),
            partition,
            place: log,
            log: StateLog::new(core.clone(), log),
            source: core.new_source(),
            coordinator: RefCell::new(Coordinator::new(config)),
            epoch: Cell::new(0),
            clock: SteadyClock::start(),
            awaited: Awaited::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.coordinator.borrow().memory_bytes()
    }

    pub(super) fn refuse_growth(&self, grows_no_more: bool) {
        self.coordinator.borrow_mut().refuse_growth(grows_no_more);
    }

    pub(super) async fn ask(
        self: &Rc<Self>,
        event: impl FnOnce(ReplyToken) -> Event,
    ) -> Result<Response, TransactionError> {
        let (token, answer) = self.awaited.question();
        self.handle(event(token));
        answer.await.map_err(|_| TransactionError::CoordinatorNotAvailable)
    }

    fn handle(self: &Rc<Self>, event: Event) {
        let effects = self.coordinator.borrow_mut().handle(event, self.clock.now_ms());
        self.carry_out(effects);
    }

    fn carry_out(self: &Rc<Self>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply(token, response) => self.awaited.answer(token, response),
                Effect::Append { batch, then } => {
                    // Queued here, in order; only the waiting is a task.
                    let append = self.log.append(vec![Bytes::from(batch)]);
                    let keeper = Rc::clone(self);
                    self.core.spawn(async move {
                        let event = match append.await {
                            Ok(_) => Event::Appended(then),
                            Err(error) => {
                                let partition = keeper.partition;
                                tracing::error!(partition, %error, "cannot append to a partition of the transactions");
                                Event::AppendFailed(then)
                            }
                        };
                        keeper.handle(event);
                    });
                }
                Effect::WriteMarkers(markers) => self.core.spawn(Rc::clone(self).write(markers)),
            }
        }
        self.changed.notify_one();
    }

    async fn write(self: Rc<Self>, markers: Markers) {
        let transactional_id = markers.transactional_id.clone();
        let written = Arc::new(markers::shards_written(&markers));
        TransactionEdge::forget_verified(&self.core, markers.producer.id, &markers.verified_on, &written).await;
        let delayed = || self.handle(Event::MarkersDelayed(transactional_id.clone()));
        if markers::write(&self.core, self.source, self.epoch.get(), markers, delayed).await {
            self.handle(Event::MarkersWritten(transactional_id));
        }
    }

    pub(super) async fn run(self: Rc<Self>, snapshot_check_interval: Duration) {
        if let Err(error) = self.load().await {
            // Never a guess: its producers wait until a person has looked.
            tracing::error!(partition = self.partition, %error, "cannot load a partition of the transactions");
            return;
        }
        let mut next_check = tokio::time::interval(snapshot_check_interval);
        loop {
            let deadline_ms = self.coordinator.borrow().next_deadline_ms();
            let deadline = self.clock.instant_of(deadline_ms.unwrap_or(i64::MAX));
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(deadline) => self.handle(Event::Tick),
                _ = next_check.tick() => self.shorten_log().await,
            }
        }
    }

    async fn load(self: &Rc<Self>) -> Result<(), ReplayError> {
        self.log.replay(|key, value| self.coordinator.borrow_mut().load(key, value)).await?;
        let view = self.core.view(self.place).await.ok_or(ReadError::UnknownLog(self.place.log))?;
        self.epoch.set(view.leader_epoch);
        let effects = self.coordinator.borrow_mut().loaded(self.clock.now_ms());
        self.carry_out(effects);
        Ok(())
    }

    async fn shorten_log(&self) {
        let live = || self.coordinator.borrow().snapshot(self.clock.now_ms());
        if let Err(error) = self.log.shorten(live).await {
            tracing::warn!(partition = self.partition, %error, "cannot shorten the log of a partition of the transactions");
        }
    }
}
