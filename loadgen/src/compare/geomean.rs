//! All rows in one figure.

use serde::Serialize;

use super::comparison::MetricComparison;
use super::metric::Metric;
use crate::statistics::{Interval, bootstrap_interval, geometric_mean, median};

/// The geometric mean of a figure over the rows that rank it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GeometricMean {
    /// Which figure.
    pub metric: Metric,
    /// The later side.
    pub column: String,
    /// Rows that rank it.
    pub rows: usize,
    /// Mean of the earlier side's medians.
    pub a: f64,
    /// Mean of the later side's medians.
    pub b: f64,
    /// The second over the first.
    pub ratio: f64,
    /// Bounds of the ratio, by drawing the runs of every row anew.
    pub interval: Interval,
}

/// Over at least two rows; one row is its own mean.
pub(super) fn geomean(
    metric: Metric,
    column: &str,
    rows: &[&MetricComparison],
    confidence: f64,
) -> Option<GeometricMean> {
    if rows.len() < 2 {
        return None;
    }
    let groups: Vec<&[f64]> = rows.iter().flat_map(|row| [&row.a.values[..], &row.b.values[..]]).collect();
    let side = |groups: &[Vec<f64>], offset| {
        let medians: Option<Vec<f64>> = groups.iter().skip(offset).step_by(2).map(|values| median(values)).collect();
        geometric_mean(&medians?)
    };
    let seen: Vec<Vec<f64>> = groups.iter().map(|group| group.to_vec()).collect();
    let (a, b) = (side(&seen, 0)?, side(&seen, 1)?);
    let interval = bootstrap_interval(&groups, confidence, |groups| Some(side(groups, 1)? / side(groups, 0)?))?;
    Some(GeometricMean { metric, column: column.to_owned(), rows: rows.len(), a, b, ratio: b / a, interval })
}
