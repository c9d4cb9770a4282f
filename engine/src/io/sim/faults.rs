//! What goes wrong on a simulated disk, with which odds, and how often it did.

use std::collections::BTreeMap;

/// What goes wrong, in cases of a thousand. The default is a perfect disk that reorders.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Completions come in any order; else as submitted.
    pub reorder: bool,
    /// A step passes and nothing completes.
    pub delay: u64,
    /// The disk stalls: nothing completes for up to a second.
    pub stall: u64,
    /// A read fails (EIO).
    pub read_error: u64,
    /// A write fails (EIO), and any subset of its sectors is on the disk.
    pub write_error: u64,
    /// A flush fails (EIO), and what it covered never becomes durable, whatever a later flush says.
    pub sync_error: u64,
    /// A file cannot be created because the disk is full, though it is not.
    pub disk_full: u64,
    /// A file cannot be created (EIO).
    pub create_error: u64,
    /// A read gives a flipped bit; the next one may not.
    pub read_flip: u64,
    /// A flush says that it is done and makes nothing durable. No promise holds on such a disk: it shows that a checker notices.
    pub lying_flush: u64,
    /// A block of a write lands on another block of its file.
    pub misdirected_write: u64,
    /// A block of a write lands on another block of its file too.
    pub duplicated_write: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            reorder: true,
            delay: 0,
            stall: 0,
            read_error: 0,
            write_error: 0,
            sync_error: 0,
            disk_full: 0,
            create_error: 0,
            read_flip: 0,
            lying_flush: 0,
            misdirected_write: 0,
            duplicated_write: 0,
        }
    }
}

/// A kind of fault that strikes by odds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "they are the fields of Faults")]
pub enum Fault {
    Delay,
    Stall,
    ReadError,
    WriteError,
    SyncError,
    DiskFull,
    CreateError,
    ReadFlip,
    LyingFlush,
    MisdirectedWrite,
    DuplicatedWrite,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 11] = [
        Fault::Delay,
        Fault::Stall,
        Fault::ReadError,
        Fault::WriteError,
        Fault::SyncError,
        Fault::DiskFull,
        Fault::CreateError,
        Fault::ReadFlip,
        Fault::LyingFlush,
        Fault::MisdirectedWrite,
        Fault::DuplicatedWrite,
    ];
}

impl Faults {
    /// The odds of a kind.
    pub(super) fn odds(&self, fault: Fault) -> u64 {
        match fault {
            Fault::Delay => self.delay,
            Fault::Stall => self.stall,
            Fault::ReadError => self.read_error,
            Fault::WriteError => self.write_error,
            Fault::SyncError => self.sync_error,
            Fault::DiskFull => self.disk_full,
            Fault::CreateError => self.create_error,
            Fault::ReadFlip => self.read_flip,
            Fault::LyingFlush => self.lying_flush,
            Fault::MisdirectedWrite => self.misdirected_write,
            Fault::DuplicatedWrite => self.duplicated_write,
        }
    }
}

/// How often each kind struck.
pub type FaultCounts = BTreeMap<Fault, u64>;
