//! `FrameBudget`: memory of a shard for received frames. It counts what buffers really have, so that a lying length takes nothing from others,
//! and as long as any slice of them lives.
//!
//! Frames that grow together could each wait for the memory of the others. So one frame at a time may go beyond the budget: memory is
//! bounded by the budget plus one frame, and there is always one that comes to its end.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget of one shard.
pub struct FrameBudget {
    bytes_max: usize,
    /// Permits are bytes.
    bytes: Arc<Semaphore>,
    overdraft: Arc<Semaphore>,
}

/// What one frame holds; given back when it is dropped.
#[derive(Default)]
pub struct FrameMemory {
    counted: Option<OwnedSemaphorePermit>,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl FrameBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> FrameBudget {
        FrameBudget { bytes_max: bytes, bytes: Arc::new(Semaphore::new(bytes)), overdraft: Arc::new(Semaphore::new(1)) }
    }

    /// Bytes that are held within the budget.
    pub fn used_bytes(&self) -> usize {
        self.bytes_max - self.bytes.available_permits()
    }

    /// Memory for so many bytes, if there is some now.
    pub fn try_take(&self, bytes: usize) -> Option<FrameMemory> {
        let counted = Arc::clone(&self.bytes).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()?;
        Some(FrameMemory { counted: Some(counted), overdraft: None })
    }

    /// Waits until `memory` covers a buffer of `bytes`. The client waits upstream: what it sends stays in the kernel.
    pub async fn grow(&self, memory: &mut FrameMemory, bytes: usize) {
        let counted = memory.counted.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.saturating_sub(counted);
        if missing == 0 || memory.overdraft.is_some() {
            return;
        }
        // The length of a frame is an i32, so its bytes fit.
        let missing = missing as u32;
        let more = if let Ok(more) = Arc::clone(&self.bytes).try_acquire_many_owned(missing) {
            Ok(more)
        } else {
            tokio::select! {
                biased;
                more = Arc::clone(&self.bytes).acquire_many_owned(missing) => more,
                slot = Arc::clone(&self.overdraft).acquire_owned() => {
                    memory.overdraft = slot.ok();
                    return;
                }
            }
        };
        let more = more.expect("the semaphore is never closed");
        match &mut memory.counted {
            Some(counted) => counted.merge(more),
            None => memory.counted = Some(more),
        }
    }
}

impl FrameMemory {
    /// Gives back what is more than `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        if let Some(counted) = &mut self.counted {
            drop(counted.split(counted.num_permits().saturating_sub(bytes)));
        }
    }

    /// The content of a frame with its memory, which is given back when the last slice is dropped, on whatever thread.
    pub fn hold(self, content: Bytes) -> Bytes {
        Bytes::from_owner(Held { content, _memory: self })
    }
}

struct Held {
    content: Bytes,
    _memory: FrameMemory,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn grows(budget: &FrameBudget, memory: &mut FrameMemory, bytes: usize) -> bool {
        tokio::time::timeout(Duration::from_millis(1), budget.grow(memory, bytes)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_frame_goes_beyond_the_budget_and_the_others_wait_for_it() {
        let budget = FrameBudget::new(100);
        let (mut first, mut second, mut third) =
            (FrameMemory::default(), FrameMemory::default(), FrameMemory::default());
        assert!(grows(&budget, &mut first, 60).await);
        assert!(grows(&budget, &mut second, 40).await);
        assert!(grows(&budget, &mut first, 200).await, "by the overdraft");
        assert!(grows(&budget, &mut first, 300).await, "it has it to its end");
        assert!(!grows(&budget, &mut second, 41).await);
        assert!(!grows(&budget, &mut third, 1).await);
        drop(first);
        assert!(grows(&budget, &mut second, 90).await);
        assert!(grows(&budget, &mut third, 10).await);
        assert_eq!((budget.bytes.available_permits(), budget.overdraft.available_permits()), (0, 1));
        drop((second, third));
        assert_eq!(budget.bytes.available_permits(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_held_by_the_last_slice_and_what_is_not_needed_is_given_back() {
        let budget = FrameBudget::new(100);
        let mut memory = FrameMemory::default();
        assert!(grows(&budget, &mut memory, 90).await);
        memory.shrink(10);
        assert_eq!(budget.used_bytes(), 10);
        let frame = memory.hold(Bytes::from_static(b"0123456789"));
        let slice = frame.slice(3..5);
        drop(frame);
        assert_eq!(budget.used_bytes(), 10);
        drop(slice);
        assert_eq!(budget.used_bytes(), 0);
    }
}
