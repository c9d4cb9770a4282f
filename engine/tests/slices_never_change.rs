//! Claim: slices that a reader holds do not change, while their commits are forgotten, buffers are used again, and segments recycled.

mod simulated_shard;

use engine::io::sim::SimDisk;
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::Offset;
use engine::partition::config::LogConfig;
use simulated_shard::{Machine, batch};

#[test]
fn held_slices_stay_as_they_were_read() {
    for tail_bytes in [0, 64 << 10, 1 << 20] {
        let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN * 4, tail_bytes);
        // Old segments are recycled under the readers.
        machine.configure(1, LogConfig { retention_bytes: 300_000, ..LogConfig::default() });
        let mut held = Vec::new();
        for stamp in 0..250 {
            let offset = machine.append_durably(1, &batch(1, 5_000 + stamp * 200, stamp as u64));
            if stamp % 3 == 0 {
                let batches = machine.read(1, Goal::Offset(Offset((offset.0 - 2).max(0))), 200_000).expect("readable");
                assert!(batches.bytes > 0);
                let copy: Vec<u8> = batches.slices.concat();
                held.push((batches.slices, copy));
            }
            for (slices, copy) in &held {
                assert!(slices.concat() == *copy, "tail of {tail_bytes}: a slice changed after {stamp} batches");
            }
            // A quick reader beside slow ones: its buffers go back to the pool at once.
            if stamp % 2 == 0 && held.len() > 12 {
                held.remove(5);
            }
        }
    }
}
