//! CONTRACT: the bytes of one shard: commits in, commits out, in order, durable when it says so.
