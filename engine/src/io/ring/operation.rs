//! One operation of the ring: what the kernel is asked next, and what its answer means.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use bytes::Bytes;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{opcode, squeue};

use crate::io::Token;
use crate::io::buffer::AlignedBuffer;
use crate::limits::RING_RETRIES_MAX;

/// An operation that is not over.
pub(super) struct Operation {
    pub token: Token,
    pub file: Rc<File>,
    pub work: Work,
    pub position: u64,
    pub length: u64,
    pub done: u64,
    pub retries: u32,
    pub generation: u32,
}

/// When a write is on stable storage.
#[derive(Clone, Copy)]
pub(super) enum Durability {
    /// With the flush that follows it.
    Later,
    /// With its own completion.
    AtOnce,
}

/// What it does, with the memory that it does it in.
pub(super) enum Work {
    Write(Bytes, Durability),
    Zeroes,
    Read(AlignedBuffer),
    Sync,
}

impl Operation {
    /// The next step of this operation for the kernel.
    pub fn entry(&mut self, zeroes: &AlignedBuffer) -> squeue::Entry {
        let descriptor = Fd(self.file.as_raw_fd());
        let position = self.position + self.done;
        let left = (self.length - self.done) as usize;
        let done = self.done as usize;
        match &mut self.work {
            Work::Write(data, durability) => {
                let flags = match durability {
                    Durability::Later => 0,
                    Durability::AtOnce => libc::RWF_DSYNC,
                };
                let write = opcode::Write::new(descriptor, data[done..].as_ptr(), left as u32);
                write.offset(position).rw_flags(flags).build()
            }
            Work::Zeroes => {
                let step = left.min(zeroes.len()) as u32;
                opcode::Write::new(descriptor, zeroes.as_ptr(), step).offset(position).build()
            }
            Work::Read(buffer) => {
                opcode::Read::new(descriptor, buffer[done..].as_mut_ptr(), left as u32).offset(position).build()
            }
            Work::Sync => opcode::Fsync::new(descriptor).flags(FsyncFlags::DATASYNC).build(),
        }
    }

    /// Takes a kernel result in. None: there is more to do. A write that is durable by itself may be tried again where a flush may not: its data is
    /// written anew, and nothing that an earlier try lost is believed to be there.
    pub fn advance(&mut self, result: i32) -> Option<io::Result<()>> {
        if let Work::Sync = self.work {
            // Whatever a flush reports is final: the kernel may have dropped what it could not write (reliability 0.3).
            return Some(error_of(result));
        }
        match result {
            1.. => {
                self.done += u64::from(result.unsigned_abs());
                assert!(self.done <= self.length);
                (self.done == self.length).then_some(Ok(()))
            }
            0 if self.length == 0 => Some(Ok(())),
            0 => Some(Err(io::Error::from(match self.work {
                Work::Read(_) => io::ErrorKind::UnexpectedEof,
                _ => io::ErrorKind::WriteZero,
            }))),
            _ if self.retries < RING_RETRIES_MAX && is_continuation(-result) => {
                self.retries += 1;
                None
            }
            _ => Some(error_of(result)),
        }
    }
}

fn is_continuation(errno: i32) -> bool {
    errno == libc::EINTR || errno == libc::EAGAIN
}

fn error_of(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(())
}
