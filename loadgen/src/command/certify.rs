//! `loadgen certify`: the machine against itself. Two sides that are the same must not differ; how much they vary is the noise floor
//! that every comparison on this machine is to be read against.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;

use crate::campaign::Campaign;
use crate::command::{Exit, refuse, refuse_run, run};
use crate::compare::{self, Comparison, Finding, Metric, Outcome};
use crate::duel::{Rules, Runs, fight};
use crate::options::RunOptions;
use crate::report::{Align, Table, write_whole};
use crate::result::{Kind, Machine, NoiseFloor, RunResult, SCHEMA_VERSION, machine_id, utc_timestamp};
use crate::side::Side;
use crate::statistics::{coefficient_of_variation, median};

/// The options of `loadgen certify`.
#[derive(Debug, Clone, Args)]
pub struct CertifyOptions {
    /// The load under which the machine is certified.
    #[command(flatten)]
    pub run: RunOptions,
    /// Runs of each of the two equal sides.
    #[arg(long, value_name = "TIMES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(4..=100))]
    pub repeats: u32,
    /// Folder that the machine's file goes into, as results/machines; by default the folder of the runs.
    #[arg(long, value_name = "DIR")]
    pub machines: Option<PathBuf>,
}

/// Runs both sides and writes the machine's file: exit 1 when the machine differs from itself.
pub fn execute(options: &CertifyOptions) -> Exit {
    let interrupted = run::interrupted();
    let output = &options.run.output;
    let side =
        |label: &str| Side { label: label.into(), target: options.run.target.clone(), load: options.run.load.clone() };
    let campaign = Campaign::new("certify", output, Vec::new(), interrupted);
    let rules = Rules { repeats: options.repeats, reruns_max: 0, kind: Kind::Aa };
    let (runs, directory) = match campaign.conduct(|campaign| fight(campaign, &side("A"), &side("A again"), rules)) {
        Ok(found) => found,
        Err(error) => return refuse_run(&error),
    };
    let comparison = compare_sides(&runs);
    let Some(machine) = machine(&runs, &comparison, options.repeats) else {
        return refuse("no run came to its end, so nothing is known of this machine", Exit::ToolError);
    };
    let path = options.machines.as_deref().unwrap_or(&directory).join(format!("{}.json", machine.id));
    if !output.quiet {
        print!("{}", table(&machine).text());
    }
    for note in &machine.notes {
        println!("note     {note}");
    }
    if let Err(error) = write(&machine, &path) {
        return refuse(format_args!("cannot write {}: {error}", path.display()), Exit::ToolError);
    }
    println!("machine  {}", path.display());
    match (comparison.outcome, machine.fit) {
        (Outcome::NothingComparable, _) => Exit::InvalidRun,
        (_, true) => Exit::Fine,
        (_, false) => Exit::Regression,
    }
}

fn compare_sides(runs: &Runs) -> Comparison {
    let (a, b): (Vec<&RunResult>, Vec<&RunResult>) = (runs.a.iter().collect(), runs.b.iter().collect());
    let settings = compare::Settings { threshold: Some(0.0), ..compare::Settings::default() };
    compare::compare(compare::Side { name: "A", runs: &a }, compare::Side { name: "A again", runs: &b }, &settings)
}

fn machine(runs: &Runs, comparison: &Comparison, repeats: u32) -> Option<Machine> {
    let all = || runs.a.iter().chain(&runs.b).filter(|run| run.error.is_none());
    let first = all().next()?;
    let environment = first.env.first()?.clone();
    let mut noise = BTreeMap::new();
    for found in &comparison.metrics {
        let values: Vec<f64> = all().filter_map(|run| found.metric.value(run)).collect();
        if let Some((median, variation)) = median(&values).zip(coefficient_of_variation(&values)) {
            let floor =
                NoiseFloor { n: values.len() as u32, median, variation, detectable_ratio: found.detectable_ratio };
            noise.insert(found.metric.name().replace(' ', "_"), floor);
        }
    }
    let differing: Vec<&str> = comparison
        .metrics
        .iter()
        .filter(|found| matches!(found.finding, Finding::Better | Finding::Worse | Finding::Small))
        .map(|found| Metric::name(found.metric))
        .collect();
    let mut notes = Vec::new();
    if !differing.is_empty() {
        let what = differing.join(", ");
        notes.push(format!("Two equal sides differ in {what}: the machine is unfit for comparisons, or this is the one false alarm in twenty."));
    }
    let noisy = all().filter(|run| run.quality.noisy).count();
    if noisy > 0 {
        notes.push(format!("The machine changed under {noisy} of {} runs.", all().count()));
    }
    Some(Machine {
        schema_version: SCHEMA_VERSION,
        id: machine_id(&environment),
        certified_utc: utc_timestamp(SystemTime::now()),
        env: vec![environment],
        loadgen: first.loadgen.clone(),
        workload: first.workload.clone(),
        repeats,
        fit: differing.is_empty(),
        noise_floor: noise,
        notes,
    })
}

fn table(machine: &Machine) -> Table {
    let mut table = Table::new(&[
        ("metric", Align::Left),
        ("n", Align::Right),
        ("variation", Align::Right),
        ("smallest difference seen 4 times in 5", Align::Right),
    ]);
    for (metric, floor) in &machine.noise_floor {
        let detectable =
            floor.detectable_ratio.map_or_else(|| "none".into(), |ratio| format!("{:.1} %", (ratio - 1.0) * 100.0));
        table.row([
            metric.replace('_', " "),
            floor.n.to_string(),
            format!("{:.1} %", floor.variation * 100.0),
            detectable,
        ]);
    }
    table
}

fn write(machine: &Machine, path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut json = serde_json::to_vec_pretty(machine)?;
    json.push(b'\n');
    write_whole(path, &json)
}
