//! A machine that results come from, with the noise that it adds by itself: what differs by less says nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::workload::fnv1a;
use super::{HostEnvironment, LoadgenBuild, Workload};

/// One machine: `results/machines/<id>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Always [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Name and hash of the facts that make it this machine.
    pub id: String,
    /// RFC 3339, UTC.
    pub certified_utc: String,
    /// The facts, as in a result.
    pub env: Vec<HostEnvironment>,
    /// The program that measured.
    pub loadgen: LoadgenBuild,
    /// The load under which it was measured.
    pub workload: Workload,
    /// Runs of each of the two equal sides.
    pub repeats: u32,
    /// No metric differed between two sides that were the same.
    pub fit: bool,
    /// By metric.
    pub noise_floor: BTreeMap<String, NoiseFloor>,
    /// Remarks for the reader, whole sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How much a metric varies by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoiseFloor {
    /// Runs, both sides together.
    pub n: u32,
    /// Median, in the base unit of the metric.
    pub median: f64,
    /// Standard deviation over mean.
    pub variation: f64,
    /// Smallest ratio between two sides of so many runs that would have been seen four times in five; absent when none would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable_ratio: Option<f64>,
}

/// The name of a machine: its processor, its cores, and a hash of what else makes it this one.
pub fn machine_id(environment: &HostEnvironment) -> String {
    let model = environment.cpu_model.as_deref().unwrap_or(&environment.architecture);
    let words = model.to_lowercase();
    let words: Vec<&str> =
        words.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let facts = serde_json::to_vec(&(
        &environment.cpu_model,
        environment.cores,
        environment.memory_bytes.map(|bytes| bytes >> 30),
        &environment.virtualisation,
        environment.storage.as_ref().map(|storage| (&storage.file_system, &storage.model)),
    ));
    format!("{}-{}c-{:08x}", words.join("-"), environment.cores, fnv1a(&facts.unwrap_or_default()) as u32)
}
