//! What this generator can offer at most: measured against a broker in this process that forgets everything, remembered for each kind of
//! workload and machine, and put beside every run, so that a reader sees whether the broker or the generator set a figure.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cores::CoreList;
use crate::group::GroupProtocol;
use crate::local_broker;
use crate::options::{FsyncClass, LoadOptions, TargetOptions};
use crate::progress::Progress;
use crate::quantity::Rate;
use crate::result::{GeneratorCeiling, Rate as Achieved, RunResult, Workload, parse_utc_timestamp, utc_timestamp};
use crate::run;
use crate::workload::{Isolation, Mode, Verify};

/// Above this share of its ceiling the generator shapes the figures.
pub const SHARE_MAX: f64 = 0.5;

/// Long enough for a figure within a few percent, short enough to be taken unasked.
const WARMUP: Duration = Duration::from_secs(1);
const DURATION: Duration = Duration::from_secs(3);

/// Within this a generator changes by more than a ceiling is uncertain.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Kinds of workload that are remembered; the oldest is forgotten.
const REMEMBERED_MAX: usize = 200;

/// What two hundred ceilings take, with room.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// How a run comes to the generator's ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CeilingUse {
    /// The remembered one; without one it is measured after the run, which takes four seconds.
    Auto,
    /// The remembered one or none.
    Remembered,
    /// None.
    Off,
}

/// Ceilings by kind of workload and machine.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    ceilings: BTreeMap<String, GeneratorCeiling>,
}

/// Puts the ceiling beside a result, and says so when the run came too near.
pub fn add_ceiling(result: &mut RunResult, load: &LoadOptions, wanted: CeilingUse, progress: &mut Progress) {
    let Some(rate) = result.summary.produce.as_ref().map(|produce| produce.offered.unwrap_or(produce.achieved)) else {
        return;
    };
    let mut ceiling = match wanted {
        CeilingUse::Off => return,
        CeilingUse::Remembered => remembered(result),
        CeilingUse::Auto => {
            remembered(result).filter(|known| is_current(known, rate, SystemTime::now())).or_else(|| {
                progress.say("measuring what this generator can offer with such a workload (once, 4 s)");
                measure(load, cores_of(result), progress).inspect(|ceiling| remember(result, ceiling))
            })
        }
    };
    if let Some(ceiling) = ceiling.as_mut().filter(|ceiling| ceiling.records_per_s > 0.0) {
        let share = rate.records_per_s / ceiling.records_per_s;
        ceiling.share = Some(share);
        if share > SHARE_MAX {
            result.quality.client_limited = true;
            result.quality.notes.push(format!(
                "The generator was at {:.0} % of what it reaches against a broker that forgets everything.",
                share * 100.0
            ));
        }
    }
    result.calibration.generator_ceiling = ceiling;
}

/// Whether a remembered ceiling still says something: one that a run went beyond, or that is old, is measured again.
fn is_current(ceiling: &GeneratorCeiling, achieved: Achieved, now: SystemTime) -> bool {
    let measured = parse_utc_timestamp(&ceiling.measured_utc).map(|since_1970| SystemTime::UNIX_EPOCH + since_1970);
    let age = measured.and_then(|measured| now.duration_since(measured).ok());
    age.is_some_and(|age| age < AGE_MAX) && achieved.records_per_s <= ceiling.records_per_s
}

/// Keeps what a selftest found for the runs to come.
pub fn remember(result: &RunResult, ceiling: &GeneratorCeiling) {
    let Some(path) = memory_file() else { return };
    let mut memory = read_memory(&path);
    memory.ceilings.insert(key(result), GeneratorCeiling { share: None, ..ceiling.clone() });
    while memory.ceilings.len() > REMEMBERED_MAX {
        let oldest = memory.ceilings.iter().min_by(|a, b| a.1.measured_utc.cmp(&b.1.measured_utc));
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
        memory.ceilings.remove(&oldest);
    }
    // What cannot be remembered is measured again.
    if let (Some(directory), Ok(json)) = (path.parent(), serde_json::to_vec_pretty(&memory)) {
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        let _ = fs::create_dir_all(directory)
            .and_then(|()| fs::write(&unfinished, json))
            .and_then(|()| fs::rename(&unfinished, &path));
    }
}

/// The ceiling that a finished selftest shows.
pub fn of_selftest(result: &RunResult) -> Option<GeneratorCeiling> {
    let achieved = result.summary.produce.as_ref()?.achieved;
    (achieved.records_per_s > 0.0 && result.error.is_none()).then(|| GeneratorCeiling {
        records_per_s: achieved.records_per_s,
        bytes_per_s: achieved.bytes_per_s,
        measured_utc: utc_timestamp(SystemTime::now()),
        share: None,
    })
}

