//! The claims that the engine's simulations rest on.

use std::path::PathBuf;

use super::*;

const FILE_BYTES: u64 = 64 << 10;

fn segment() -> PathBuf {
    PathBuf::from("/data/segment")
}

/// A disk with one durable file of zeros, open.
fn started(seed: u64) -> (SimIo, FileId) {
    let mut io = SimIo::new(seed, SimDisk::default());
    io.create_directory(Path::new("/data")).expect("created");
    let file = io.create_file(&segment(), FILE_BYTES).expect("created");
    (io, file)
}

fn filled(io: &mut SimIo, bytes: usize, value: u8) -> Bytes {
    let mut buffer = io.buffer(bytes);
    buffer.fill(value);
    buffer.into_bytes()
}

fn begin(io: &mut SimIo, token: u64, op: Op) {
    io.submit(Token(token), op);
    io.start();
}

fn write(io: &mut SimIo, token: u64, file: FileId, position: u64, bytes: usize, value: u8) {
    let data = filled(io, bytes, value);
    begin(io, token, Op::Write { file, position, data });
}

fn results(io: &mut SimIo) -> Vec<(u64, bool)> {
    let mut completions = Vec::new();
    io.completions(&mut completions);
    let results = completions.into_iter();
    results.map(|completion| (completion.token.0, completion.result.is_ok())).collect()
}

fn settled(io: &mut SimIo) -> Vec<(u64, bool)> {
    io.run_until_idle();
    results(io)
}

/// Some work with everything that may happen in it; gives the trace and what was left.
fn busy_life(seed: u64) -> (u64, Vec<u8>) {
    let (mut io, file) = started(seed);
    io.set_faults(Faults {
        delay: 200,
        write_error: 50,
        sync_error: 50,
        read_error: 50,
        read_flip: 100,
        ..Faults::default()
    });
    for round in 0..100 {
        let position = io.random_u64() % 8 * 8192;
        write(&mut io, round, file, position, 8192, round as u8);
        begin(&mut io, 1000 + round, Op::SyncData { file });
        let read = Op::Read { file, position: 0, length: 8192 };
        begin(&mut io, 2000 + round, read);
        io.step();
        io.step();
        results(&mut io);
    }
    let trace = io.trace();
    let disk = io.crash(Crash::PowerCut);
    (trace, disk.content(&segment()).expect("durable").to_vec())
}

#[test]
fn the_same_seed_gives_the_same_life_and_another_seed_another() {
    for seed in 0..20 {
        assert_eq!(busy_life(seed), busy_life(seed));
        assert_ne!(busy_life(seed).0, busy_life(seed + 1).0);
    }
}

#[test]
fn nothing_is_under_way_before_it_is_started() {
    let (mut io, file) = started(1);
    io.submit(Token(1), Op::SyncData { file });
    assert!(settled(&mut io).is_empty());
    io.start();
    assert_eq!(settled(&mut io), [(1, true)]);
}

#[test]
fn nothing_completes_without_a_step_and_every_operation_completes_once() {
    let (mut io, file) = started(1);
    for token in 0..50 {
        write(&mut io, token, file, 0, 4096, 1);
    }
    assert!(results(&mut io).is_empty());
    let mut tokens: Vec<_> = settled(&mut io).into_iter().map(|(token, _)| token).collect();
    assert!(!tokens.is_sorted(), "completions are reordered");
    tokens.sort_unstable();
    assert!(tokens.into_iter().eq(0..50));
}

#[test]
fn without_reordering_completions_come_as_submitted() {
    let (mut io, file) = started(1);
    io.set_faults(Faults { reorder: false, delay: 300, ..Faults::default() });
    for token in 0..50 {
        write(&mut io, token, file, 0, 4096, 1);
    }
    assert!(settled(&mut io).is_sorted());
}

