"""A disk that fails or stalls when told: one file over FUSE, spoken to the kernel without a library, to put a loop device on.

Runs as a process of its own (`faulty_disk.py BACKING MOUNT_POINT SWITCH`): the kernel may wait for it while it holds whoever mounted it. The first
byte of the file SWITCH says what happens to requests from now on.
"""

import ctypes
import errno
import mmap
import os
import struct
import sys
import threading

HEALTHY, FAIL_WRITES, FAIL_FLUSHES, FAIL_READS, STALL = b"\0", b"w", b"f", b"r", b"s"
FILE_NAME = "disk"

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


class Disk:
    def __init__(self, backing, device, switch):
        self.backing, self.device, self.switch = backing, device, switch

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
            threading.Event().wait(STALL_LOOK_SECONDS)
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
            _handle, offset, size = struct.unpack_from("<QQI", body)
            return struct.pack("<II", os.pwrite(self.backing, body[40:40 + size], offset), 0)
        if opcode == STATFS:
            return struct.pack("<5Q4I24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if opcode in (FSYNC, FLUSH, RELEASE, ACCESS, DESTROY):
            return b""
        raise OSError(errno.ENOSYS, "not a disk's matter")

    def attributes(self, node):
        size = os.fstat(self.backing).st_size if node == FILE else 0
        mode = 0o100600 if node == FILE else 0o40700
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def main(backing, point, switch):
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"faulty-disk", point.encode(), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount fuse")
    with open(switch, "rb") as file:
        told = mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ)
    disk = Disk(os.open(backing, os.O_RDWR), device, told)
    threads = [threading.Thread(target=disk.serve) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
