"""A power cut of a disk with a volatile cache: what was not flushed is there in part, in any order, and torn. Another broker starts on what is left."""

from bad_disk import BadDisk
from steps import check_what_is_left, under_load


def rounds(make_broker, directory, ledger_of, random, count):
    """Yields a line a round, each on a disk of its own."""
    for number in range(count):
        where = directory / str(number)
        where.mkdir()
        yield cut(make_broker, where, ledger_of(), random)


def cut(make_broker, directory, ledger, random):
    with BadDisk(directory / "bad", random.getrandbits(32)) as disk:
        broker = make_broker(disk.path / "broker", directory / "files")
        broker.start()
        try:
            load = under_load(broker, ledger, random)
            # Whatever is in this copy of the ledger was acknowledged before the cut.
            before = ledger.copy()
            unflushed, survived = disk.cut_power()
            load.abandon()
        finally:
            broker.end()
        other = make_broker(disk.mount_what_is_left() / "broker", directory / "left-files")
        read = check_what_is_left(other, before)
        return (f"{before.count()} acknowledged, {read} read; {survived} of {unflushed} unflushed writes survived, "
                f"start {other.start_seconds * 1000:.0f} ms")
