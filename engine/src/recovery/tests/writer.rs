//! A journal writer for tests: the format's rules (FORMAT.md), several writes in flight, no speed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::Recovered;
use super::{SHARD, segment_file};
use crate::batch::tests::batch;
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader};
use crate::data_directory::DataDirectory;
use crate::io::sim::SimIo;
use crate::io::{FileId, Io, Op, Token};
use crate::journal::commit::{
    CommitHeader, Entry, EntryKind, FLAG_CHECKPOINT, FLAG_CHECKPOINT_END, HEADER_BYTES, encode_entries,
};
use crate::journal::segment::{FIRST_COMMIT_PLACE, SegmentHeader};
use crate::limits::BLOCK_BYTES;
use crate::offset::{CommitSequence, Incarnation, JournalPosition, LogId, Offset, SegmentSequence};
use crate::partition::log_state::LogState;
use crate::partition::producers_payload::encode_producers;

const HEADER_TOKENS: u64 = 1 << 40;
const FLUSH_TOKENS: u64 = 1 << 41;

/// A commit that was submitted.
#[derive(Clone, Debug)]
pub struct Submitted {
    pub sequence: CommitSequence,
    pub segment: SegmentSequence,
    pub place: u32,
    pub end: JournalPosition,
    pub durable_upto: JournalPosition,
    pub batches: Vec<(LogId, Offset, Vec<u8>)>,
    is_written: bool,
}

pub struct Writer {
    pub io: SimIo,
    pub directory: DataDirectory,
    pub incarnation: Incarnation,
    pub logs: BTreeMap<LogId, LogState>,
    /// Of this life, in order.
    pub commits: Vec<Submitted>,
    pub segments: Vec<(SegmentSequence, u32, FileId)>,
    pub place: u32,
    free: Vec<(u32, FileId)>,
    next_slot: u32,
    next_commit: CommitSequence,
    durable: usize,
    flush: Option<(usize, BTreeSet<Token>)>,
    unflushed: BTreeSet<FileId>,
    headers_in_flight: BTreeMap<Token, SegmentSequence>,
    next_token: u64,
    written_before: JournalPosition,
    timestamp: i64,
    /// Log starts that a crash cannot take back, and those that wait for their commit.
    durable_starts: BTreeMap<LogId, Offset>,
    waiting_starts: Vec<(usize, LogId, Offset)>,
}

impl Writer {
    /// Goes on where recovery ended.
    pub fn resume(io: SimIo, directory: DataDirectory, recovered: Recovered) -> Writer {
        let last = recovered.segments.last();
        let end = last.map_or(JournalPosition(0), |last| directory.geometry.position(last.sequence, last.end_place));
        Writer {
            io,
            incarnation: recovered.incarnation,
            durable_starts: recovered.logs.iter().map(|(&log, state)| (log, state.start)).collect(),
            waiting_starts: Vec::new(),
            logs: recovered.logs,
            commits: Vec::new(),
            place: last.map_or(0, |last| last.end_place),
            segments: recovered.segments.iter().map(|segment| (segment.sequence, segment.slot, segment.file)).collect(),
            free: recovered.free_slots,
            next_slot: recovered.next_slot,
            next_commit: recovered.next_commit,
            durable: 0,
            flush: None,
            unflushed: BTreeSet::new(),
            headers_in_flight: BTreeMap::new(),
            next_token: 0,
            written_before: end,
            timestamp: (recovered.incarnation.0 as i64) << 32,
            directory,
        }
    }

    /// Starts on an empty or a used disk.
    pub fn start(mut io: SimIo) -> Writer {
        let (directory, recovered) = super::start(&mut io).expect("a start");
        Writer::resume(io, directory, recovered)
    }

    /// Submits a commit with one batch of `record_bytes` for each of `logs`.
    pub fn append(&mut self, logs: &[u64], record_bytes: usize) -> CommitSequence {
        let mut parts = Vec::new();
        for &log in logs {
            self.timestamp += 1;
            let log = LogId(log);
            let next = self.logs.get(&log).map_or(Offset(0), |log| log.next);
            let in_commit = parts.iter().filter(|(entry, _): &&(Entry, Vec<u8>)| entry.log == log).count() as i64;
            let mut bytes = batch(2, record_bytes, (log.0 as i64, 0, -1), self.timestamp);
            let mut header = BatchHeader::parse(&bytes).expect("whole");
            header.place_at(next.0 + 2 * in_commit, 1);
            bytes[..BATCH_HEADER_BYTES].copy_from_slice(header.bytes());
            let entry = Entry {
                base_offset: next.plus(2 * in_commit),
                last_offset_delta: 1,
                count: 2,
                leader_epoch: 1,
                max_timestamp: self.timestamp,
                crc: header.crc(),
                ..bare(EntryKind::Batch, log)
            };
            parts.push((entry, bytes));
        }
        self.commit(0, parts)
    }

