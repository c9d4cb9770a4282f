//! The journal ring against the real kernel, in a temporary directory.

use super::*;
use crate::io::runtime::{RingSettings, disk_directory, run_on_core};

const FILE_BYTES: u64 = 4 << 20;

fn on_core<F: Future>(make: impl FnOnce() -> F) -> F::Output {
    run_on_core(None, RingSettings::default(), make).expect("a ring")
}

async fn next(io: &mut RingIo, signal: &CompletionSignal) -> Completion {
    let mut completions = Vec::new();
    while completions.is_empty() {
        signal.wait().await;
        io.completions(&mut completions);
    }
    assert_eq!(completions.len(), 1, "the tests ask one at a time");
    completions.remove(0)
}

async fn done(io: &mut RingIo, signal: &CompletionSignal, op: Op) -> io::Result<Outcome> {
    io.submit(Token(9), op);
    io.start();
    let completion = next(io, signal).await;
    assert_eq!(completion.token, Token(9));
    completion.result
}

fn pattern(io: &mut RingIo, bytes: usize, seed: usize) -> Bytes {
    let mut buffer = io.buffer(bytes);
    for (place, byte) in buffer.iter_mut().enumerate() {
        *byte = (place / 512 + seed) as u8;
    }
    buffer.into_bytes()
}

#[test]
fn what_was_written_is_read_back_and_zeroes_are_zero() {
    let directory = disk_directory();
    let path = directory.path().join("segment");
    on_core(async || {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let create = Op::CreateFile { path: path.clone(), bytes: FILE_BYTES };
        let made = done(&mut io, &signal, create).await.expect("created");
        let Outcome::File(file) = made else { panic!("{made:?}") };
        let data = pattern(&mut io, 512 << 10, 3);
        let write = Op::Write { file, position: 4096, data: data.clone() };
        done(&mut io, &signal, write).await.expect("written");
        let sync = Op::SyncData { file };
        done(&mut io, &signal, sync).await.expect("flushed");
        let through = Op::WriteThrough { file, position: 4096, data: data.clone() };
        done(&mut io, &signal, through).await.expect("written through");
        let zeroes = Op::WriteZeroes { file, position: 1 << 20, length: FILE_BYTES - (1 << 20) };
        done(&mut io, &signal, zeroes).await.expect("zeroed");
        let read = Op::Read { file, position: 0, length: FILE_BYTES as usize };
        let content = done(&mut io, &signal, read).await.expect("read");
        let Outcome::Bytes(content) = content else { panic!("{content:?}") };
        assert_eq!(content[4096..][..data.len()], data[..]);
        assert!(content[4096 + data.len()..].iter().all(|byte| *byte == 0));
        assert_eq!(io.open_file(&path).expect("opened").1, FILE_BYTES);
    });
}

#[test]
fn a_read_past_the_end_is_an_error() {
    let directory = disk_directory();
    on_core(async || {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let path = directory.path().join("segment");
        let file = io.create_file(&path, 8192).expect("created");
        let read = Op::Read { file, position: 4096, length: 8192 };
        let error = done(&mut io, &signal, read).await.expect_err("too far");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(io.read_at(file, 4096, 8192).is_err());
    });
}

#[test]
fn more_operations_than_the_ring_holds_all_complete_once() {
    let directory = disk_directory();
    on_core(async || {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let path = directory.path().join("segment");
        let file = io.create_file(&path, FILE_BYTES).expect("created");
        let count = u64::from(JOURNAL_RING_ENTRIES) * 5;
        for token in 0..count {
            let data = pattern(&mut io, 4096, token as usize);
            let position = token * 4096;
            io.submit(Token(token), Op::Write { file, position, data });
        }
        io.start();
        let (mut completions, mut tokens) = (Vec::new(), Vec::new());
        while tokens.len() < count as usize {
            signal.wait().await;
            io.completions(&mut completions);
            tokens.extend(completions.drain(..).map(|completion| {
                completion.result.expect("written");
                completion.token.0
            }));
        }
        tokens.sort_unstable();
        assert!(tokens.into_iter().eq(0..count));
        for token in 0..count {
            let written = io.read_at(file, token * 4096, 4096).expect("read");
            assert_eq!(written[..], pattern(&mut io, 4096, token as usize)[..]);
        }
    });
}

