//! What the machine could do before and after the run.

use crate::evidence::Evidence;
use crate::result::{Calibration, NoiseProbe};

/// The probes of a run that got far enough to take both. The generator's ceiling is added by the command that knows it.
pub(super) fn calibration(evidence: &Evidence) -> Calibration {
    let agents = evidence.agents.clocks.clone();
    let Some((before, after)) = evidence.probe_before.zip(evidence.probe_after) else {
        return Calibration { agents, ..Calibration::default() };
    };
    let flushes = before.fdatasync_ns.zip(after.fdatasync_ns);
    Calibration {
        generator_ceiling: None,
        agents,
        integrity_cost: None,
        cpu_probe: Some(NoiseProbe { before_ns: before.cpu_ns, after_ns: after.cpu_ns }),
        fdatasync_probe: flushes.map(|(before_ns, after_ns)| NoiseProbe { before_ns, after_ns }),
    }
}
