//! Exit codes. Each failure is one line on standard error, what failed and then why.

/// Stopped by a signal, or by the end of standard input, with everything flushed.
pub const OK: u8 = 0;
/// A check or a dump found something that is not what was written.
pub const DAMAGED: u8 = 1;
/// The command line or the configuration is wrong (also what the command-line parser gives).
pub const CONFIGURATION: u8 = 2;
/// `io_uring` is refused; the line names the command that changes it.
pub const IO_URING: u8 = 3;
/// The data directory cannot be used: not ours, newer format, not writable, full, damaged, or in use.
pub const DATA_DIRECTORY: u8 = 4;
/// An address cannot be listened on.
pub const LISTEN: u8 = 5;
/// The catalog in the data directory cannot be read.
pub const CATALOG: u8 = 6;
/// A second signal did not wait for the graceful stop. Acknowledged records are safe.
pub const STOPPED_AT_ONCE: u8 = 7;
/// A write or flush of the journal failed; set by the engine. Nothing acknowledged is lost; a restart recovers.
pub const JOURNAL: u8 = engine::shard::engine::EXIT_JOURNAL_FAILED as u8;

const _: () = assert!(engine::shard::engine::EXIT_JOURNAL_FAILED == 74);
