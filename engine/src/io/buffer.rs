//! See the module's contract.
