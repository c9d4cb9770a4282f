//! A shard's side of the admin page: answers questions on its own thread, between its other work.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::error::AppendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::limits::READY_WRITE_DEADLINE;
use crate::metrics::ShardSnapshot;

/// A question to a shard.
pub enum Ask {
    /// Whether its thread takes messages.
    Ping(oneshot::Sender<()>),
    /// What it has done and holds.
    Snapshot(oneshot::Sender<ShardSnapshot>),
    /// Whether something written now becomes durable.
    ProveWritePath(oneshot::Sender<Result<(), AppendError>>),
}

/// A probe of the write path, and whether it ended in time.
type Proof = Pin<Box<dyn Future<Output = Result<Result<(), AppendError>, Elapsed>>>>;

/// Answers until the page is gone. A proof of the write path is awaited beside the other questions; those that come meanwhile share its answer,
/// so that however many ask, one probe is on its way.
pub async fn answer_asks(broker: Rc<Broker>, connections: Arc<AtomicUsize>, mut asks: mpsc::Receiver<Ask>) {
    let mut waiting: Vec<oneshot::Sender<Result<(), AppendError>>> = Vec::new();
    let mut proof: Option<Proof> = None;
    loop {
        let ask = tokio::select! {
            ask = asks.recv() => ask,
            proven = async { proof.as_mut().expect("it is asked only where there is one").await }, if proof.is_some() => {
                proof = None;
                for sender in waiting.drain(..) {
                    // Without an answer in time the page says so itself.
                    if let Ok(outcome) = &proven {
                        let _ = sender.send(outcome.clone());
                    }
                }
                continue;
            }
        };
        match ask {
            None => return,
            // Whoever asked and left does not want to know any more.
            Some(Ask::Ping(sender)) => drop(sender.send(())),
            Some(Ask::Snapshot(sender)) => drop(sender.send(snapshot(&broker, &connections))),
            Some(Ask::ProveWritePath(sender)) => {
                waiting.push(sender);
                if proof.is_none() {
                    proof = Some(Box::pin(timeout(READY_WRITE_DEADLINE, broker.core.prove_write_path())));
                }
            }
        }
    }
}

fn snapshot(broker: &Broker, connections: &AtomicUsize) -> ShardSnapshot {
    ShardSnapshot {
        shard: broker.core.shard().0,
        counters: broker.metrics.counters(),
        connections: connections.load(Ordering::Relaxed),
        engine: broker.core.stats(),
        memory: broker.memory_use(),
    }
}
