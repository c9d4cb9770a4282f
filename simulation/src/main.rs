//! Runs seeds of the simulation: one, a range, or as many as fit into some minutes.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::coverage::Coverage;

/// Exit code after a broken promise.
const EXIT_BROKEN: i32 = 101;

/// Runs the deterministic simulation of the engine, groups and catalog.
#[derive(Parser)]
struct Arguments {
    /// One seed.
    #[arg(long)]
    seed: Option<u64>,
    /// End a seed after so many operations (each seed decides itself, from 500 on).
    #[arg(long)]
    steps: Option<u64>,
    /// Seeds from..to.
    #[arg(long, value_parser = range, default_value = "0..1000")]
    seeds: Range<u64>,
    /// Go on with further seeds until so many minutes have passed.
    #[arg(long)]
    minutes: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, std::num::NonZero::get))]
    jobs: usize,
    /// A disk whose flush lies: the checker must notice.
    #[arg(long)]
    lying_flush: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected FROM..TO")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    Ok(number(from)?..number(to)?)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        eprintln!("replay: {}", simulation::replay_command());
        std::process::exit(EXIT_BROKEN);
    }));
    if let Some(seed) = arguments.seed {
        let report = simulation::run(seed, arguments.steps, arguments.lying_flush);
        println!("seed {seed}: trace {:016x}\n{}", report.trace, report.coverage);
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    let until = arguments.minutes.map(|minutes| started + Duration::from_secs(minutes * 60));
    let next = AtomicU64::new(arguments.seeds.start);
    let all = Mutex::new(Coverage::default());
    let work = || {
        let mut mine = Coverage::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let goes_on = until.map_or(seed < arguments.seeds.end, |until| Instant::now() < until);
            if !goes_on {
                break;
            }
            mine.merge(&simulation::run(seed, arguments.steps, arguments.lying_flush).coverage);
        }
        all.lock().expect("a panic ends the process").merge(&mine);
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let all = all.into_inner().expect("a panic ends the process");
    let seconds = started.elapsed().as_secs_f64();
    println!("{all}every promise held in {} seeds from {} on, {seconds:.1} s", all.seeds, arguments.seeds.start);
    ExitCode::SUCCESS
}
