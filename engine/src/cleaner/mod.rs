//! CONTRACT: gives space back without ever losing a live record.

pub mod codec;