    /// Submits a commit that raises the start of a log to the first offset of its newest segment, or to a place in it.
    pub fn raise_start(&mut self, log: u64) -> CommitSequence {
        let state = &self.logs[&LogId(log)];
        let start = state.spans.back().map_or(state.next, |span| span.first_offset);
        self.commit(0, vec![(Entry { base_offset: start, ..bare(EntryKind::LogStart, LogId(log)) }, Vec::new())])
    }

    /// Submits a commit that deletes a log.
    pub fn delete(&mut self, log: u64) -> CommitSequence {
        self.commit(0, vec![(bare(EntryKind::LogDelete, LogId(log)), Vec::new())])
    }

    /// Submits a commit that only carries `durable_upto`.
    pub fn watermark(&mut self) -> CommitSequence {
        self.commit(0, vec![(bare(EntryKind::Watermark, LogId(0)), Vec::new())])
    }

    /// Lets everything complete and flushes it.
    pub fn settle(&mut self) {
        while self.durable < self.commits.len() {
            self.start_flush();
            self.io.run_until_idle();
            self.poll();
        }
    }

    /// Takes what completed.
    pub fn poll(&mut self) {
        let mut completions = Vec::new();
        self.io.completions(&mut completions);
        for completion in completions {
            completion.result.expect("no faults in this test");
            let token = completion.token;
            if let Some((upto, pending)) = self.flush.as_mut().filter(|(_, pending)| pending.contains(&token)) {
                pending.remove(&token);
                if pending.is_empty() {
                    self.durable = *upto;
                    self.flush = None;
                    for &(_, log, start) in self.waiting_starts.iter().filter(|(commit, ..)| *commit < self.durable) {
                        self.durable_starts.insert(log, start);
                    }
                    self.waiting_starts.retain(|(commit, ..)| *commit >= self.durable);
                }
            } else if self.headers_in_flight.remove(&token).is_none() {
                let commit = self.commits.iter_mut().find(|commit| commit.sequence.0 == token.0);
                commit.expect("a commit of this life").is_written = true;
            }
        }
    }

    /// Flushes every file with unflushed writes, if a longer prefix is written than durable and no flush is under way.
    pub fn start_flush(&mut self) {
        let written = self.written();
        if self.flush.is_some() || written == self.durable {
            return;
        }
        let mut pending = BTreeSet::new();
        for file in self.unflushed.clone() {
            let token = self.token(FLUSH_TOKENS);
            self.io.submit(token, Op::SyncData { file });
            self.io.start();
            pending.insert(token);
        }
        self.flush = Some((written, pending));
        let open = self.commits[written..].iter().map(|commit| commit.segment);
        let open: BTreeSet<_> = open.chain(self.headers_in_flight.values().copied()).collect();
        let segments = &self.segments;
        self.unflushed
            .retain(|file| segments.iter().any(|(segment, _, found)| found == file && open.contains(segment)));
    }

    /// Number of commits of this life in the contiguous prefix that was written.
    pub fn written(&self) -> usize {
        let blocked = |commit: &&Submitted| {
            !commit.is_written || self.headers_in_flight.values().any(|segment| *segment == commit.segment)
        };
        self.commits.iter().position(|commit| blocked(&commit)).unwrap_or(self.commits.len())
    }

    /// Number of commits of this life that are durable.
    pub fn durable(&self) -> usize {
        self.durable
    }

    pub fn in_flight(&self) -> usize {
        self.commits.iter().filter(|commit| !commit.is_written).count()
    }

    fn commit(&mut self, flags: u16, parts: Vec<(Entry, Vec<u8>)>) -> CommitSequence {
        let payload_bytes: usize = parts.iter().map(|(_, payload)| payload.len()).sum();
        let length = CommitHeader::commit_bytes(HEADER_BYTES + payload_bytes, parts.len()) as u32;
        let has_room = u64::from(self.place) + u64::from(length) <= self.directory.geometry.segment_bytes();
        if flags == 0 && (self.segments.is_empty() || !has_room) {
            self.roll();
        }
        let &(segment, _, file) = self.segments.last().expect("rolled");
        let sequence = self.next_commit;
        let (place, position) = (self.place, self.directory.geometry.position(segment, self.place));
        let mut entries = Vec::new();
        let mut bytes = vec![0; HEADER_BYTES];
        let mut batches = Vec::new();
        for (entry, payload) in parts {
            let entry = Entry { place: bytes.len() as u32, length: payload.len() as u32, ..entry };
            if entry.kind == EntryKind::LogDelete {
                self.logs.remove(&entry.log);
            } else if entry.kind != EntryKind::Watermark && flags == 0 {
                let log = self.logs.entry(entry.log).or_default();
                log.apply(&entry, &payload, sequence, segment, 0).expect("fits");
                if entry.kind == EntryKind::LogStart {
                    self.waiting_starts.push((self.commits.len(), entry.log, log.start));
                }
            }
            bytes.extend_from_slice(&payload);
            if entry.kind == EntryKind::Batch {
                batches.push((entry.log, entry.base_offset, payload));
            }
            entries.push(entry);
        }
        let durable_upto = self.durable_upto();
        let header = CommitHeader {
            flags,
            shard: SHARD,
            entry_count: entries.len() as u32,
            segment,
            position,
            incarnation: self.incarnation,
            sequence,
            term: 0,
            durable_upto,
            length,
            table_place: bytes.len() as u32,
            directory_id: self.directory.id,
        };
        let mut table = Vec::new();
        encode_entries(&entries, &mut table);
        let mut head = [0; HEADER_BYTES];
        header.encode(&table, &mut head);
        bytes[..HEADER_BYTES].copy_from_slice(&head);
        bytes.extend_from_slice(&table);
        bytes.resize(length as usize, 0);
        self.write(Token(sequence.0), file, u64::from(place), &bytes);
        self.next_commit = sequence.next();
        self.place += length;
        let end = header.end();
        self.commits.push(Submitted { sequence, segment, place, end, durable_upto, batches, is_written: false });
        sequence
    }

