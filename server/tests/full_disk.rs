//! A disk runs full under a broker: producers are told to try again, everybody else is served, and it ends by itself.

mod broker;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use broker::requests::{commit, committed, delete_topic};
use broker::transactions::{Producer, fetch_committed, status};
use broker::{Broker, Client, batch, directory, values};
use protocol::error_code::ErrorCode;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// Small segments, so that a small disk holds many; the state logs are looked at often.
const SETTINGS: &[&str] = &["posthaste.segment.bytes=1048576", "posthaste.snapshot.check.interval.ms=20"];

/// A small ext4 of its own, in a file. Dropping it takes it away.
struct SmallDisk {
    files: TempDir,
}

impl SmallDisk {
    /// None where nothing may be mounted.
    fn new(bytes: u64) -> Option<SmallDisk> {
        let files = directory();
        let image = files.path().join("image");
        std::fs::File::create(&image).and_then(|file| file.set_len(bytes)).expect("a sparse file");
        let disk = SmallDisk { files };
        std::fs::create_dir(disk.mount_point()).expect("a directory");
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        let mounted =
            made.and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(disk.mount_point())));
        match mounted {
            Ok(()) => Some(disk),
            Err(reason) => {
                eprintln!("SKIPPED: no file system can be mounted here, so no disk runs full: {reason}");
                None
            }
        }
    }

    fn mount_point(&self) -> PathBuf {
        self.files.path().join("disk")
    }

    /// Makes `data` a directory on this disk.
    fn hold(&self, data: &Path) {
        let held = self.mount_point().join("data");
        std::fs::create_dir(&held).expect("a directory");
        std::os::unix::fs::symlink(held, data).expect("a link");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The ring of a killed broker may hold its files a moment longer: the mount goes when they do.
        let _ = run(Command::new("umount").arg("--lazy").arg(self.mount_point()));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

fn large(stamp: usize) -> String {
    format!("{stamp}-{}", "x".repeat(50_000))
}

/// Produces to a partition until it is refused; gives what was acked.
fn fill(client: &mut Client, topic: &str, partition: i32) -> Vec<(i64, String)> {
    let mut acked = Vec::new();
    loop {
        let value = large(acked.len());
        match client.produce(topic, partition, &batch(&[&value])) {
            (0, offset) => acked.push((offset, value)),
            (error, _) => {
                assert_eq!(error, ErrorCode::KafkaStorageError.code(), "clients try this again");
                return acked;
            }
        }
    }
}

fn read_all(client: &mut Client, topic: &str, partition: i32) -> Vec<(i64, String)> {
    let mut found: Vec<(i64, String)> = Vec::new();
    loop {
        let next = found.last().map_or(0, |(offset, _)| offset + 1);
        let (error, high_watermark, bytes) = client.fetch(topic, partition, next);
        assert_eq!(error, 0);
        if next == high_watermark {
            return found;
        }
        found.extend(values(&bytes));
    }
}

#[test]
fn a_full_disk_refuses_producers_alone_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::new(96 * MIB) else { return };
    let mut broker = Broker::start_on(|data| disk.hold(data), SETTINGS);
    let mut client = broker.connect();
    for topic in ["t", "kept"] {
        // Its records are of 2023.
        assert_eq!(client.create_topic(topic, 2, &[("retention.ms", "-1")]), 0);
    }
    for partition in 0..2 {
        assert_eq!(client.produce("kept", partition, &batch(&["early"])), (0, 0));
    }
    let filled: Vec<_> = (0..2).map(|partition| fill(&mut client, "t", partition)).collect();
    assert!(filled.iter().map(Vec::len).sum::<usize>() > 1_000, "most of the disk was used");
    broker.wait_for_log(&["WARN", "little space is left on the disk", "shard=0"]);
    broker.wait_for_log(&["WARN", "no room for another journal segment", "shard=1"]);

    for round in 0..2 {
        // Far more than fits the reserve, which goes round.
        for at in 0..1_200 {
            let group = format!("group-{}", at % 20);
            assert_eq!(commit(&mut client, &group, 0, round * 10_000 + at, "a note"), 0);
        }
        for (partition, acked) in (0..).zip(&filled) {
            assert_eq!(read_all(&mut client, "t", partition), *acked);
            let small = client.produce("kept", partition, &batch(&["x"]));
            assert_eq!(small.0, ErrorCode::KafkaStorageError.code(), "small ones do not slip in");
        }
        broker.kill_and_restart();
        client = broker.connect();
        for at in 0..20 {
            let newest = round * 10_000 + 1_180 + at;
            assert_eq!(committed(&mut client, &format!("group-{at}")), [(0, newest, "a note".to_owned())]);
        }
    }

    assert_eq!(client.create_topic("made-on-a-full-disk", 1, &[]), 0);
    assert_eq!(delete_topic(&mut client, "t"), 0);
    for partition in 0..2 {
        // Clients try again, and at some time it works.
        while client.produce("kept", partition, &batch(&["late"])).0 == ErrorCode::KafkaStorageError.code() {}
        let kept = read_all(&mut client, "kept", partition);
        assert_eq!(kept, [(0, "early".to_owned()), (1, "late".to_owned())]);
    }
    broker.wait_for_log(&["INFO", "there is room for the journal again", "shard=0"]);
    broker.wait_for_log(&["INFO", "there is space on the disk again", "shard=1"]);
    broker.kill_and_restart();
    client = broker.connect();
    for partition in 0..2 {
        assert_eq!(read_all(&mut client, "kept", partition).len(), 2);
        assert!(client.produce("made-on-a-full-disk", 0, &batch(&["x"])).0 == 0);
    }
}

#[test]
fn a_commit_that_is_decided_on_a_full_disk_is_carried_through_when_there_is_room_also_by_the_next_start() {
    let Some(disk) = SmallDisk::new(64 * MIB) else { return };
    let mut broker = Broker::start_on(|data| disk.hold(data), SETTINGS);
    let mut client = broker.connect();
    for topic in ["t", "kept"] {
        assert_eq!(client.create_topic(topic, 2, &[("retention.ms", "-1")]), 0);
    }
    let mut producer = Producer::start(&broker, "orders");
    for partition in 0..2 {
        producer.write("kept", partition, &["decided"]);
        fill(&mut client, "t", partition);
    }
    assert_eq!(producer.end(true), 0, "the decision fits the reserve, and stands");
    broker.wait_for_log(&["WARN", "markers must wait"]);
    for _ in 0..2 {
        assert_eq!(status(&mut client, "orders").as_deref(), Ok("PrepareCommit"));
        assert_eq!(fetch_committed(&mut client, "kept", 0, 0, 0).last_stable_offset, 0);
        broker.kill_and_restart();
        client = broker.connect();
    }
    assert_eq!(delete_topic(&mut client, "t"), 0);
    let give_up = Instant::now() + Duration::from_secs(60);
    while status(&mut client, "orders").as_deref() != Ok("CompleteCommit") {
        assert!(Instant::now() < give_up, "the markers are never written");
    }
    for partition in 0..2 {
        let seen = fetch_committed(&mut client, "kept", partition, 0, 0);
        assert_eq!((seen.last_stable_offset, seen.values), (2, vec![(0, "decided".to_owned())]));
    }
}
