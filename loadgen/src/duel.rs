//! Two sides run turn about, so that whatever drifts on the machine drifts for both: A B, B A, A B, ...

use crate::campaign::{Campaign, Place};
use crate::error::Error;
use crate::result::{Kind, Repeat, RunResult};
use crate::side::Side;

/// Tag of a repeat that was made again because the machine changed under it.
pub const NOISY: &str = "noisy";

/// How a duel is fought.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Runs of each side.
    pub repeats: u32,
    /// Runs in all that may be made again because they were noisy.
    pub reruns_max: u32,
    /// What the runs are for.
    pub kind: Kind,
}

/// The runs of both sides that count, in the order of their repeats.
#[derive(Debug, Default)]
pub struct Runs {
    /// The first side.
    pub a: Vec<RunResult>,
    /// The second side.
    pub b: Vec<RunResult>,
    /// Runs that were made again.
    pub reruns: u32,
}

/// Makes all runs. A noisy one is kept on disk with its tag and made again, up to a limit; behind that it counts as it is.
pub fn fight(campaign: &mut Campaign, a: &Side, b: &Side, rules: Rules) -> Result<Runs, Error> {
    let mut runs = Runs::default();
    for block in 1..=rules.repeats {
        for (order, second) in turn(block).into_iter().enumerate() {
            let side = if second { b } else { a };
            let repeat = Repeat { index: block, of: rules.repeats, block, order: order as u32, seed: side.load.seed };
            let title = format!("run {} of {}: {}", (block - 1) * 2 + order as u32 + 1, rules.repeats * 2, side.label);
            let mut result = make(campaign, side, rules.kind, repeat, &title)?;
            while result.quality.noisy && runs.reruns < rules.reruns_max {
                runs.reruns += 1;
                campaign.say(&format!("{}: the machine changed under this run; it is made again", side.label));
                campaign.tag_last(&mut result, NOISY)?;
                result = make(campaign, side, rules.kind, repeat, &title)?;
            }
            if second { runs.b.push(result) } else { runs.a.push(result) }
        }
    }
    Ok(runs)
}

fn make(campaign: &mut Campaign, side: &Side, kind: Kind, repeat: Repeat, title: &str) -> Result<RunResult, Error> {
    let place = Place { kind, label: Some(side.label.clone()), repeat: Some(repeat), title: title.to_owned() };
    campaign.make(&side.load, &side.target, place)
}

/// Whether the first and the second run of a block are of the second side.
fn turn(block: u32) -> [bool; 2] {
    if block.is_multiple_of(2) { [true, false] } else { [false, true] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_goes_first_as_often_as_the_other() {
        let order: Vec<bool> = (1..=4).flat_map(turn).collect();
        assert_eq!(order, [false, true, true, false, false, true, true, false]);
    }
}
