//! Claim: several segments may be begun before the first of them is written.
//!
//! Story: a flag said that the active segment's header block was not written yet. With recycled segments at hand one burst
//! began two segments before anything was sealed; the first one's first commit took the flag, the second never got its
//! header, and the next start found the file under its old name and refused or lost what was acked.

mod simulated_shard;

use engine::io::sim::{Crash, SimDisk};
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use simulated_shard::{Machine, batch, body};

#[test]
fn a_burst_over_several_segments_survives_a_power_cut() {
    for seed in 0..10 {
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
        machine.configure(1, LogConfig::default());
        // Eight dead segments become spares.
        for stamp in 0..40 {
            machine.append_durably(1, &batch(1, 60_000, stamp));
        }
        let end = machine.shard.view(LogId(1)).expect("is there").high_watermark;
        let (_, commit) = machine.change(|shard| shard.raise_log_start(LogId(1), end)).expect("raises");
        machine.until_durable(commit);
        machine.append_durably(1, &batch(1, 60_000, 40));
        machine.settle();

        // One burst without a turn.
        let mut sent = Vec::new();
        for stamp in 100.. {
            let bytes = batch(1, 60_000, stamp);
            match machine.shard.append(LogId(1), &bytes) {
                Ok(receipt) => sent.push((receipt.appended.base_offset.0, body(&bytes), receipt.commit)),
                Err(Refusal::Wait) => break,
                Err(Refusal::Error(error)) => panic!("refused: {error}"),
            }
        }
        assert!(sent.len() > 12, "the burst covers {} batches, not several segments", sent.len());
        machine.until_durable(sent.last().expect("one at least").2);
        let mut machine = machine.crash(Crash::PowerCut);
        let found = machine.read_all(1);
        for (offset, bytes, _) in sent {
            assert_eq!(found.get(&offset), Some(&bytes), "offset {offset}");
        }
        assert!(machine.shard.view(LogId(1)).expect("is there").start >= Offset(40));
    }
}
