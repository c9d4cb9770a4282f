//! `posthaste`: the broker as a program.

use std::process::ExitCode;

#[cfg(feature = "allocation-counters")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    server::cli::run()
}
