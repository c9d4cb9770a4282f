"""Image files with file systems in them, mounted as long as they are needed, and always taken away again."""

import os
import shutil
import subprocess
from pathlib import Path

MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}
# A copy of a file system has the identity of its original, which xfs refuses to mount beside it.
OPTIONS = {"xfs": "loop,nouuid", "ext4": "loop", "btrfs": "loop"}


def missing():
    """What a mount needs and is not there; None if nothing is."""
    if os.geteuid() != 0:
        return "root"
    if not Path("/dev/loop-control").exists():
        return "/dev/loop-control"
    for command in ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs"):
        if shutil.which(command) is None:
            return command
    return None
WRITTEN_AT_ONCE = 16 << 20


class Mounts:
    """Mount points below a directory; leaving the context unmounts all, newest first, and removes the directory."""

    def __init__(self, directory):
        self.directory, self.mounted = directory, []

    def __enter__(self):
        clean_up(self.directory)
        self.directory.mkdir(parents=True)
        return self

    def __exit__(self, *_):
        clean_up(self.directory)

    def image(self, name, bytes_, file_system, where):
        """Makes a sparse image file in a directory, and mounts it."""
        image = where / f"{name}.img"
        with open(image, "wb") as file:
            file.truncate(bytes_)
        subprocess.run([*MAKE[file_system], image], check=True, stdout=subprocess.DEVNULL)
        return self.mount(name, image, file_system)

    def fast_image(self, name, bytes_, file_system, where):
        """As near to a disk as a file gets: all of it written before, and not in the page cache a second time."""
        image = where / f"{name}.img"
        with open(image, "wb") as file:
            for _ in range(bytes_ // WRITTEN_AT_ONCE):
                file.write(bytes(WRITTEN_AT_ONCE))
            os.fsync(file.fileno())
        subprocess.run([*MAKE[file_system], "-E", "nodiscard", image], check=True, stdout=subprocess.DEVNULL)
        device = subprocess.run(["losetup", "--direct-io=on", "--show", "--find", image], check=True, capture_output=True, text=True).stdout.strip()
        try:
            return self.mount(name, device, file_system, "noatime")
        finally:
            # It stays as long as it is mounted.
            subprocess.run(["losetup", "--detach", device], check=True)

    def mount(self, name, image, file_system, options=None):
        point = self.directory / f"{name}.mount"
        point.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", file_system, "-o", options or OPTIONS[file_system], image, point], check=True)
        return point

    def unmount(self, name):
        subprocess.run(["umount", self.directory / f"{name}.mount"], check=True)


def clean_up(directory):
    """Takes away whatever an earlier run left below a directory."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in reversed([point for point in points if point.startswith(f"{directory}/")]):
        subprocess.run(["umount", "--lazy", point], check=False)
    shutil.rmtree(directory, ignore_errors=True)
