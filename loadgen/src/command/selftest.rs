//! `loadgen selftest`: this program alone, against a broker in this process that forgets everything.
//!
//! The broker shares the cores, but lets the kernel drop the records unseen; what is measured is the generator. Every
//! core gets a producer at least, since one thread is not what a machine can offer.

use std::io::Write;
use std::path::Path;

use crate::ceiling::{CeilingUse, of_selftest, remember, selftest_options};
use crate::command::{Exit, refuse, run};
use crate::cost;
use crate::options::RunOptions;
use crate::result::{IntegrityCost, Kind, OnOff};
use crate::workload::Workload;

/// Measures the ceiling of the generator and remembers it for the runs to come.
pub fn execute(mut options: RunOptions) -> Exit {
    if let Err(error) = selftest_options(&mut options.load, &mut options.target) {
        return refuse(format_args!("cannot listen: {error}"), Exit::ToolError);
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    options.load.producers = options.load.producers.max(cores);
    options.output.ceiling = CeilingUse::Off;
    // An invalid load is refused by the run itself.
    let cost = Workload::from_options(&options.load).ok().map(|workload| cost::measure(&workload));
    let exit = run::execute_with(&options, |result| {
        result.kind = Kind::Selftest;
        result.calibration.integrity_cost = cost;
        if let Some(ceiling) = of_selftest(result) {
            remember(result, &ceiling);
        }
    });
    let to_stdout = options.output.json.as_deref() == Some(Path::new("-"));
    if let Some(cost) = cost.filter(|_| !options.output.quiet && !to_stdout && matches!(exit, Exit::Fine)) {
        // A closed pipe must not change the exit code.
        let _ = writeln!(std::io::stdout(), "cost    {}", described(&cost));
    }
    exit
}

/// The cost of integrity in words.
fn described(cost: &IntegrityCost) -> String {
    let told = |side: &OnOff| {
        format!("{:+.1} ns a record ({:.1} with, {:.1} without)", side.added_ns(), side.on_ns, side.off_ns)
    };
    format!("of integrity: producing {}, consuming {}", told(&cost.produce), told(&cost.consume))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_integrity_is_told_with_both_sides() {
        let produce = OnOff { on_ns: 30.0, off_ns: 20.5 };
        let consume = OnOff { on_ns: 50.0, off_ns: 10.0 };
        let text = described(&IntegrityCost { produce, consume });
        assert!(text.contains("producing +9.5 ns a record (30.0 with, 20.5 without)"), "{text}");
        assert!(text.contains("consuming +40.0 ns"), "{text}");
    }
}