#[test]
fn flushed_writes_survive_every_power_cut() {
    for seed in 0..200 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 8192, 16_384, 7);
        settled(&mut io);
        begin(&mut io, 2, Op::SyncData { file });
        settled(&mut io);
        write(&mut io, 3, file, 32_768, 8192, 9);
        let disk = io.crash(Crash::PowerCut);
        let content = disk.content(&segment()).expect("durable");
        assert!(content[8192..][..16_384].iter().all(|byte| *byte == 7));
    }
}

#[test]
fn a_write_through_survives_every_power_cut_and_proves_nothing_of_others() {
    let mut lost = 0;
    for seed in 0..200 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 4096, 7);
        settled(&mut io);
        let data = filled(&mut io, 8192, 9);
        begin(&mut io, 2, Op::WriteThrough { file, position: 8192, data });
        assert_eq!(settled(&mut io), [(2, true)]);
        let disk = io.crash(Crash::PowerCut);
        let content = disk.content(&segment()).expect("durable");
        assert!(content[8192..][..8192] == [9; 8192]);
        lost += usize::from(content[..4096] != [7; 4096]);
    }
    assert!(lost > 20, "what was written before it waits for a flush");
}

#[test]
fn unflushed_writes_survive_a_power_cut_in_any_subset_of_whole_sectors() {
    let (mut whole, mut none, mut torn_at_sector) = (0, 0, 0);
    for seed in 0..400 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 32_768, 7);
        settled(&mut io);
        let disk = io.crash(Crash::PowerCut);
        let content = &disk.content(&segment()).expect("durable")[..32_768];
        let sectors: Vec<bool> = content
            .chunks(512)
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "sectors are whole");
                sector[0] == 7
            })
            .collect();
        whole += usize::from(sectors.iter().all(|landed| *landed));
        none += usize::from(!sectors.iter().any(|landed| *landed));
        let torn = |block: &[bool]| block.iter().any(|landed| *landed != block[0]);
        torn_at_sector += usize::from(sectors.chunks(8).any(torn));
    }
    assert!(whole > 20 && none > 20 && torn_at_sector > 20);
}

#[test]
fn a_flush_covers_only_what_completed_before_it_was_submitted() {
    let mut lost = 0;
    for seed in 0..100 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 4096, 7);
        begin(&mut io, 2, Op::SyncData { file });
        settled(&mut io);
        let disk = io.crash(Crash::PowerCut);
        let content = disk.content(&segment()).expect("durable");
        lost += usize::from(content[..4096].iter().any(|byte| *byte != 7));
    }
    assert!(lost > 20, "a flush beside its write proves nothing");
}

#[test]
fn a_kill_keeps_completed_writes_until_a_power_cut_takes_them() {
    let mut lost = 0;
    for seed in 0..100 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 4096, 7);
        settled(&mut io);
        let disk = io.crash(Crash::Kill);
        assert!(disk.content(&segment()).expect("there")[..4096] == [7; 4096]);
        let disk = SimIo::new(seed, disk).crash(Crash::PowerCut);
        lost += usize::from(disk.content(&segment()).expect("there")[..4096] != [7; 4096]);
    }
    assert!(lost > 20);
}

#[test]
fn a_kill_lands_writes_under_way_whole_partly_or_not() {
    let (mut whole, mut none, mut part) = (0, 0, 0);
    for seed in 0..200 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 32_768, 7);
        let disk = io.crash(Crash::Kill);
        let content = &disk.content(&segment()).expect("there")[..32_768];
        match content.iter().map(|byte| usize::from(*byte == 7)).sum::<usize>() {
            0 => none += 1,
            32_768 => whole += 1,
            _ => part += 1,
        }
    }
    assert!(whole > 10 && none > 10 && part > 10);
}

