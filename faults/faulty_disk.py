"""A disk that fails, stalls or loses its power when told: one file over FUSE, spoken to the kernel without a library, to put a loop device on.

Runs as a process of its own (`faulty_disk.py BACKING MOUNT_POINT SWITCH [DURABLE SEED]`): the kernel may wait for it while it holds whoever mounted
it. The first byte of the file SWITCH says what happens to requests from now on. With DURABLE, a copy of BACKING, it has a volatile cache: writes
reach that file when they are flushed. At a power cut some of the others do, whole or torn, and the file CUT_DONE appears beside SWITCH.
"""

import collections
import ctypes
import errno
import mmap
import os
import random
import struct
import sys
import threading
import time
from pathlib import Path

HEALTHY, FAIL_WRITES, FAIL_FLUSHES, FAIL_READS, STALL, CUT = b"\0", b"w", b"f", b"r", b"s", b"c"
FILE_NAME = "disk"
CUT_DONE = "cut-done"

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 20, 25, 26, 34, 36, 38, 42
UNANSWERED = {FORGET, BATCH_FORGET, INTERRUPT}
ROOT, FILE = 1, 2
FAILS = {WRITE: FAIL_WRITES, FSYNC: FAIL_FLUSHES, READ: FAIL_READS}
WRITE_BYTES_MAX = 128 << 10
REQUEST_BYTES_MAX = 1 << 20
OPEN_DIRECT_IO = 1
# As many requests may stall while others are still answered; a loop device has fewer on their way.
THREADS = 64
STALL_LOOK_SECONDS = 0.01
# What a volatile cache holds; beyond it the oldest writes reach the medium by themselves.
CACHE_BYTES_MAX = 64 << 20
# Long enough that others write meanwhile.
FLUSH_SECONDS = 0.01
SECTOR_BYTES = 512


class VolatileCache:
    """Writes that no flush has made durable, and the file that has only those that one did."""

    def __init__(self, durable, seed, done):
        self.durable, self.random, self.done = durable, random.Random(seed), done
        self.pending, self.bytes, self.is_cut, self.lock = collections.deque(), 0, False, threading.Lock()
        # Writes so far, and of these those that are on the medium.
        self.written, self.durable_upto = 0, 0

    def write(self, offset, data):
        with self.lock:
            if self.is_cut:
                return
            self.pending.append((offset, data))
            self.written += 1
            self.bytes += len(data)
            while self.bytes > CACHE_BYTES_MAX:
                self.write_back()

    def write_back(self):
        offset, data = self.pending.popleft()
        self.durable_upto += 1
        self.bytes -= len(data)
        os.pwrite(self.durable, data, offset)

    def flush(self):
        upto = self.written
        time.sleep(FLUSH_SECONDS)
        with self.lock:
            if self.is_cut:
                raise OSError(errno.EIO, "no power")
            while self.durable_upto < upto:
                self.write_back()

    def cut(self):
        """Any subset of what was not flushed is there, in any order, some of it in part."""
        with self.lock:
            if self.is_cut:
                return
            self.is_cut = True
            kept = [write for write in self.pending if self.random.random() < 0.5]
            self.random.shuffle(kept)
            for offset, data in kept:
                torn = self.random.random() < 0.3
                for at in range(0, len(data), SECTOR_BYTES):
                    if not torn or self.random.random() < 0.5:
                        os.pwrite(self.durable, data[at:at + SECTOR_BYTES], offset + at)
            self.done.write_text(f"{len(self.pending)} {len(kept)}")


class Disk:
    def __init__(self, backing, device, switch, cache):
        self.backing, self.device, self.switch, self.cache = backing, device, switch, cache

    def serve(self):
        while True:
            try:
                request = os.read(self.device, REQUEST_BYTES_MAX)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                # Unmounted.
                return
            _length, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode in UNANSWERED:
                continue
            try:
                body, status = self.answer(opcode, node, request[40:]), 0
            except OSError as error:
                body, status = b"", -error.errno
            try:
                os.write(self.device, struct.pack("<IiQ", 16 + len(body), status, unique) + body)
            except OSError:
                # The request was given up by the kernel.
                pass

    def now(self):
        return self.switch[0:1]

    def answer(self, opcode, node, body):
        while self.now() == STALL and opcode in (WRITE, FSYNC):
            time.sleep(STALL_LOOK_SECONDS)
        if self.now() == CUT:
            if opcode == WRITE:
                # The power goes in the middle of it.
                self.cache.write(*written(body))
            self.cache.cut()
            raise OSError(errno.EIO, "no power")
        if self.now() == FAILS.get(opcode):
            raise OSError(errno.EIO, "as told")
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, THREADS, THREADS, WRITE_BYTES_MAX, 1, 0, 0, 0)
        if opcode == LOOKUP:
            if body.rstrip(b"\0") != FILE_NAME.encode():
                raise OSError(errno.ENOENT, "one file")
            return struct.pack("<QQQQII", FILE, 0, 1, 1, 0, 0) + self.attributes(FILE)
        if opcode in (GETATTR, SETATTR):
            return struct.pack("<QII", 1, 0, 0) + self.attributes(node)
        if opcode == OPEN:
            return struct.pack("<QII", 0, OPEN_DIRECT_IO, 0)
        if opcode == READ:
            _handle, offset, size = struct.unpack_from("<QQI", body)
            return os.pread(self.backing, size, offset)
        if opcode == WRITE:
            offset, data = written(body)
            if self.cache:
                self.cache.write(offset, data)
            return struct.pack("<II", os.pwrite(self.backing, data, offset), 0)
        if opcode == STATFS:
            return struct.pack("<5Q4I24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if opcode == FSYNC and self.cache:
            self.cache.flush()
        if opcode in (FSYNC, FLUSH, RELEASE, ACCESS, DESTROY):
            return b""
        raise OSError(errno.ENOSYS, "not a disk's matter")

    def attributes(self, node):
        size = os.fstat(self.backing).st_size if node == FILE else 0
        mode = 0o100600 if node == FILE else 0o40700
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def written(body):
    """Place and bytes of a write request."""
    _handle, offset, size = struct.unpack_from("<QQI", body)
    return offset, body[40:40 + size]


def main(backing, point, switch, durable=None, seed=None):
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"faulty-disk", point.encode(), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount fuse")
    with open(switch, "rb") as file:
        told = mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ)
    cache = VolatileCache(os.open(durable, os.O_RDWR), int(seed), Path(switch).with_name(CUT_DONE)) if durable else None
    disk = Disk(os.open(backing, os.O_RDWR), device, told, cache)
    threads = [threading.Thread(target=disk.serve) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
