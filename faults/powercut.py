"""A power cut: an atomic copy of the disk of a running broker, taken at a random moment, on which another broker starts.

The broker's data lies on a file system in an image file, and that on btrfs, whose reflink copies the image in a few milliseconds. What the
file system had not been asked to write is not in the copy, as after a power cut. What it was asked to write is, in order: a disk that
loses or reorders unflushed writes is the simulation's matter.
"""

import subprocess
import time

from load import Load, create_topics, watch_high_watermarks
from mounts import Mounts
from steps import check_what_is_left

OUTER_BYTES = 6 << 30
INNER_BYTES = 1 << 30
FILE_SYSTEMS = ["ext4", "xfs"]
# What the load has written by then fits the disk, and is read again in each of them.
ROUNDS_ON_A_DISK = 8


def rounds(make_broker, directory, ledger_of, random, count):
    """Yields a line a round; half of the rounds on each file system."""
    for at, file_system in enumerate(FILE_SYSTEMS):
        share = (count + 1 - at) // len(FILE_SYSTEMS)
        for first in range(0, share, ROUNDS_ON_A_DISK):
            where, rounds_here = directory / f"{file_system}-{first}", min(ROUNDS_ON_A_DISK, share - first)
            yield from on_file_system(make_broker, where, ledger_of(), random, rounds_here, file_system)


def on_file_system(make_broker, directory, ledger, random, count, file_system):
    with Mounts(directory) as mounts:
        outer = mounts.image("outer", OUTER_BYTES, "btrfs", directory)
        disk = mounts.image("disk", INNER_BYTES, file_system, outer)
        broker = make_broker(disk / "broker")
        broker.start()
        try:
            create_topics(broker.bootstrap)
            load = Load(broker.bootstrap, ledger, random).start()
            for _ in range(count):
                time.sleep(random.uniform(0.1, 1.5))
                watch_high_watermarks(broker.bootstrap, ledger)
                load.check()
                # Whatever is in this copy of the ledger was acknowledged before the copy of the disk began.
                before = ledger.copy()
                subprocess.run(["cp", "--reflink=always", outer / "disk.img", outer / "cut.img"], check=True)
                cut = mounts.mount("cut", outer / "cut.img", file_system)
                other = make_broker(cut / "broker", directory / "cut-files")
                try:
                    read = check_what_is_left(other, before)
                finally:
                    mounts.unmount("cut")
                    (outer / "cut.img").unlink()
                yield f"{file_system}: {before.count()} acknowledged, {read} read, start {other.start_seconds * 1000:.0f} ms"
            load.stop()
            broker.stop()
        finally:
            broker.end()