/// The same load in a closed loop against a broker that forgets everything: nothing is stored, so nothing can be read back.
pub fn selftest_options(load: &mut LoadOptions, target: &mut TargetOptions) -> std::io::Result<()> {
    *target = TargetOptions {
        bootstrap: Some(local_broker::start_null()?),
        product: Some("null-broker".into()),
        fsync: Some(FsyncClass::None),
        ..TargetOptions::default()
    };
    (load.mode, load.verify, load.consumers, load.rate) = (Mode::Produce, Verify::Off, 0, Rate::Unlimited);
    // What a broker suffers says nothing of the generator.
    load.fault.clear();
    // That broker knows neither groups nor transactions.
    (load.group_protocol, load.group_churn, load.isolation) =
        (GroupProtocol::Assigned, None, Isolation::ReadUncommitted);
    (load.transaction_records, load.transaction_duration, load.transaction_abort_share) = (None, None, 0.0);
    Ok(())
}

/// Where the generator was in a run that pinned it.
fn cores_of(result: &RunResult) -> Option<CoreList> {
    CoreList::parse(&result.env.first()?.core_split.as_ref()?.loadgen).ok()
}

fn measure(load: &LoadOptions, cores: Option<CoreList>, progress: &mut Progress) -> Option<GeneratorCeiling> {
    let (mut load, mut target) = (load.clone(), TargetOptions::default());
    selftest_options(&mut load, &mut target).ok()?;
    target.loadgen_cores = cores;
    (load.warmup, load.duration) = (WARMUP, DURATION);
    let interrupted = Arc::new(AtomicBool::new(false));
    of_selftest(&run::execute(&load, &target, progress, interrupted).ok()?)
}

fn remembered(result: &RunResult) -> Option<GeneratorCeiling> {
    read_memory(&memory_file()?).ceilings.remove(&key(result))
}

/// What decides the cost of a record for the generator, and the machine that it was measured on. Of the generator it is the version and
/// how it was compiled, not the commit: a ceiling is used at half its height, most commits do not touch the path of a record, and what a
/// commit changes after all ends with the ceiling's age, with a run that exceeds it, or with `selftest`.
fn key(result: &RunResult) -> String {
    let workload = &result.workload;
    let shape = format!(
        "{:?} {} B x{} p{} batch {} linger {} inflight {} acks {} {:?} idempotent {}",
        workload.client_mode,
        workload.record_bytes,
        workload.producers,
        workload.partitions,
        workload.batch_bytes_max,
        workload.linger_ms,
        workload.inflight_requests_max,
        workload.acks.as_str(),
        workload.compression,
        workload.idempotence,
    ) + &varied(workload);
    let machine = result
        .env
        .first()
        .map(|host| format!("{} x{} {}", host.cpu_model.as_deref().unwrap_or("unknown"), host.cores, host.kernel));
    let pinned = cores_of(result).map(|cores| format!(" on {cores}")).unwrap_or_default();
    let build = &result.loadgen;
    let compiled: Vec<&str> =
        [&build.rustc, &build.target_cpu, &build.lto].into_iter().filter_map(Option::as_deref).collect();
    let generator = format!("{} {} {}", build.version, build.build_profile, compiled.join(" "));
    format!("{shape} | {}{pinned} | {generator}", machine.unwrap_or_default())
}

/// What costs more than records that are all alike; nothing where they are.
fn varied(workload: &Workload) -> String {
    let sizes = workload.sizes.iter().map(|size| format!(" {} B {}", size.bytes, size.share));
    let keys = workload.keys.map(|keys| format!(" keys {:?} of {:?} B", keys, workload.key_bytes));
    let entropy = workload.entropy_bits_per_byte.map(|bits| format!(" entropy {bits}"));
    sizes.chain(keys).chain(entropy).collect()
}

fn read_memory(path: &PathBuf) -> Memory {
    let small = fs::metadata(path).is_ok_and(|found| found.len() <= FILE_BYTES_MAX);
    let text = if small { fs::read(path).unwrap_or_default() } else { Vec::new() };
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Beside what other programs remember of this machine; `XDG_CACHE_HOME` as its specification says.
fn memory_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(base.join("posthaste-loadgen").join("ceilings.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_that_is_old_or_was_exceeded_is_measured_again() {
        let measured = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let ceiling = GeneratorCeiling {
            records_per_s: 1_000.0,
            bytes_per_s: 1e6,
            measured_utc: utc_timestamp(measured),
            share: None,
        };
        let at = |records_per_s| Achieved { records_per_s, bytes_per_s: 0.0 };
        assert!(is_current(&ceiling, at(1_000.0), measured + Duration::from_secs(60)));
        assert!(!is_current(&ceiling, at(1_000.1), measured + Duration::from_secs(60)));
        assert!(!is_current(&ceiling, at(1.0), measured + AGE_MAX));
        assert!(!is_current(&GeneratorCeiling { measured_utc: "?".into(), ..ceiling }, at(1.0), measured));
    }
}
