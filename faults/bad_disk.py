"""The file system of a broker on a disk that fails, stalls or loses its power when told: ext4, on a loop device, on the one file of `faulty_disk.py`."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from faulty_disk import CUT, CUT_DONE, FILE_NAME, HEALTHY
from harness.brokers import die_with_parent
from mounts import MAKE, Mounts

DISK_BYTES = 512 << 20
APPEAR_SECONDS_MAX = 20
RELEASE_SECONDS_MAX = 20


class BadDisk:
    """Mounted within its context; `tell` changes how the disk behaves from now on. With a seed it has a volatile cache."""

    def __init__(self, directory, cache_seed=None):
        self.mounts, self.directory, self.process, self.cache_seed = Mounts(directory), directory, None, cache_seed

    def __enter__(self):
        self.mounts.__enter__()
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # A stalled disk would hold the unmount for ever.
        self.tell(HEALTHY)
        self.mounts.__exit__()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def make(self):
        backing, point = self.directory / "backing.img", self.directory / "fuse.mount"
        point.mkdir()
        with open(backing, "wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run([*MAKE["ext4"], backing], check=True, stdout=subprocess.DEVNULL)
        self.tell(HEALTHY)
        cache = []
        if self.cache_seed is not None:
            shutil.copyfile(backing, self.durable)
            cache = [self.durable, str(self.cache_seed)]
        self.process = subprocess.Popen([sys.executable, Path(__file__).with_name("faulty_disk.py"), backing, point, self.switch, *cache],
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.wait_for(lambda: point.is_mount() and (point / FILE_NAME).exists(), "the faulty disk does not appear")
        self.mount()

    def wait_for(self, is_so, otherwise):
        give_up = time.monotonic() + APPEAR_SECONDS_MAX
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(otherwise)
            time.sleep(0.01)

    def cut_power(self):
        """From now on every request fails. Gives how many writes were not flushed and how many of them survived."""
        self.tell(CUT)
        done = self.directory / CUT_DONE
        self.wait_for(lambda: done.exists() and done.read_text(), "nothing asked the disk for anything after its power was cut")
        return done.read_text().split()

    def mount_what_is_left(self):
        """What is on the medium after a power cut, on a disk that works."""
        return self.mounts.mount("left", self.durable, "ext4")

    @property
    def durable(self):
        return self.directory / "durable.img"

    @property
    def switch(self):
        return self.directory / "switch"

    def tell(self, behaviour):
        if self.directory.exists():
            # In place: the disk has the file mapped.
            with open(self.switch, "r+b" if self.switch.exists() else "wb") as file:
                file.write(behaviour)

    def mount(self):
        self.path = self.mounts.mount("disk", self.directory / "fuse.mount" / FILE_NAME, "ext4")

    def remount(self):
        """As after a repair: the file system recovers from its own journal."""
        give_up = time.monotonic() + RELEASE_SECONDS_MAX
        while True:
            try:
                self.mounts.unmount("disk")
                break
            except subprocess.CalledProcessError:
                # The ring of a process that just ended holds its files for a moment.
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
        self.mount()
