//! The page of metrics: every family with its help, from the snapshots of the shards that answered.

use engine::journal::disk_space::DiskLevel;

use protocol::error_code::ErrorCode;

use super::text::{Kind, Text};
use super::{ProcessSnapshot, ShardSnapshot};

type Label = (&'static str, String);

/// Renders the page. `shards` is how many there are; those that did not answer in time are missing from the rest.
pub fn page(shards: usize, snapshots: &[ShardSnapshot], process: &ProcessSnapshot) -> String {
    let mut text = Text::default();
    let unlabelled = |value| [([0_u8; 0].map(|_| ("", String::new())), value)];
    text.numbers(Kind::Gauge, "posthaste_shards", "Shards of the data directory.", unlabelled(shards as u64));
    text.numbers(
        Kind::Gauge,
        "posthaste_shards_answering",
        "Shards that answered this scrape in time.",
        unlabelled(snapshots.len() as u64),
    );
    text.numbers(
        Kind::Gauge,
        "posthaste_resident_bytes",
        "Resident memory of the process, as the kernel counts it.",
        unlabelled(process.resident_bytes),
    );
    text.numbers(
        Kind::Gauge,
        "posthaste_disk_free_bytes",
        "Bytes that the file system of the data directory has for this process.",
        process.disk_free_bytes.into_iter().flat_map(unlabelled),
    );
    text.numbers(
        Kind::Counter,
        "posthaste_allocations_total",
        "Calls that took memory from the allocator.",
        process.allocations.into_iter().flat_map(|taken| unlabelled(taken.count)),
    );
    text.numbers(
        Kind::Counter,
        "posthaste_allocated_bytes_total",
        "Bytes that they took.",
        process.allocations.into_iter().flat_map(|taken| unlabelled(taken.bytes)),
    );
    served(&mut text, snapshots);
    journal(&mut text, snapshots);
    cleaner(&mut text, snapshots);
    reads(&mut text, snapshots);
    memory(&mut text, snapshots);
    text.finish()
}

fn served(text: &mut Text, snapshots: &[ShardSnapshot]) {
    let of_apis = |snapshot: &ShardSnapshot| snapshot.counters.requests.clone();
    let requests: Vec<_> = snapshots
        .iter()
        .flat_map(|snapshot| of_apis(snapshot).into_iter().map(move |(api, took)| (api_labels(snapshot, api), took)))
        .collect();
    text.durations(
        "posthaste_request_duration_seconds",
        "From the whole request to its finished answer; a Fetch that waits for records counts its wait.",
        requests.iter().map(|(labels, took)| (labels, took)),
    );
    let errors = snapshots.iter().flat_map(|snapshot| {
        snapshot.counters.partition_errors.iter().map(move |((api, code), count)| {
            let [shard, api] = api_labels(snapshot, *api);
            let code = ErrorCode::from_code(*code).map_or_else(|| code.to_string(), |code| format!("{code:?}"));
            ([shard, api, ("code", code)], *count)
        })
    });
    text.numbers(
        Kind::Counter,
        "posthaste_partition_errors_total",
        "Partitions of Produce and Fetch requests that were answered with an error.",
        errors,
    );
    let mut counter = |name: &str, help: &str, value: fn(&ShardSnapshot) -> u64| {
        text.numbers(Kind::Counter, name, help, by_shard(snapshots, value));
    };
    counter("posthaste_received_bytes_total", "Bytes of request frames.", |shard| shard.counters.received_bytes);
    counter("posthaste_sent_bytes_total", "Bytes of answers that left.", |shard| shard.counters.sent_bytes);
    counter("posthaste_fetched_bytes_total", "Bytes of record batches in fetch answers.", |shard| {
        shard.counters.fetched_bytes
    });
    text.numbers(
        Kind::Gauge,
        "posthaste_connections",
        "Open connections.",
        by_shard(snapshots, |shard| shard.connections as u64),
    );
    let ended = snapshots.iter().flat_map(|snapshot| {
        snapshot
            .counters
            .connections_ended
            .iter()
            .map(move |(reason, count)| ([shard_label(snapshot), ("reason", (*reason).to_owned())], *count))
    });
    text.numbers(Kind::Counter, "posthaste_connections_ended_total", "Connections that ended, by reason.", ended);
    text.numbers(
        Kind::Counter,
        "posthaste_requests_between_shards_total",
        "Requests sent to other shards.",
        by_shard(snapshots, |shard| shard.engine.requests_sent),
    );
    text.numbers(
        Kind::Gauge,
        "posthaste_requests_between_shards",
        "Of these, those without an answer yet.",
        by_shard(snapshots, |shard| shard.engine.requests_unanswered as u64),
    );
}

fn journal(text: &mut Text, snapshots: &[ShardSnapshot]) {
    let mut counter = |name: &str, help: &str, value: fn(&ShardSnapshot) -> u64| {
        text.numbers(Kind::Counter, name, help, by_shard(snapshots, value));
    };
    counter("posthaste_appended_batches_total", "Record batches taken into logs.", |shard| {
        shard.engine.shard.appended.batches
    });
    counter("posthaste_appended_records_total", "Records in them.", |shard| shard.engine.shard.appended.records);
    counter("posthaste_appended_bytes_total", "Bytes of them.", |shard| shard.engine.shard.appended.bytes);
    counter(
        "posthaste_transactions_refused_total",
        "Batches that began a transaction where too many are open or aborted.",
        |shard| shard.engine.shard.transactions_refused,
    );
    counter("posthaste_journal_commits_total", "Group commits written.", |shard| shard.engine.shard.journal.commits);
    counter(
        "posthaste_journal_commit_bytes_total",
        "Bytes of commits on the disk, with tables and padding.",
        |shard| shard.engine.shard.journal.commit_bytes,
    );
    counter("posthaste_journal_payload_bytes_total", "Bytes of the payloads in commits.", |shard| {
        shard.engine.shard.journal.payload_bytes
    });
    text.durations(
        "posthaste_journal_flush_duration_seconds",
        "How long the flushes of the journal took; that of a small commit with its write, which is the same call.",
        snapshots.iter().map(|shard| ([shard_label(shard)], &shard.engine.shard.journal.flushes)),
    );
    let mut gauge = |name: &str, help: &str, value: fn(&ShardSnapshot) -> u64| {
        text.numbers(Kind::Gauge, name, help, by_shard(snapshots, value));
    };
    gauge("posthaste_logs", "Logs: one a partition, and the catalog.", |shard| shard.engine.shard.logs as u64);
    gauge("posthaste_producers", "Producers whose sequences are remembered, one a producer and log.", |shard| {
        shard.engine.shard.producers as u64
    });
    gauge("posthaste_segments_used", "Journal segments with data.", |shard| shard.engine.shard.segments.used as u64);
    gauge("posthaste_segments_spare", "Journal segments ready for use.", |shard| {
        shard.engine.shard.segments.spare as u64
    });
    gauge("posthaste_segments_bytes", "Bytes of all journal segments on the disk.", |shard| {
        let segments = &shard.engine.shard.segments;
        (segments.used + segments.spare) as u64 * segments.bytes_each
    });
    gauge("posthaste_disk_level", "0 roomy, 1 low, 2 full: producers are refused.", |shard| {
        match shard.engine.shard.segments.disk_level {
            DiskLevel::Roomy => 0,
            DiskLevel::Low => 1,
            DiskLevel::Full => 2,
        }
    });
    gauge("posthaste_disk_reads", "Reads that wait for the disk.", |shard| shard.engine.shard.disk_reads as u64);
}

/// Read amplification of catching up is read / delivered from the disk.
fn reads(text: &mut Text, snapshots: &[ShardSnapshot]) {
    let mut counter = |name: &str, help: &str, value: fn(&ShardSnapshot) -> u64| {
        text.numbers(Kind::Counter, name, help, by_shard(snapshots, value));
    };
    counter("posthaste_disk_reads_total", "Reads of segment files.", |shard| shard.engine.shard.reads.disk_reads);
    counter("posthaste_disk_read_bytes_total", "Bytes that they read.", |shard| shard.engine.shard.reads.disk_bytes);
    counter("posthaste_delivered_from_disk_bytes_total", "Bytes of batches given out of them.", |shard| {
        shard.engine.shard.reads.delivered_from_disk_bytes
    });
    counter("posthaste_delivered_from_tail_bytes_total", "Bytes of batches given out of memory.", |shard| {
        shard.engine.shard.reads.delivered_from_tail_bytes
    });
    counter(
        "posthaste_delivered_copied_bytes_total",
        "Of both, bytes copied because slow readers held too much.",
        |shard| shard.engine.shard.reads.copied_bytes,
    );
    counter("posthaste_read_ahead_used_total", "Extents read ahead and used.", |shard| {
        shard.engine.shard.reads.read_ahead_hits
    });
    counter("posthaste_read_ahead_wasted_total", "Extents read ahead for nothing.", |shard| {
        shard.engine.shard.reads.read_ahead_wasted
    });
}

/// Write amplification is (journal commits + cleaner written) / appended, in bytes.
fn cleaner(text: &mut Text, snapshots: &[ShardSnapshot]) {
    let mut counter = |name: &str, help: &str, value: fn(&ShardSnapshot) -> u64| {
        text.numbers(Kind::Counter, name, help, by_shard(snapshots, value));
    };
    counter("posthaste_cleaner_read_bytes_total", "Bytes that the cleaner read.", |shard| {
        shard.engine.shard.cleaner.bytes_read
    });
    counter("posthaste_cleaner_written_bytes_total", "Bytes that the cleaner wrote.", |shard| {
        shard.engine.shard.cleaner.bytes_written
    });
    counter("posthaste_cleaner_copied_bytes_total", "Bytes of the live batches in them.", |shard| {
        shard.engine.shard.cleaner.batch_bytes_copied
    });
    counter("posthaste_cleaner_freed_bytes_total", "Bytes of files that it gave back.", |shard| {
        shard.engine.shard.cleaner.bytes_freed
    });
    counter("posthaste_cleaner_swaps_total", "Segments' contents that it moved for good.", |shard| {
        shard.engine.shard.cleaner.swaps
    });
    counter("posthaste_cleaner_failures_total", "Jobs that the disk ended early.", |shard| {
        shard.engine.shard.cleaner.failures
    });
    counter("posthaste_compaction_passes_total", "Passes of compaction that ended.", |shard| {
        shard.engine.shard.cleaner.passes
    });
    counter("posthaste_compaction_removed_records_total", "Records that compaction took away.", |shard| {
        shard.engine.shard.cleaner.records_removed
    });
}

/// The split of the memory, with what is held of each part.
fn memory(text: &mut Text, snapshots: &[ShardSnapshot]) {
    let parts = |value: fn(&super::MemoryUse) -> usize| {
        snapshots.iter().flat_map(move |snapshot| {
            snapshot
                .memory
                .iter()
                .map(move |part| ([shard_label(snapshot), ("purpose", part.purpose.to_owned())], value(part) as u64))
        })
    };
    text.numbers(Kind::Gauge, "posthaste_memory_bytes", "Bytes held, by purpose.", parts(|part| part.bytes));
    text.numbers(
        Kind::Gauge,
        "posthaste_memory_limit_bytes",
        "Bytes that may be held, by purpose.",
        parts(|part| part.limit_bytes),
    );
    text.numbers(
        Kind::Gauge,
        "posthaste_pool_used_bytes",
        "Disk buffers in use, whatever for: part of several purposes above.",
        by_shard(snapshots, |shard| shard.engine.pool_used_bytes as u64),
    );
}

fn by_shard(snapshots: &[ShardSnapshot], value: fn(&ShardSnapshot) -> u64) -> impl Iterator<Item = ([Label; 1], u64)> {
    snapshots.iter().map(move |snapshot| ([shard_label(snapshot)], value(snapshot)))
}

fn shard_label(snapshot: &ShardSnapshot) -> Label {
    ("shard", snapshot.shard.to_string())
}

fn api_labels(snapshot: &ShardSnapshot, api: protocol::api_key::ApiKey) -> [Label; 2] {
    [shard_label(snapshot), ("api", format!("{api:?}"))]
}
