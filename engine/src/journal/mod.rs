//! CONTRACT: the bytes of one shard: commits in, commits out, in order, durable when it says so.

pub mod commit;
pub(crate) mod field;
pub mod index;
pub mod segment;
pub mod superblock;
pub mod commit_buffer;
pub mod operations;
pub mod reader;
pub mod segment_set;
pub mod writer;
