//! `AnswerBudget`: memory of a shard for answers under way. Records are read for an answer only after memory was reserved for them; other answers
//! are small and made at once, so they are charged when they are there, and as long as that is too much nobody begins another request.
//!
//! A client that takes its answers slowly, or not at all, holds memory that others wait for. An answer is nothing that cannot be asked for
//! again: under pressure the one that was held longest is given up with its connection.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::limits::{ANSWER_BYTES_AT_ONCE, ANSWER_BYTES_KEPT, ANSWER_BYTES_SMALL, ANSWER_FREE_PARTS, ANSWER_HELD_MAX};

/// The budget of one shard; local to its thread.
pub struct AnswerBudget {
    bytes_max: usize,
    used_bytes: Cell<usize>,
    /// Memory came back.
    freed: Notify,
    /// Who holds memory, oldest first.
    holders: RefCell<BTreeMap<u64, Holder>>,
    holders_seen: Cell<u64>,
    given_up: Cell<u64>,
}

struct Holder {
    since: Instant,
    give_up: Rc<Notify>,
}

/// Memory of one answer; given back when it is dropped, after the answer has left.
pub struct AnswerMemory {
    budget: Rc<AnswerBudget>,
    holder: u64,
    bytes: usize,
}

impl AnswerBudget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: usize) -> Rc<AnswerBudget> {
        Rc::new(AnswerBudget {
            bytes_max,
            used_bytes: Cell::new(0),
            freed: Notify::new(),
            holders: RefCell::default(),
            holders_seen: Cell::new(0),
            given_up: Cell::new(0),
        })
    }

    /// Bytes that answers hold.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.get()
    }

    /// What it may hold.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Answers that were given up for others.
    pub fn given_up(&self) -> u64 {
        self.given_up.get()
    }

    /// Waits for memory: as much of `wanted` bytes as is fair, and not less than `least`. `give_up` is notified when the holder is to close
    /// its connection.
    pub async fn reserve(self: &Rc<Self>, wanted: usize, least: usize, give_up: &Rc<Notify>) -> AnswerMemory {
        loop {
            let freed = self.freed.notified();
            let free = self.bytes_max.saturating_sub(self.used_bytes.get());
            let fair = (free.saturating_sub(self.bytes_max / 2) / ANSWER_FREE_PARTS).max(ANSWER_BYTES_SMALL);
            let bytes = wanted.min(ANSWER_BYTES_AT_ONCE).min(fair).max(least);
            if bytes <= free.saturating_sub(self.kept_from(bytes)) {
                return self.charge(bytes, give_up);
            }
            self.wait(freed).await;
        }
    }

    /// What an answer of so many bytes must leave free for small ones. The largest batch may be all that fits, but then it is alone.
    fn kept_from(&self, bytes: usize) -> usize {
        if bytes <= ANSWER_BYTES_SMALL || self.used_bytes.get() == 0 { 0 } else { ANSWER_BYTES_KEPT }
    }

    /// Memory for exactly `bytes`, if nobody has to be fair yet: out of the first half of the budget.
    pub fn reserve_at_once(self: &Rc<Self>, bytes: usize, give_up: &Rc<Notify>) -> Option<AnswerMemory> {
        let fits = self.used_bytes.get().saturating_add(bytes) <= self.bytes_max / 2;
        (bytes == 0 || fits).then(|| self.charge(bytes, give_up))
    }

    /// Counts an answer, whether there is room or not: one that is there already.
    pub fn charge(self: &Rc<Self>, bytes: usize, give_up: &Rc<Notify>) -> AnswerMemory {
        let holder = self.holders_seen.get();
        self.holders_seen.set(holder + 1);
        self.used_bytes.set(self.used_bytes.get() + bytes);
        self.holders.borrow_mut().insert(holder, Holder { since: Instant::now(), give_up: Rc::clone(give_up) });
        AnswerMemory { budget: Rc::clone(self), holder, bytes }
    }

    /// Waits as long as answers hold more than they may.
    pub async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            if self.used_bytes.get() <= self.bytes_max {
                return;
            }
            self.wait(freed).await;
        }
    }

    /// Ends when memory came back. A holder that has become too old until then is told to give its memory up: one, however many are.
    async fn wait(&self, freed: impl Future<Output = ()>) {
        let mut freed = pin!(freed);
        let oldest = self.holders.borrow().values().next().map(|holder| holder.since);
        let too_old = async {
            match oldest {
                Some(since) => sleep_until(since + ANSWER_HELD_MAX).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut freed => return,
            () = too_old => {}
        }
        if self.give_up_oldest() {
            freed.await;
        }
    }

    /// Whether there was one that is old enough.
    fn give_up_oldest(&self) -> bool {
        let mut holders = self.holders.borrow_mut();
        let is_too_old = |holder: &Holder| holder.since + ANSWER_HELD_MAX <= Instant::now();
        let oldest = holders.first_entry().filter(|oldest| is_too_old(oldest.get()));
        let given_up = oldest.is_some();
        if let Some(oldest) = oldest {
            // It stays counted until the connection has dropped it.
            oldest.remove().give_up.notify_one();
            self.given_up.set(self.given_up.get() + 1);
        }
        given_up
    }
}

