//! The highest rate that a peer holds under the goals of a cell: the run that confirmed it is the result.

use crate::campaign::{Campaign, Place};
use crate::error::Error;
use crate::options::{LoadOptions, TargetOptions};
use crate::quantity::Rate;
use crate::result::{Kind, RunResult};
use crate::search::{Question, Search};
use crate::sustained::why_not_held;

/// The search ends when the gap between what holds and what does not is smaller.
const PRECISION: f64 = 0.1;

/// How often the winner is asked again.
const CONFIRMATIONS: u32 = 1;

/// Searches from half of what a closed loop reaches.
pub(super) fn highest_rate(
    campaign: &mut Campaign,
    load: &LoadOptions,
    target: &TargetOptions,
    place: &Place,
) -> Result<RunResult, Error> {
    let mut load = LoadOptions { rate: Rate::Unlimited, ..load.clone() };
    let probe = |title: String| Place { kind: Kind::Search, title, ..place.clone() };
    let first = campaign.measure(&load, target, probe(format!("{}, closed loop for the range", place.title)))?;
    let reached = first.summary.produce.as_ref().map_or(0.0, |produce| produce.achieved.records_per_s);
    if let Some(error) = first.error {
        return Err(Error::Suite(error));
    }
    if reached < 1.0 {
        return Err(Error::Suite("nothing was acknowledged".into()));
    }
    let mut search = Search::new(reached / 2.0, reached * 1.25, PRECISION, CONFIRMATIONS);
    let mut held = None;
    while let Some(question) = search.next() {
        let (Question::Probe(rate) | Question::Confirm(rate, _)) = question;
        load.rate = Rate::Records(rate);
        let result =
            campaign.measure(&load, target, probe(format!("{}, probe of {rate:.0} records/s", place.title)))?;
        if campaign.is_interrupted() {
            return Err(Error::Interrupted);
        }
        let holds = why_not_held(&result).is_none();
        search.note(question, holds);
        if holds {
            held = Some((rate, result));
        }
    }
    // The winner was asked last, or a lower rate than the last that held once is.
    let found = held.filter(|(rate, _)| search.answer() == Some(*rate));
    found.map(|(_, result)| result).ok_or_else(|| Error::Suite("no rate holds under the goals".into()))
}
