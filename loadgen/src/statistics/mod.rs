//! Statistics for few runs of unknown distribution: the run is the sample, ranks carry the verdict, and nothing is claimed that so few
//! runs cannot show. Every random number comes from a fixed seed, so that the same results give the same report.

mod bootstrap;
mod change_point;
mod detectable;
mod geometric_mean;
mod holm;
mod mann_whitney;
mod mser;
mod quantile;
mod rank_sum;
mod shift;
mod variation;

pub use bootstrap::{Interval, bootstrap_interval};
pub use change_point::{ChangePoint, POINTS_MAX, change_points};
pub use detectable::{POWER, detectable_deviations, detectable_ratio, repeats_needed};
pub use geometric_mean::geometric_mean;
pub use holm::holm;
pub use mann_whitney::{MannWhitney, mann_whitney, smallest_p};
pub use mser::warmup_length;
pub use quantile::{median, quantile};
pub use rank_sum::{Method, POOLED_EXACT_MAX};
pub use shift::{Estimate, hodges_lehmann, hodges_lehmann_ratio};
pub use variation::{coefficient_of_variation, pooled_log_deviation};
