//! How long filling a topic and reading one back may take.

use std::time::Duration;

/// Time to fill a topic before it is consumed, and to read one back, besides what its size allows.
const BULK_TIMEOUT: Duration = Duration::from_secs(60);

/// Nothing that we read or write in bulk is slower than this for long.
const BULK_BYTES_PER_S_MIN: u64 = 20_000_000;

/// The limit for so many bytes.
pub(super) fn bulk_limit(bytes: u64) -> Duration {
    BULK_TIMEOUT + Duration::from_secs(bytes / BULK_BYTES_PER_S_MIN)
}
