//! CONTRACT: the bytes of one shard: commits in, commits out, in order, durable when it says so.

pub mod commit;
pub mod commit_buffer;
mod commit_error;
pub mod disk_space;
mod entry_kind;
pub(crate) mod field;
pub mod index;
pub mod live_segments;
pub mod operations;
pub mod pieces;
pub mod reader;
pub mod run;
pub mod segment;
pub mod segment_set;
pub mod superblock;
pub mod writer;
