//! Comparison of results: what may be compared, what differs, and how sure that is.
//!
//! The run is the sample. [`compare`] holds one side against another; [`Grid`] does so for every row and column of many results, and
//! [`text`] and [`markdown`] print it. What cannot be ranked is shown with its reason, never with a verdict.

mod comparison;
mod difference;
mod geomean;
mod grid;
mod key;
mod load;
mod marks;
mod metric;
mod ranking;
mod render;
mod side;
mod table;

pub use comparison::{Comparison, MetricComparison, Sample, Settings, Side, compare};
pub use difference::{Difference, settings_of};
pub use geomean::GeometricMean;
pub use grid::{Grid, GridError, GridRow, Layout};
pub use key::{Filter, Key};
pub use load::{FILE_BYTES_MAX, FILES_MAX, LoadError, LoadedRuns, load};
pub use marks::{Mark, MarkCount};
pub use metric::{Family, Metric};
pub use ranking::{Finding, Outcome};
pub use render::{markdown, text};
pub use side::{LeftOut, SideSummary};
