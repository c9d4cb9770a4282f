"""The file system of a broker on a disk that fails or stalls when told: ext4, on a loop device, on the one file of `faulty_disk.py`."""

import subprocess
import sys
import time
from pathlib import Path

from faulty_disk import FILE_NAME, HEALTHY
from harness.brokers import die_with_parent
from mounts import MAKE, Mounts

DISK_BYTES = 512 << 20
APPEAR_SECONDS_MAX = 20
RELEASE_SECONDS_MAX = 20


class BadDisk:
    """Mounted within its context; `tell` changes how the disk behaves from now on."""

    def __init__(self, directory):
        self.mounts, self.directory, self.process = Mounts(directory), directory, None

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
        self.process = subprocess.Popen([sys.executable, Path(__file__).with_name("faulty_disk.py"), backing, point, self.switch],
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        give_up = time.monotonic() + APPEAR_SECONDS_MAX
        while not (point.is_mount() and (point / FILE_NAME).exists()):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError("the faulty disk does not appear")
            time.sleep(0.01)
        self.mount()

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
