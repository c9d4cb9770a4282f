//! No input makes a decoder panic, or allocate more than `BYTES_PER_INPUT_BYTE` for each byte of it.
//!
//! A binary of its own with one test: the counting allocator counts the whole process.

use std::alloc::System;

use protocol::reader::Reader;
use protocol::{Message, messages};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// All allocations of a decode together, freed ones included. The densest element takes 3 bytes on the wire and 64 in
/// memory (`ListedGroup`), and an array may be a quarter larger than what has come.
const BYTES_PER_INPUT_BYTE: usize = 28;

/// What an input of a few bytes may take: one element of each level.
const BYTES_AT_LEAST: usize = 512;

/// Every message and version: length, key, 0 for a request or 1 for a response, version, random valid message.
const MESSAGES: &[u8] = include_bytes!("messages.bin");

/// What stands behind a lying count, repeated: the last ones are the smallest flexible structures, empty strings and
/// arrays in front of no tagged fields.
const FILLERS: [&[u8]; 12] =
    [&[0], &[1], &[2], &[3], &[0x7f], &[0x80], &[0xfe], &[0xff], &[1, 0], &[1, 1, 0], &[1, 1, 1, 0], &[1, 1, 1, 1, 0]];
const HOSTILE_BYTES: usize = 4096;

macro_rules! decoder {
    ($(
        $name:ident = $key:literal, $versions:expr, $flexible:literal, $module:ident $request:ident $response:ident;
    )*) => {
        /// Decodes and drops a message; whether it was one.
        fn decode(kind: Kind, input: &[u8]) -> bool {
            let mut reader = Reader::new(input);
            match (kind.key, kind.is_response) {
                $(
                    ($key, false) => messages::$module::$request::decode(&mut reader, kind.version).is_ok(),
                    ($key, true) => messages::$module::$response::decode(&mut reader, kind.version).is_ok(),
                )*
                _ => unreachable!("no API {}", kind.key),
            }
        }
    };
}
protocol::for_each_api!(decoder);

#[derive(Debug, Clone, Copy)]
struct Kind {
    key: i16,
    is_response: bool,
    version: i16,
}

/// The valid messages, each with its kind.
fn messages() -> Vec<(Kind, &'static [u8])> {
    let mut all = Vec::new();
    let mut reader = Reader::new(MESSAGES);
    while reader.remaining() > 0 {
        let entry = reader.read_bytes().expect("an entry has a length");
        let kind = Kind {
            key: i16::from_be_bytes([entry[0], entry[1]]),
            is_response: entry[2] == 1,
            version: i16::from(entry[3]),
        };
        all.push((kind, &entry[4..]));
    }
    all
}

/// The bytes that decoding allocates. The least of two runs where it looks too much: the test harness has a thread of
/// its own that may allocate meanwhile.
fn allocated(kind: Kind, input: &[u8]) -> usize {
    let measure = || {
        let region = Region::new(ALLOCATOR);
        decode(kind, input);
        region.change().bytes_allocated
    };
    let first = measure();
    if first <= limit(input) { first } else { first.min(measure()) }
}

fn limit(input: &[u8]) -> usize {
    BYTES_AT_LEAST + input.len() * BYTES_PER_INPUT_BYTE
}

fn assert_bounded(kind: Kind, input: &[u8]) {
    let allocated = allocated(kind, input);
    assert!(allocated <= limit(input), "{kind:?}: {allocated} bytes for an input of {}: {input:02x?}", input.len());
}

/// Flips bytes, and often cuts or lengthens the message.
fn mutate(source: &mut StdRng, message: &[u8]) -> Vec<u8> {
    let mut mutated = message.to_vec();
    for _ in 0..source.random_range(1..6) {
        if !mutated.is_empty() {
            let at = source.random_range(0..mutated.len());
            mutated[at] = if source.random() { source.random() } else { FILLERS[source.random_range(0..8)][0] };
        }
    }
    match source.random_range(0..4) {
        0 => mutated.truncate(source.random_range(0..=mutated.len())),
        1 => mutated.extend_from_slice(message),
        _ => {}
    }
    mutated
}

/// The message up to `at`, then a count as large as the rest of the input, classic or compact, then filler.
fn lie(message: &[u8], at: usize, filler: &[u8], compact: bool) -> Vec<u8> {
    let mut lying = message[..at].to_vec();
    if compact {
        lying.extend_from_slice(&[(HOSTILE_BYTES & 0x7f) as u8 | 0x80, (HOSTILE_BYTES >> 7) as u8]);
    } else {
        lying.extend_from_slice(&(HOSTILE_BYTES as i32).to_be_bytes());
    }
    lying.extend(filler.iter().cycle().take(HOSTILE_BYTES));
    lying
}

#[test]
fn hostile_bytes_neither_panic_nor_take_memory() {
    let mut source = StdRng::seed_from_u64(3);
    let messages = messages();
    assert!(messages.len() > 200, "the corpus has all kinds and versions");
    for (kind, message) in messages {
        assert!(decode(kind, message), "{kind:?} is in the corpus because it is valid");
        assert_bounded(kind, message);
        for _ in 0..200 {
            assert_bounded(kind, &mutate(&mut source, message));
        }
        for len in [0, 1, 7, 64, 512, HOSTILE_BYTES] {
            let mut random = vec![0; len];
            source.fill(&mut random[..]);
            assert_bounded(kind, &random);
        }
        for filler in FILLERS {
            assert_bounded(kind, &filler.repeat(HOSTILE_BYTES / filler.len()));
        }
        for at in 0..message.len().min(64) {
            for filler in FILLERS {
                assert_bounded(kind, &lie(message, at, filler, true));
                assert_bounded(kind, &lie(message, at, filler, false));
            }
        }
    }
}