    fn durable_upto(&self) -> JournalPosition {
        match self.durable {
            0 => self.written_before,
            durable => self.commits[durable - 1].end,
        }
    }

    /// Opens the next segment, in a dead segment's file if the rule of FORMAT.md allows it, and writes its checkpoint.
    fn roll(&mut self) {
        let sequence = self.segments.last().map_or(SegmentSequence(1), |(last, ..)| SegmentSequence(last.0 + 1));
        // As the journal does: the second segment begins when the first does so durably.
        if sequence == SegmentSequence(2)
            && self.commits.first().is_some_and(|commit| commit.segment.0 == 1)
            && self.durable == 0
        {
            self.settle();
        }
        let (slot, file) = if let Some(free) = self.free.pop().or_else(|| self.recyclable()) {
            free
        } else {
            let slot = self.next_slot;
            self.next_slot += 1;
            let bytes = self.directory.geometry.segment_bytes();
            (slot, self.io.create_file(&segment_file(slot), bytes).expect("created"))
        };
        let mut block = vec![0; BLOCK_BYTES];
        SegmentHeader {
            shard: SHARD,
            directory_id: self.directory.id,
            sequence,
            segment_bytes: self.directory.geometry.segment_bytes(),
            generation: 0,
            end_place: 0,
            incarnation: self.incarnation,
        }
        .encode(&mut block);
        let token = self.token(HEADER_TOKENS);
        self.write(token, file, 0, &block);
        self.headers_in_flight.insert(token, sequence);
        self.segments.push((sequence, slot, file));
        self.place = FIRST_COMMIT_PLACE;
        self.checkpoint();
    }

    /// The checkpoint as two commits, so that it can be cut in half.
    fn checkpoint(&mut self) {
        let (mut states, mut producers) = (Vec::new(), Vec::new());
        for (&log, state) in &self.logs {
            let mut payload = Vec::new();
            state.encode(&mut payload);
            let entry = Entry { base_offset: state.start, ..bare(EntryKind::LogState, log) };
            states.push((Entry { crc: checksum::crc32c(&payload), ..entry }, payload));
            let mut payload = Vec::new();
            encode_producers(&state.producers, &mut payload);
            producers.push((Entry { crc: checksum::crc32c(&payload), ..bare(EntryKind::Producers, log) }, payload));
        }
        self.commit(FLAG_CHECKPOINT, states);
        self.commit(FLAG_CHECKPOINT | FLAG_CHECKPOINT_END, producers);
    }

    fn recyclable(&mut self) -> Option<(u32, FileId)> {
        let proven = self.commits[..self.durable].last()?.durable_upto;
        let starts = &self.durable_starts;
        let live = |(id, log): (&LogId, &LogState)| {
            let start = starts.get(id).copied().unwrap_or_default();
            log.spans.iter().filter(move |span| span.last_offset >= start).map(|span| span.segment).collect::<Vec<_>>()
        };
        let used: BTreeSet<_> = self.logs.iter().flat_map(live).collect();
        let later = |segment: SegmentSequence| {
            self.directory.geometry.position(SegmentSequence(segment.0 + 1), FIRST_COMMIT_PLACE)
        };
        let found =
            self.segments.iter().position(|(segment, ..)| proven > later(*segment) && !used.contains(segment))?;
        let (_, slot, file) = self.segments.remove(found);
        Some((slot, file))
    }

    fn write(&mut self, token: Token, file: FileId, position: u64, content: &[u8]) {
        let mut buffer = self.io.buffer(content.len());
        buffer[..content.len()].copy_from_slice(content);
        let data: Bytes = buffer.into_bytes().slice(..content.len());
        self.io.submit(token, Op::Write { file, position, data });
        self.io.start();
        self.unflushed.insert(file);
    }

    fn token(&mut self, base: u64) -> Token {
        self.next_token += 1;
        Token(base + self.next_token)
    }
}

fn bare(kind: EntryKind, log: LogId) -> Entry {
    Entry {
        kind,
        log,
        base_offset: Offset(0),
        last_offset_delta: 0,
        count: 0,
        leader_epoch: 0,
        max_timestamp: 0,
        place: 0,
        length: 0,
        crc: 0,
    }
}
