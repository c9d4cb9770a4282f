//! CONTRACT: order and visibility of one log.

pub mod epochs;
pub mod log_state;
pub mod producers;