#[test]
fn after_a_failed_flush_a_later_one_lies() {
    let mut lost = 0;
    for seed in 0..100 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 4096, 7);
        settled(&mut io);
        io.set_faults(Faults { sync_error: 1000, ..Faults::default() });
        begin(&mut io, 2, Op::SyncData { file });
        assert_eq!(settled(&mut io), [(2, false)]);
        io.set_faults(Faults::default());
        begin(&mut io, 3, Op::SyncData { file });
        assert_eq!(settled(&mut io), [(3, true)]);
        let disk = io.crash(Crash::PowerCut);
        lost += usize::from(disk.content(&segment()).expect("there")[..4096] != [7; 4096]);
    }
    assert!(lost > 20);
}

#[test]
fn names_are_durable_when_their_operation_completed_and_any_subset_before() {
    let catalog = PathBuf::from("/data/catalog");
    let (mut old, mut new, mut leftovers) = (0, 0, 0);
    for seed in 0..200 {
        let (mut io, _) = started(seed);
        let replace = |content: &[u8]| Op::ReplaceFile { path: catalog.clone(), content: content.to_vec() };
        begin(&mut io, 1, replace(b"old"));
        settled(&mut io);
        begin(&mut io, 2, replace(b"new"));
        let disk = io.crash(Crash::PowerCut);
        match disk.content(&catalog) {
            Some(b"old") => old += 1,
            Some(b"new") => new += 1,
            other => panic!("neither old nor new: {other:?}"),
        }
        leftovers += usize::from(disk.files().len() > 2);
    }
    assert!(old > 20 && new > 20 && leftovers > 5);
}

#[test]
fn a_file_whose_creation_was_cut_is_there_whole_short_or_not() {
    let path = PathBuf::from("/data/next");
    let (mut whole, mut short, mut none) = (0, 0, 0);
    for seed in 0..300 {
        let (mut io, _) = started(seed);
        let create = Op::CreateFile { path: path.clone(), bytes: FILE_BYTES };
        begin(&mut io, 1, create);
        let disk = io.crash(Crash::PowerCut);
        match disk.content(&path).map(<[u8]>::len) {
            None => none += 1,
            Some(length) if length as u64 == FILE_BYTES => whole += 1,
            Some(_) => short += 1,
        }
    }
    assert!(whole > 20 && short > 20 && none > 20);
}

#[test]
fn a_full_disk_refuses_files_and_nothing_else() {
    let (mut io, file) = started(1);
    io.with_disk(|disk| disk.set_capacity_bytes(FILE_BYTES + 4096));
    begin(&mut io, 7, Op::FreeBytes { path: PathBuf::from("/data") });
    io.run_until_idle();
    let mut answers = Vec::new();
    io.completions(&mut answers);
    assert!(matches!(answers[..], [Completion { token: Token(7), result: Ok(crate::io::Outcome::FreeBytes(4096)) }]));
    let refused = io.create_file(Path::new("/data/next"), 8192);
    assert_eq!(refused.expect_err("full").kind(), io::ErrorKind::StorageFull);
    write(&mut io, 1, file, 0, 8192, 1);
    assert_eq!(settled(&mut io), [(1, true)]);
    io.remove_file(&segment()).expect("removed");
    io.close(file);
    io.create_file(Path::new("/data/next"), 8192).expect("the space of a removed file is free again");
}

#[test]
fn damage_at_rest_stays_and_a_flipped_read_passes() {
    let (mut io, file) = started(1);
    io.with_disk(|disk| assert!(disk.damage(&segment(), 100, 1)));
    assert_eq!(io.read_at(file, 0, 4096).expect("read")[100], 1);
    io.set_faults(Faults { read_flip: 1000, ..Faults::default() });
    let flipped = io.read_at(file, 4096, 4096).expect("read");
    let bits: u32 = flipped.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(bits, 1);
    io.set_faults(Faults::default());
    let again = io.read_at(file, 4096, 4096).expect("read");
    assert!(again.iter().all(|byte| *byte == 0));
}

