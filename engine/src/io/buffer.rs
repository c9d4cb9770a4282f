//! CONTRACT: block-aligned memory for direct I/O, owned by one handle at a time, that always finds its way back to its core.
//!
//! A [`Pool`] belongs to one core. Its buffers may travel: an [`AlignedBuffer`] turned into [`Bytes`] can be dropped last on
//! any thread, and the memory then returns through a lock-free queue. Nothing is handed out again before that last drop,
//! so the content of a live `Bytes` cannot change.
#![allow(unsafe_code, reason = "memory aligned for O_DIRECT cannot be had from Vec")]

use std::alloc::{self, Layout};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crossbeam::queue::ArrayQueue;

use super::slab::{SLAB_BYTES, Slab};
use crate::limits::{
    BLOCK_BYTES, CHUNK_BYTES_LARGE, CHUNK_BYTES_SMALL, DISK_READ_BYTES_MAX, EXTENT_BYTES, POOL_IDLE_BYTES_MAX,
};

/// Sizes that are kept for reuse; a request takes the smallest that holds it, larger ones are not pooled.
const CLASS_BYTES: [usize; 4] = [CHUNK_BYTES_SMALL, EXTENT_BYTES, CHUNK_BYTES_LARGE, DISK_READ_BYTES_MAX];

/// Classes from this size on are cut from slabs. Smaller buffers are few pages anyway, and an idle core shall not hold a huge page for one.
const SLAB_BLOCK_BYTES_MIN: usize = EXTENT_BYTES;
/// ... where so many slabs may be idle.
const SLAB_IDLE_TIMES: usize = 8;
const _: () = assert!(POOL_IDLE_BYTES_MAX >= SLAB_IDLE_TIMES * SLAB_BYTES && SLAB_BYTES / DISK_READ_BYTES_MAX >= 2);

/// The buffers of one core.
#[derive(Debug)]
pub struct Pool {
    /// Last in, first out: the buffer returned last is the one still in the cache.
    idle: [Vec<Block>; CLASS_BYTES.len()],
    home: Arc<Home>,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self {
            idle: Default::default(),
            home: Arc::new(Home {
                returned: CLASS_BYTES.map(|bytes| ArrayQueue::new(POOL_IDLE_BYTES_MAX / bytes)),
                idle_bytes: AtomicUsize::new(0),
                idle_bytes_max: AtomicUsize::new(POOL_IDLE_BYTES_MAX),
                outstanding_bytes: AtomicUsize::new(0),
            }),
        }
    }

    /// A buffer whose length is `bytes` rounded up to the block. Its content is whatever its last owner left, or zeros.
    pub fn take(&mut self, bytes: usize) -> AlignedBuffer {
        let length = bytes.max(1).next_multiple_of(BLOCK_BYTES);
        let class = CLASS_BYTES.iter().position(|class| *class >= length);
        let block = match class {
            Some(class) => self.take_idle(class).unwrap_or_else(|| self.new_block(class)),
            None => Block::new_zeroed(length),
        };
        self.home.outstanding_bytes.fetch_add(block.bytes(), Ordering::Relaxed);
        AlignedBuffer { block: Some(block), length, home: Arc::clone(&self.home) }
    }

    /// Keeps no more than so many bytes for reuse from now on, and never more than `POOL_IDLE_BYTES_MAX`.
    pub fn keep_at_most(&mut self, bytes: usize) {
        self.home.idle_bytes_max.store(bytes.min(POOL_IDLE_BYTES_MAX), Ordering::Relaxed);
    }

    /// Bytes of memory in buffers that somebody holds, as an `AlignedBuffer` or as `Bytes`.
    pub fn outstanding_bytes(&self) -> usize {
        self.home.outstanding_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of memory kept for reuse; at most `POOL_IDLE_BYTES_MAX`.
    pub fn idle_bytes(&self) -> usize {
        self.home.idle_bytes.load(Ordering::Relaxed)
    }

    /// A fresh block. The others of its slab wait as if they had come back, which they may where a slab is small beside what may be idle.
    fn new_block(&mut self, class: usize) -> Block {
        let bytes = CLASS_BYTES[class];
        let is_roomy = self.home.idle_bytes_max.load(Ordering::Relaxed) >= SLAB_IDLE_TIMES * SLAB_BYTES;
        if bytes < SLAB_BLOCK_BYTES_MIN || !is_roomy {
            self.make_room(class, bytes);
            return Block::new_zeroed(bytes);
        }
        self.make_room(class, SLAB_BYTES);
        let mut blocks = Block::of_slab(bytes);
        let first = blocks.next().expect("a slab holds at least two");
        for block in blocks {
            self.home.keep(class, block);
        }
        first
    }

    /// A class that lacks a block is what the load takes now. What lies idle in the others gives way: without that, buffers of a load that is
    /// over would stay, and each of the new one be made and given back again.
    fn make_room(&mut self, wanted: usize, bytes: usize) {
        let idle_bytes_max = self.home.idle_bytes_max.load(Ordering::Relaxed);
        for class in (0..CLASS_BYTES.len()).filter(|&class| class != wanted) {
            while self.idle_bytes() + bytes > idle_bytes_max {
                let Some(block) = self.take_idle(class) else { break };
                drop(block);
            }
        }
    }

    fn take_idle(&mut self, class: usize) -> Option<Block> {
        while let Some(block) = self.home.returned[class].pop() {
            self.idle[class].push(block);
        }
        let block = self.idle[class].pop()?;
        self.home.idle_bytes.fetch_sub(block.bytes(), Ordering::Relaxed);
        Some(block)
    }
}

