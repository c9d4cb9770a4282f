//! The only path between shards: a pair of bounded queues for each pair of shards, and a bell for each shard.
//!
//! A sender has at most [`MAILBOX_MESSAGES_MAX`] requests without an answer at one target; so the queue of answers back always
//! has room, and two shards never wait for each other.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use tokio::sync::Notify;

use super::core::Core;
use crate::limits::MAILBOX_MESSAGES_MAX;
use crate::offset::ShardId;

/// Something to do on the target's thread.
pub type Work = Box<dyn FnOnce(&Core) + Send>;

/// The answer to a request, for the slot that waits for it.
pub struct Reply {
    /// The waiting slot of the shard that asked.
    pub slot: usize,
    /// The value, of the type that the asker knows.
    pub value: Box<dyn Any + Send>,
}

/// Wakes a shard's thread; ringing one that is awake costs no system call.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    notify: Notify,
}

/// All mailboxes of an engine.
pub struct Mailboxes {
    shards: usize,
    requests: Vec<ArrayQueue<Work>>,
    replies: Vec<ArrayQueue<Reply>>,
    bells: Vec<Bell>,
    /// Requests that each shard has sent to another.
    sent: Vec<AtomicU64>,
    services_running: AtomicUsize,
}

impl Mailboxes {
    /// Mailboxes between `shards` shards, each of which has a service running.
    pub fn new(shards: usize) -> Mailboxes {
        let pairs = shards * shards;
        Mailboxes {
            shards,
            requests: (0..pairs).map(|_| ArrayQueue::new(MAILBOX_MESSAGES_MAX)).collect(),
            replies: (0..pairs).map(|_| ArrayQueue::new(MAILBOX_MESSAGES_MAX)).collect(),
            bells: (0..shards).map(|_| Bell::default()).collect(),
            sent: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            services_running: AtomicUsize::new(shards),
        }
    }

    fn pair(&self, from: ShardId, to: ShardId) -> usize {
        from.0 as usize * self.shards + to.0 as usize
    }

    /// Queues a request. The sender keeps count of its unanswered ones, so there is room.
    pub fn send(&self, from: ShardId, to: ShardId, work: Work) {
        assert!(
            self.requests[self.pair(from, to)].push(work).is_ok(),
            "more requests than the sender may have unanswered"
        );
        self.sent[from.0 as usize].fetch_add(1, Ordering::Relaxed);
        self.ring(to);
    }

    /// Queues an answer.
    pub fn reply(&self, from: ShardId, to: ShardId, reply: Reply) {
        assert!(self.replies[self.pair(from, to)].push(reply).is_ok(), "more answers than requests");
        self.ring(to);
    }

    /// Requests that a shard has sent to others since the start.
    pub fn requests_sent(&self, from: ShardId) -> u64 {
        self.sent[from.0 as usize].load(Ordering::Relaxed)
    }

    /// The next request for a shard, from any other.
    pub fn next_request(&self, to: ShardId) -> Option<Work> {
        (0..self.shards).find_map(|from| self.requests[from * self.shards + to.0 as usize].pop())
    }

    /// The next answer for a shard, with the shard that gave it.
    pub fn next_reply(&self, to: ShardId) -> Option<(ShardId, Reply)> {
        (0..self.shards)
            .find_map(|from| Some((ShardId(from as u32), self.replies[from * self.shards + to.0 as usize].pop()?)))
    }

    /// Lets the next ring wake the shard again. Call it before draining, so that nothing sent in between is missed.
    pub fn silence(&self, shard: ShardId) {
        self.bells[shard.0 as usize].rung.store(false, Ordering::SeqCst);
    }

    /// Ends when somebody rang.
    pub async fn rung(&self, shard: ShardId) {
        self.bells[shard.0 as usize].notify.notified().await;
    }

    fn ring(&self, shard: ShardId) {
        let bell = &self.bells[shard.0 as usize];
        if !bell.rung.swap(true, Ordering::SeqCst) {
            bell.notify.notify_one();
        }
    }

    /// A shard's service ended; the last one wakes everybody.
    pub fn service_ended(&self) {
        if self.services_running.fetch_sub(1, Ordering::SeqCst) == 1 {
            (0..self.shards).for_each(|shard| self.ring(ShardId(shard as u32)));
        }
    }

    /// No service runs any more: nobody will ask for anything.
    pub fn all_services_ended(&self) -> bool {
        self.services_running.load(Ordering::SeqCst) == 0
    }
}
