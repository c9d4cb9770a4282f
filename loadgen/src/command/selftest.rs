//! `loadgen selftest`: this program alone, against a broker in this process that forgets everything.

use crate::ceiling::{CeilingUse, of_selftest, remember, selftest_options};
use crate::command::{Exit, refuse, run};
use crate::options::RunOptions;
use crate::result::Kind;

/// Measures the ceiling of the generator and remembers it for the runs to come.
pub fn execute(mut options: RunOptions) -> Exit {
    if let Err(error) = selftest_options(&mut options.load, &mut options.target) {
        return refuse(format_args!("cannot listen: {error}"), Exit::ToolError);
    }
    options.output.ceiling = CeilingUse::Off;
    run::execute_with(&options, |result| {
        result.kind = Kind::Selftest;
        if let Some(ceiling) = of_selftest(result) {
            remember(result, &ceiling);
        }
    })
}