#[test]
fn a_dead_process_does_nothing_more() {
    let (mut io, file) = started(1);
    io.die_after(1);
    let mut buffer = io.buffer(4096);
    buffer.fill(7);
    io.write_at(file, 0, &buffer, 4096).expect("the last call");
    assert!(io.write_at(file, 4096, &buffer, 4096).is_err());
    let disk = io.crash(Crash::Kill);
    let content = disk.content(&segment()).expect("there");
    assert!(content[..4096] == [7; 4096] && content[4096..8192] == [0; 4096]);
}

#[test]
fn rings_of_one_process_share_the_disk_and_not_their_completions() {
    let (mut io, file) = started(1);
    let mut other = io.beside();
    let mine = other.open_file(&segment()).expect("opens").0;
    write(&mut io, 1, file, 0, 4096, 1);
    write(&mut other, 1, mine, 4096, 4096, 2);
    io.run_until_idle();
    assert_eq!((results(&mut io), results(&mut other)), (vec![(1, true)], vec![(1, true)]));
    let both = io.read_at(file, 0, 8192).expect("read");
    assert!(both[..4096] == [1; 4096] && both[4096..8192] == [2; 4096]);
}

#[test]
fn a_flush_that_lies_is_found_out_by_a_power_cut() {
    let mut lost = 0;
    for seed in 0..100 {
        let (mut io, file) = started(seed);
        io.set_faults(Faults { lying_flush: 1000, ..Faults::default() });
        write(&mut io, 1, file, 0, 4096, 7);
        settled(&mut io);
        begin(&mut io, 2, Op::SyncData { file });
        assert_eq!(settled(&mut io), [(2, true)]);
        assert_eq!(io.fault_counts()[&Fault::LyingFlush], 1);
        let disk = io.crash(Crash::PowerCut);
        lost += usize::from(disk.content(&segment()).expect("there")[..4096] != [7; 4096]);
    }
    assert!(lost > 20);
}

#[test]
fn a_stalled_disk_completes_nothing_and_goes_on() {
    let (mut io, file) = started(3);
    io.set_faults(Faults { stall: 1000, ..Faults::default() });
    write(&mut io, 1, file, 0, 4096, 7);
    write(&mut io, 2, file, 4096, 4096, 7);
    io.step();
    let before = io.monotonic_ns();
    assert_eq!(settled(&mut io).len(), 2);
    assert!(io.monotonic_ns() - before > 10_000_000, "a stall takes long");
}

#[test]
fn a_write_goes_astray_by_one_block() {
    let (mut misdirected, mut duplicated) = (0, 0);
    for seed in 0..100 {
        for (faults, count) in [
            (Faults { misdirected_write: 1000, ..Faults::default() }, &mut misdirected),
            (Faults { duplicated_write: 1000, ..Faults::default() }, &mut duplicated),
        ] {
            let (mut io, file) = started(seed);
            io.set_faults(faults);
            write(&mut io, 1, file, 8192, 4096, 7);
            settled(&mut io);
            let content = io.read_at(file, 0, FILE_BYTES as usize).expect("read");
            let (blocks, _) = content.as_chunks::<4096>();
            *count += blocks.iter().filter(|block| **block == [7; 4096]).count();
        }
    }
    assert!(misdirected == 100 && duplicated > 150, "{misdirected} {duplicated}");
}

#[test]
fn after_a_failed_flush_the_next_process_sees_all_of_it_or_nothing() {
    let (mut all, mut nothing) = (0, 0);
    for seed in 0..100 {
        let (mut io, file) = started(seed);
        write(&mut io, 1, file, 0, 8192, 7);
        settled(&mut io);
        io.set_faults(Faults { sync_error: 1000, ..Faults::default() });
        begin(&mut io, 2, Op::SyncData { file });
        settled(&mut io);
        let disk = io.crash(Crash::Kill);
        let content = &disk.content(&segment()).expect("there")[..8192];
        all += usize::from(content == [7; 8192]);
        nothing += usize::from(content == [0; 8192]);
    }
    assert!(all > 20 && nothing > 20 && all + nothing == 100);
}
