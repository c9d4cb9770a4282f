//! CONTRACT: turns whatever is on disk into valid partitions or a named refusal.
