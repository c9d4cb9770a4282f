//! CONTRACT: the bytes of one shard: commits in, commits out, in order, durable when it says so.

pub mod commit;
pub(crate) mod field;
pub mod index;
pub mod segment;
pub mod superblock;
