//! Claim: every promise holds in every seed. A failing seed prints the command that replays it.

use std::hash::{BuildHasher, RandomState};

use simulation::coverage::Coverage;

/// Seeds that always run, and as many that nobody has run before. Together about a minute of two cores without optimisation.
const FIXED_SEEDS: u64 = 600;
const FRESH_SEEDS: u64 = 300;

fn tell_how_to_replay() {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            tell(panic);
            eprintln!("replay: {}", simulation::replay_command());
        }));
    });
}

fn run_all(from: u64, count: u64) -> Coverage {
    tell_how_to_replay();
    let mut all = Coverage::default();
    for seed in from..from + count {
        all.merge(&simulation::run(seed, None, false).coverage);
    }
    all
}

#[test]
fn promises_hold_in_the_first_half_of_the_fixed_seeds() {
    let coverage = run_all(0, FIXED_SEEDS / 2);
    println!("{coverage}");
    // A test of what never happened shows nothing.
    for operation in [
        "batches known already",
        "reads from the disk",
        "reads from the tail",
        "commit offsets",
        "delete topic",
        "batches expired by time",
        "compaction passes",
        "records compacted away",
        "reads of what is decided",
        "transactions committed",
        "transactions aborted",
        "rules of transactions broken",
        "aborted batches told",
        "records missed by audits",
        "epochs raised",
    ] {
        assert!(coverage.operations.get(operation).is_some_and(|count| *count > 100), "{operation} is rare");
    }
    for life in [
        "kills",
        "power cuts",
        "clean stops",
        "starts that fail or die",
        "journal failures",
        "starts refused for damage",
    ] {
        assert!(coverage.lives.get(life).is_some_and(|count| *count > 10), "{life} are rare");
    }
    assert!(coverage.cases.len() > 15, "{:?}", coverage.cases);
}

#[test]
fn promises_hold_in_the_second_half_of_the_fixed_seeds() {
    run_all(FIXED_SEEDS / 2, FIXED_SEEDS / 2);
}

#[test]
fn promises_hold_in_fresh_seeds() {
    let from = RandomState::new().hash_one("seed") >> 32;
    println!("seeds from {from} on");
    run_all(from, FRESH_SEEDS);
}

#[test]
fn the_same_seed_does_the_same_twice_and_another_one_another() {
    for seed in 1_000..1_010 {
        let first = simulation::run(seed, None, false);
        assert_eq!(first, simulation::run(seed, None, false), "seed {seed}");
        assert_ne!(first.trace, simulation::run(seed + 10, None, false).trace);
    }
}

#[test]
fn a_disk_whose_flush_lies_is_noticed() {
    let noticed =
        (0..20).filter(|&seed| std::panic::catch_unwind(|| simulation::run(seed, None, true)).is_err()).count();
    assert!(noticed >= 15, "{noticed} of 20");
}

#[test]
fn a_seed_has_at_least_500_operations_and_a_crash() {
    for seed in 2_000..2_020 {
        let coverage = simulation::run(seed, None, false).coverage;
        let lives = &coverage.lives;
        assert!(lives.get("kills").unwrap_or(&0) + lives.get("power cuts").unwrap_or(&0) >= 1);
        assert!(coverage.asked >= 500, "{coverage}");
    }
}
