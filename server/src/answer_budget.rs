//! `AnswerBudget`: memory of a shard for answers under way. Records are read for an answer only after memory was reserved for them; other answers
//! are small and made at once, so they are charged when they are there, and as long as that is too much nobody begins another request.
//!
//! A client that takes its answers slowly, or not at all, holds memory that others wait for. However many it asks for, it holds a share of the
//! budget; and the larger answers are, the more they leave to smaller ones. An answer is nothing that cannot be asked for again: under pressure the
//! one that was held longest is given up with its connection.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::limits::{
    ANSWER_BYTES_AT_ONCE, ANSWER_BYTES_KEPT, ANSWER_BYTES_SMALL, ANSWER_FREE_PARTS, ANSWER_HELD_MAX, ANSWER_SHARE_PARTS,
};

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
    taker: Rc<AnswerTaker>,
}

/// A connection, as the one that takes answers.
#[derive(Default)]
pub struct AnswerTaker {
    /// Others wait for the memory that its answers hold: it is to be closed.
    pub give_up: Notify,
    held_bytes: Cell<usize>,
}

/// Memory of one answer; given back when it is dropped, after the answer has left.
pub struct AnswerMemory {
    budget: Rc<AnswerBudget>,
    taker: Rc<AnswerTaker>,
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

    /// Waits for memory: as much of `wanted` bytes as is fair, and not less than `least`.
    pub async fn reserve(self: &Rc<Self>, wanted: usize, least: usize, taker: &Rc<AnswerTaker>) -> AnswerMemory {
        loop {
            let freed = self.freed.notified();
            let free = self.bytes_max.saturating_sub(self.used_bytes.get());
            let fair = (free.saturating_sub(self.bytes_max / 2) / ANSWER_FREE_PARTS).max(ANSWER_BYTES_SMALL);
            let bytes = wanted.min(ANSWER_BYTES_AT_ONCE).min(fair).max(least);
            if !self.is_within_share(bytes, taker) {
                // Nobody else is in its way, so nobody is given up for it.
                freed.await;
            } else if bytes <= free.saturating_sub(self.kept_from(bytes)) {
                return self.charge(bytes, taker);
            } else {
                self.wait(freed).await;
            }
        }
    }

    /// What one connection may hold: the rest waits until its own answers have left.
    fn share_bytes(&self) -> usize {
        self.bytes_max / ANSWER_SHARE_PARTS
    }

    /// One answer is always within it, whatever its size.
    fn is_within_share(&self, bytes: usize, taker: &AnswerTaker) -> bool {
        let held = taker.held_bytes.get();
        held == 0 || held.saturating_add(bytes) <= self.share_bytes()
    }

    /// What an answer of so many bytes must leave free for smaller ones: what is kept for the small ones, and as much as it takes itself. The
    /// largest batch may be all that fits, but then it is alone.
    fn kept_from(&self, bytes: usize) -> usize {
        if bytes <= ANSWER_BYTES_SMALL || self.used_bytes.get() == 0 {
            return 0;
        }
        ANSWER_BYTES_KEPT + bytes.min(self.share_bytes())
    }

    /// Memory for exactly `bytes`, if nobody has to be fair yet: out of the first half of the budget.
    pub fn reserve_at_once(self: &Rc<Self>, bytes: usize, taker: &Rc<AnswerTaker>) -> Option<AnswerMemory> {
        let fits = self.used_bytes.get().saturating_add(bytes) <= self.bytes_max / 2;
        (bytes == 0 || fits && self.is_within_share(bytes, taker)).then(|| self.charge(bytes, taker))
    }

    /// Counts an answer, whether there is room or not: one that is there already.
    pub fn charge(self: &Rc<Self>, bytes: usize, taker: &Rc<AnswerTaker>) -> AnswerMemory {
        let holder = self.holders_seen.get();
        self.holders_seen.set(holder + 1);
        self.used_bytes.set(self.used_bytes.get() + bytes);
        taker.held_bytes.set(taker.held_bytes.get() + bytes);
        self.holders.borrow_mut().insert(holder, Holder { since: Instant::now(), taker: Rc::clone(taker) });
        AnswerMemory { budget: Rc::clone(self), taker: Rc::clone(taker), holder, bytes }
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
            oldest.remove().taker.give_up.notify_one();
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
        self.taker.held_bytes.set(self.taker.held_bytes.get() - bytes);
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

    fn client() -> Rc<AnswerTaker> {
        Rc::default()
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

    /// What fits between a piece and a large answer waited with the large ones.
    #[tokio::test(start_paused = true)]
    async fn large_answers_leave_room_for_smaller_ones_that_are_not_small() {
        let budget = AnswerBudget::new(BUDGET);
        let mut held = Vec::new();
        while let Some(memory) = soon(budget.reserve(usize::MAX, 1_000_000, &client())).await {
            held.push(memory);
        }
        assert!(budget.used_bytes() > BUDGET / 2, "they have the most of it");
        for _ in 0..5 {
            held.push(soon(budget.reserve(200_000, 200_000, &client())).await.expect("it has room"));
        }
    }

    /// A reader that asked for a hundred answers and took none held all of the memory.
    #[tokio::test(start_paused = true)]
    async fn a_connection_holds_a_share_however_many_answers_it_asks_for_and_gives_nobody_up_for_more() {
        let budget = AnswerBudget::new(BUDGET);
        let (greedy, other) = (client(), client());
        let _other = budget.charge(10, &other);
        let mut held =
            vec![soon(budget.reserve(1, BUDGET / 3, &greedy)).await.expect("one is given, whatever its size")];
        assert!(budget.reserve_at_once(1, &greedy).is_none());
        held.clear();
        while let Some(memory) = soon(budget.reserve(usize::MAX, 150_000, &greedy)).await {
            held.push(memory);
        }
        assert!(held.len() > 1 && budget.used_bytes() <= BUDGET / ANSWER_SHARE_PARTS + 10);
        let mut waits = pin!(budget.reserve(1, 150_000, &greedy));
        tokio::select! {
            _ = &mut waits => panic!("its own answers are in the way"),
            () = tokio::time::sleep(ANSWER_HELD_MAX * 3) => {}
        }
        assert_eq!(budget.given_up(), 0);
        held.clear();
        assert!(soon(waits).await.is_some());
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
        assert!(soon(slow.give_up.notified()).await.is_none(), "nobody needs its memory");
        let younger = budget.charge(5, &other);
        assert!(soon(budget.room()).await.is_none());
        assert!(soon(slow.give_up.notified()).await.is_some(), "it has taken too long");
        drop(held);
        assert!(soon(budget.room()).await.is_some());
        assert!(soon(other.give_up.notified()).await.is_none());
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
        assert!(soon(first.give_up.notified()).await.is_some());
        assert!(soon(second.give_up.notified()).await.is_none(), "the first has had no time to give its memory back");
        drop(held);
        assert!(soon(&mut waits).await.is_some(), "that was enough");
        assert!(soon(second.give_up.notified()).await.is_none());
        assert!(soon(budget.reserve(1, BUDGET, &client())).await.is_none());
        assert!(soon(second.give_up.notified()).await.is_some());
        drop(next);
    }
}
