//! The kernel's page cache, which makes the second reading of a file another thing than the first.

use std::fs;

use crate::error::{Error, local};

/// 1 drops clean pages, and leaves names and inodes.
const DROP_CACHES: (&str, &str) = ("/proc/sys/vm/drop_caches", "1");

/// Empties it. What a process keeps in its own memory stays there.
pub fn drop_page_cache() -> Result<(), Error> {
    // Only clean pages can go.
    rustix::fs::sync();
    let (file, order) = DROP_CACHES;
    fs::write(file, order)
        .map_err(local(format!("--cold needs root on the machine of the broker: cannot write {file}")))
}
