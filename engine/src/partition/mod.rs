//! CONTRACT: order and visibility of one log.
