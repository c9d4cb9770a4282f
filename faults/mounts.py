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

    def mount(self, name, image, file_system):
        point = self.directory / f"{name}.mount"
        point.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", file_system, "-o", OPTIONS[file_system], image, point], check=True)
        return point

    def unmount(self, name):
        subprocess.run(["umount", self.directory / f"{name}.mount"], check=True)


def clean_up(directory):
    """Takes away whatever an earlier run left below a directory."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in reversed([point for point in points if point.startswith(f"{directory}/")]):
        subprocess.run(["umount", "--lazy", point], check=False)
    shutil.rmtree(directory, ignore_errors=True)