#[test]
fn dropping_the_io_waits_for_the_kernel() {
    let directory = disk_directory();
    let path = directory.path().join("segment");
    for _ in 0..20 {
        let _ = std::fs::remove_file(&path);
        on_core(async || {
            let (mut io, _signal) = RingIo::new().expect("a ring");
            let file = io.create_file(&path, FILE_BYTES).expect("created");
            for position in (0..FILE_BYTES).step_by(512 << 10) {
                let data = pattern(&mut io, 512 << 10, 1);
                io.submit(Token(0), Op::Write { file, position, data });
            }
            io.start();
            drop(io);
            // Memory given back too early would now be overwritten under the writes.
            let reused: Vec<_> = (0..16).map(|_| vec![0xee_u8; 512 << 10]).collect();
            assert_eq!(reused.len(), 16);
        });
        let content = std::fs::read(&path).expect("read");
        for (place, byte) in content.iter().enumerate().step_by(512) {
            assert_eq!(*byte, (place % (512 << 10) / 512 + 1) as u8);
        }
    }
}

#[test]
fn file_commands_complete_through_the_signal() {
    let directory = disk_directory();
    let path = directory.path().join("catalog");
    on_core(async || {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let replace = Op::ReplaceFile { path: path.clone(), content: b"content".to_vec() };
        done(&mut io, &signal, replace).await.expect("replaced");
        let read = |bytes_max| Op::ReadFile { path: path.clone(), bytes_max };
        let content = done(&mut io, &signal, read(7)).await.expect("read");
        assert!(matches!(content, Outcome::Content(content) if content == b"content"));
        assert!(done(&mut io, &signal, read(6)).await.is_err());
        let remove = || Op::RemoveFile { path: path.clone() };
        done(&mut io, &signal, remove()).await.expect("removed");
        done(&mut io, &signal, remove()).await.expect("gone already");
        let free = Op::FreeBytes { path: directory.path().to_owned() };
        assert!(matches!(done(&mut io, &signal, free).await, Ok(Outcome::FreeBytes(1..))));
        let gone = done(&mut io, &signal, read(7)).await.expect_err("gone");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn a_wait_that_was_dropped_loses_no_wake() {
    let directory = disk_directory();
    on_core(async || {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let path = directory.path().join("segment");
        let file = io.create_file(&path, FILE_BYTES).expect("created");
        for _ in 0..200 {
            io.submit(Token(1), Op::SyncData { file });
            io.start();
            tokio::select! {
                biased;
                () = signal.wait() => {}
                () = tokio::task::yield_now() => {}
            }
            next(&mut io, &signal).await.result.expect("flushed");
        }
    });
}

#[test]
fn continuations_go_on_and_a_failed_flush_is_final() {
    let directory = disk_directory();
    let (mut io, _signal) = RingIo::new().expect("a ring");
    let path = directory.path().join("segment");
    let file = io.create_file(&path, FILE_BYTES).expect("created");
    let zeroes = io.add_operation(Token(1), file, Work::Zeroes, 0, 8192);
    let zeroes = &mut io.operations[zeroes];
    assert!(zeroes.advance(4096).is_none(), "half is done");
    assert!(zeroes.advance(-libc::EINTR).is_none());
    assert!(zeroes.advance(-libc::EAGAIN).is_none());
    assert!(zeroes.advance(-libc::EIO).is_some_and(|end| end.is_err()));
    assert!(zeroes.advance(4096).is_some_and(|end| end.is_ok()));
    let sync = io.add_operation(Token(2), file, Work::Sync, 0, 0);
    let end = io.operations[sync].advance(-libc::EINTR);
    assert!(end.is_some_and(|end| end.is_err()));
}
