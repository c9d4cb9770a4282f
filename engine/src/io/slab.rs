//! `Slab`: memory for several pool buffers of one size, in huge pages where the system grants them.
//!
//! A direct write pins its pages one by one, and a copy misses the TLB once a page: 512 KiB are 128 small pages and a quarter of a huge one.
#![allow(unsafe_code, reason = "memory of such alignment cannot be had from Vec")]

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Bytes of a slab, and its alignment: one huge page of x86-64 and of arm64 with small base pages.
pub const SLAB_BYTES: usize = 2 << 20;

/// Mapped memory, zero at first. Whoever holds a part of it holds the slab.
#[derive(Debug)]
pub struct Slab {
    memory: NonNull<u8>,
}

impl Slab {
    /// Maps a slab; a process without memory ends, as it does in any allocation.
    pub fn new() -> Slab {
        let mapped = 2 * SLAB_BYTES;
        // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that exists.
        let start =
            unsafe { mmap_anonymous(null_mut(), mapped, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) };
        let layout = Layout::from_size_align(SLAB_BYTES, SLAB_BYTES).expect("a power of two");
        let Ok(start) = start else { handle_alloc_error(layout) };
        let before = start.cast::<u8>().align_offset(SLAB_BYTES);
        let memory = start.cast::<u8>().wrapping_add(before);
        // SAFETY: both ends lie in the mapping just made, outside of the slab, and nobody else knows them. A failure leaves address space
        // mapped that is never touched, which costs nothing.
        unsafe {
            if before > 0 {
                let _ = munmap(start, before);
            }
            let _ = munmap(memory.wrapping_add(SLAB_BYTES).cast(), mapped - before - SLAB_BYTES);
            // Refused where huge pages are not built in or switched off: small ones do.
            let _ = madvise(memory.cast(), SLAB_BYTES, Advice::LinuxHugepage);
        }
        Slab { memory: NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout)) }
    }

    /// The part with this index of parts of `bytes` each.
    pub fn part(&self, index: usize, bytes: usize) -> NonNull<u8> {
        assert!((index + 1) * bytes <= SLAB_BYTES, "a part lies in its slab");
        // SAFETY: the assertion keeps the address within the mapping.
        unsafe { self.memory.add(index * bytes) }
    }
}

impl Slab {
    /// Gives the memory of a part to the system; it counts no more, and its place is free when the whole slab is.
    pub fn give_back(&self, part: NonNull<u8>, bytes: usize) {
        let place = (part.as_ptr() as usize).wrapping_sub(self.memory.as_ptr() as usize);
        assert!(place + bytes <= SLAB_BYTES, "a part lies in its slab");
        // SAFETY: it lies in the mapping, the part's only owner gives it up, and a private mapping without content reads as zeros.
        let _ = unsafe { madvise(part.as_ptr().cast(), bytes, Advice::LinuxDontNeed) };
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly these bytes, and the last holder of a part is gone.
        let _ = unsafe { munmap(self.memory.as_ptr().cast(), SLAB_BYTES) };
    }
}

// SAFETY: a slab is plain memory without any tie to a thread; its parts have one owner each.
unsafe impl Send for Slab {}
// SAFETY: a shared slab gives nothing but addresses.
unsafe impl Sync for Slab {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_is_aligned_zero_and_writable_to_its_end() {
        let slab = Slab::new();
        assert_eq!(slab.memory.as_ptr() as usize % SLAB_BYTES, 0);
        // SAFETY: the slab is this test's alone.
        let bytes = unsafe { std::slice::from_raw_parts_mut(slab.memory.as_ptr(), SLAB_BYTES) };
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(7);
        assert_eq!(
            slab.part(3, SLAB_BYTES / 4).as_ptr() as usize,
            slab.memory.as_ptr() as usize + 3 * (SLAB_BYTES / 4)
        );
    }
}
