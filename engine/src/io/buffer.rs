//! Aligned buffers.

/// A block-aligned buffer.
#[derive(Debug)]
pub struct AlignedBuffer;