impl AnswerMemory {
    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back what is more than `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        self.give_back(self.bytes.saturating_sub(bytes));
    }

    fn give_back(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.budget.used_bytes.set(self.budget.used_bytes.get() - bytes);
        self.budget.freed.notify_waiters();
    }
}

impl Drop for AnswerMemory {
    fn drop(&mut self) {
        self.give_back(self.bytes);
        self.budget.holders.borrow_mut().remove(&self.holder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BUDGET: usize = 16 << 20;

    async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(1), future).await.ok()
    }

    fn client() -> Rc<Notify> {
        Rc::new(Notify::new())
    }

    #[tokio::test(start_paused = true)]
    async fn early_ones_leave_something_for_later_ones() {
        let budget = AnswerBudget::new(BUDGET);
        let mut held = Vec::new();
        while let Some(memory) = soon(budget.reserve(usize::MAX, 1, &client())).await {
            held.push(memory.bytes());
            std::mem::forget(memory);
        }
        assert_eq!(held[0], BUDGET / 16);
        assert!(held.windows(2).all(|pair| pair[0] >= pair[1]), "{held:?}");
        let small = held.iter().filter(|bytes| **bytes == ANSWER_BYTES_SMALL).count();
        assert!(small >= BUDGET / 2 / ANSWER_BYTES_SMALL, "{held:?}");
        assert!(budget.used_bytes() <= BUDGET && budget.used_bytes() > BUDGET - ANSWER_BYTES_SMALL);
    }

    /// Readers of large batches that took nothing held all but some kilobytes, so that a reader of another topic waited for minutes: the piece that it
    /// would have got did not fit, and whenever something was given up, another large answer took it.
    #[tokio::test(start_paused = true)]
    async fn large_answers_leave_room_for_small_ones() {
        let large = BUDGET / 16 - 1_000;
        let budget = AnswerBudget::new(BUDGET);
        let mut held = Vec::new();
        while let Some(memory) = soon(budget.reserve(usize::MAX, large, &client())).await {
            assert!(memory.bytes() >= large);
            held.push(memory);
        }
        for _ in 0..ANSWER_BYTES_KEPT / ANSWER_BYTES_SMALL {
            held.extend(soon(budget.reserve(usize::MAX, 1, &client())).await);
        }
        let small = held.iter().filter(|memory| memory.bytes() == ANSWER_BYTES_SMALL).count();
        assert_eq!(small, ANSWER_BYTES_KEPT / ANSWER_BYTES_SMALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_first_batch_waits_for_all_that_it_needs() {
        let budget = AnswerBudget::new(BUDGET);
        let mut first = budget.reserve(BUDGET / 8, 1, &client()).await;
        assert!(soon(budget.reserve(1, BUDGET, &client())).await.is_none());
        first.shrink(10);
        assert_eq!(budget.used_bytes(), 10);
        assert!(soon(budget.reserve(1, BUDGET, &client())).await.is_none());
        drop(first);
        assert_eq!(soon(budget.reserve(1, BUDGET, &client())).await.map(|memory| memory.bytes()), Some(BUDGET));
        assert_eq!((budget.used_bytes(), budget.holders.borrow().len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_holder_is_given_up_when_others_wait_and_not_before() {
        let budget = AnswerBudget::new(BUDGET);
        let (slow, other) = (client(), client());
        let held = budget.charge(BUDGET, &slow);
        tokio::time::sleep(ANSWER_HELD_MAX * 3).await;
        assert!(soon(slow.notified()).await.is_none(), "nobody needs its memory");
        let younger = budget.charge(5, &other);
        assert!(soon(budget.room()).await.is_none());
        assert!(soon(slow.notified()).await.is_some(), "it has taken too long");
        drop(held);
        assert!(soon(budget.room()).await.is_some());
        assert!(soon(other.notified()).await.is_none());
        assert_eq!(budget.given_up(), 1);
        drop(younger);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_gives_up_one_holder_and_the_next_only_when_that_was_not_enough() {
        let budget = AnswerBudget::new(BUDGET);
        let (first, second) = (client(), client());
        let held = budget.charge(BUDGET, &first);
        let next = budget.charge(BUDGET, &second);
        tokio::time::sleep(ANSWER_HELD_MAX * 3).await;
        let mut waits = pin!(budget.room());
        assert!(soon(&mut waits).await.is_none());
        assert!(soon(first.notified()).await.is_some());
        assert!(soon(second.notified()).await.is_none(), "the first has had no time to give its memory back");
        drop(held);
        assert!(soon(&mut waits).await.is_some(), "that was enough");
        assert!(soon(second.notified()).await.is_none());
        assert!(soon(budget.reserve(1, BUDGET, &client())).await.is_none());
        assert!(soon(second.notified()).await.is_some());
        drop(next);
    }
}
