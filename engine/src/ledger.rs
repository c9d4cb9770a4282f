//! Bytes of memory that live as long as somebody holds them, counted: what a cache has given away still costs.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::io::buffer::AlignedBuffer;

/// The sum of what was charged and is not dropped yet. Holders may be on any thread.
#[derive(Clone, Default, Debug)]
pub struct Ledger(Arc<AtomicUsize>);

/// So many bytes of a ledger; its drop gives them back.
#[derive(Debug)]
pub struct Charge {
    ledger: Ledger,
    bytes: usize,
}

impl Ledger {
    /// Bytes that are charged now.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Charges `bytes` until the charge is dropped.
    pub fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge { ledger: self.clone(), bytes }
    }

    /// Freezes a buffer, which is charged whole as long as any slice of it lives.
    pub fn freeze(&self, buffer: AlignedBuffer) -> Bytes {
        let charge = self.charge(buffer.capacity());
        Bytes::from_owner(Charged { buffer, _charge: charge })
    }

    /// A slice that keeps a charge, which it shares with the other slices of its memory.
    pub fn attach(slice: Bytes, charge: &Arc<Charge>) -> Bytes {
        Bytes::from_owner(Charged { buffer: slice, _charge: Arc::clone(charge) })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Charged<B, C> {
    buffer: B,
    _charge: C,
}

impl<B: Deref<Target = [u8]>, C> AsRef<[u8]> for Charged<B, C> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffer::Pool;

    #[test]
    fn a_slice_costs_its_whole_buffer_until_it_is_dropped() {
        let (ledger, mut pool) = (Ledger::default(), Pool::new());
        let buffer = pool.take(100_000);
        let capacity = buffer.capacity();
        let bytes = ledger.freeze(buffer);
        let slice = bytes.slice(5..6);
        drop(bytes);
        assert_eq!(ledger.bytes(), capacity);
        drop(slice);
        assert_eq!(ledger.bytes(), 0);
    }
}