/// One owner's buffer: aligned to the block, a whole number of blocks long, always initialised.
pub struct AlignedBuffer {
    /// None only while it is dropped.
    block: Option<Block>,
    length: usize,
    home: Arc<Home>,
}

impl AlignedBuffer {
    /// Freezes the content. The memory returns to its pool when the last clone or slice is dropped, on whatever thread.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// Bytes of memory behind this buffer: what holding it costs.
    pub fn capacity(&self) -> usize {
        self.block().bytes()
    }

    /// Shortens the visible part; the memory stays whole.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    fn block(&self) -> &Block {
        self.block.as_ref().expect("the block leaves only in drop, which has the last reference")
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `Block` keeps `memory` valid and initialised for its bytes, `take` and `truncate` keep `length` within them,
        // and writers need `&mut self`.
        unsafe { std::slice::from_raw_parts(self.block().memory.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` is the only handle, because a buffer turned into `Bytes` is reachable read-only.
        unsafe { std::slice::from_raw_parts_mut(self.block().memory.as_ptr(), self.length) }
    }
}

impl AsRef<[u8]> for AlignedBuffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AlignedBuffer")
            .field("length", &self.length)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.home.take_back(block);
        }
    }
}

/// What the core and the holders of its buffers share.
#[derive(Debug)]
struct Home {
    returned: [ArrayQueue<Block>; CLASS_BYTES.len()],
    idle_bytes: AtomicUsize,
    idle_bytes_max: AtomicUsize,
    outstanding_bytes: AtomicUsize,
}

impl Home {
    fn take_back(&self, block: Block) {
        let bytes = block.bytes();
        self.outstanding_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let Some(class) = CLASS_BYTES.iter().position(|class| *class == bytes) else {
            return;
        };
        self.keep(class, block);
    }

    /// Keeps a block for reuse if there is room, and else gives its memory back.
    fn keep(&self, class: usize, block: Block) {
        let bytes = block.bytes();
        let idle_bytes_max = self.idle_bytes_max.load(Ordering::Relaxed);
        let room = self.idle_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |idle| {
            (idle + bytes <= idle_bytes_max).then_some(idle + bytes)
        });
        // The queue holds as many blocks as the budget grants, so a push within the budget succeeds.
        if room.is_ok() && self.returned[class].push(block).is_err() {
            self.idle_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// Owned memory, initialised from birth.
#[derive(Debug)]
struct Block {
    memory: NonNull<u8>,
    layout: Layout,
    /// Where it is a part of a slab.
    slab: Option<Arc<Slab>>,
}

impl Block {
    /// All blocks of a new slab.
    fn of_slab(bytes: usize) -> impl Iterator<Item = Block> {
        let slab = Arc::new(Slab::new());
        (0..SLAB_BYTES / bytes).map(move |index| Block {
            memory: slab.part(index, bytes),
            layout: block_layout(bytes),
            slab: Some(Arc::clone(&slab)),
        })
    }

    fn new_zeroed(bytes: usize) -> Self {
        let layout = block_layout(bytes);
        // SAFETY: the layout is not of size zero (`take` asks for at least one block).
        let memory = unsafe { alloc::alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| alloc::handle_alloc_error(layout));
        Self { memory, layout, slab: None }
    }

    fn bytes(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(slab) = &self.slab {
            slab.give_back(self.memory, self.layout.size());
        } else {
            // SAFETY: `new_zeroed` got this memory with this layout, and a `Block` is not `Clone`, so this is the only release.
            unsafe { alloc::dealloc(self.memory.as_ptr(), self.layout) };
        }
    }
}

fn block_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, BLOCK_BYTES).expect("a block multiple far below isize::MAX")
}

// SAFETY: a `Block` is the sole owner of plain memory without any tie to a thread.
unsafe impl Send for Block {}
// SAFETY: a shared `Block` gives no access to its memory except reading through `AlignedBuffer::deref`.
unsafe impl Sync for Block {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_is_aligned_and_at_least_as_long_as_asked() {
        let mut pool = Pool::new();
        for bytes in [0, 1, 4096, 4097, 65_536, 65_537, 524_288, 1 << 20, 3 << 20] {
            let buffer = pool.take(bytes);
            assert_eq!(buffer.as_ptr() as usize % BLOCK_BYTES, 0);
            assert!(buffer.len() >= bytes && buffer.len().is_multiple_of(BLOCK_BYTES));
            assert!(buffer.iter().all(|byte| *byte == 0), "fresh memory is zero");
        }
    }

    #[test]
    fn the_buffer_returned_last_is_reused_first() {
        let mut pool = Pool::new();
        let (first, second) = (pool.take(CHUNK_BYTES_LARGE), pool.take(CHUNK_BYTES_LARGE));
        let (first_address, second_address) = (first.as_ptr(), second.as_ptr());
        drop(second);
        drop(first);
        assert_eq!(pool.take(CHUNK_BYTES_LARGE).as_ptr(), first_address);
        let again = pool.take(CHUNK_BYTES_LARGE);
        assert_eq!(again.as_ptr(), first_address);
        assert_eq!(pool.take(CHUNK_BYTES_LARGE).as_ptr(), second_address);
    }

    #[test]
    fn memory_dropped_on_another_thread_returns_to_its_pool() {
        let mut pool = Pool::new();
        let mut buffer = pool.take(CHUNK_BYTES_SMALL);
        buffer.fill(7);
        let address = buffer.as_ptr() as usize;
        let bytes = buffer.into_bytes();
        assert_eq!(pool.outstanding_bytes(), CHUNK_BYTES_SMALL);
        let slice = bytes.slice(100..200);
        drop(bytes);
        assert_eq!(pool.outstanding_bytes(), CHUNK_BYTES_SMALL, "a slice holds the whole buffer");
        std::thread::spawn(move || drop(slice)).join().expect("the dropping thread does not panic");
        assert_eq!(pool.outstanding_bytes(), 0);
        assert_eq!(pool.idle_bytes(), CHUNK_BYTES_SMALL);
        assert_eq!(pool.take(4096).as_ptr() as usize, address);
    }

    #[test]
    fn the_content_of_live_bytes_never_changes() {
        let mut pool = Pool::new();
        let mut held = Vec::new();
        for round in 0..200_u8 {
            let mut buffer = pool.take(CHUNK_BYTES_SMALL);
            buffer.fill(round);
            let bytes = buffer.into_bytes();
            if round % 3 == 0 {
                held.push((round, bytes.slice(usize::from(round)..)));
            }
            if round % 7 == 0 {
                held.drain(..held.len() / 2);
            }
            for (value, bytes) in &held {
                assert!(bytes.iter().all(|byte| byte == value));
            }
        }
    }

    #[test]
    fn idle_memory_stays_within_its_limit() {
        let mut pool = Pool::new();
        let buffers: Vec<_> =
            (0..2 * POOL_IDLE_BYTES_MAX / CHUNK_BYTES_LARGE).map(|_| pool.take(CHUNK_BYTES_LARGE)).collect();
        assert_eq!(pool.outstanding_bytes(), 2 * POOL_IDLE_BYTES_MAX);
        drop(buffers);
        assert_eq!(pool.outstanding_bytes(), 0);
        assert_eq!(pool.idle_bytes(), POOL_IDLE_BYTES_MAX);
        let unpooled = pool.take(8 << 20);
        drop(unpooled);
        assert_eq!(pool.idle_bytes(), POOL_IDLE_BYTES_MAX);
        pool.keep_at_most(CHUNK_BYTES_LARGE);
        let buffers: Vec<_> = (0..4).map(|_| pool.take(CHUNK_BYTES_LARGE)).collect();
        let others: Vec<_> =
            std::iter::from_fn(|| (pool.idle_bytes() > 0).then(|| pool.take(CHUNK_BYTES_LARGE))).collect();
        drop((buffers, others));
        assert_eq!(pool.idle_bytes(), CHUNK_BYTES_LARGE, "a lower limit holds for what comes back");
    }

    #[test]
    fn buffers_of_a_load_that_is_over_give_way() {
        let mut pool = Pool::new();
        drop((0..POOL_IDLE_BYTES_MAX / CHUNK_BYTES_SMALL).map(|_| pool.take(CHUNK_BYTES_SMALL)).collect::<Vec<_>>());
        assert_eq!(pool.idle_bytes(), POOL_IDLE_BYTES_MAX);
        let buffers: Vec<_> = (0..8).map(|_| pool.take(CHUNK_BYTES_LARGE)).collect();
        let mut addresses: Vec<_> = buffers.iter().map(|buffer| buffer.as_ptr()).collect();
        drop(buffers);
        assert!(pool.idle_bytes() <= POOL_IDLE_BYTES_MAX);
        let again: Vec<_> = (0..8).map(|_| pool.take(CHUNK_BYTES_LARGE)).collect();
        addresses.retain(|address| again.iter().all(|buffer| buffer.as_ptr() != *address));
        assert!(addresses.is_empty(), "the new load's buffers were kept");
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        let mut pool = Pool::new();
        let mut buffer = pool.take(4096);
        drop(pool);
        buffer.fill(1);
        assert!(buffer.into_bytes().iter().all(|byte| *byte == 1));
    }
}
