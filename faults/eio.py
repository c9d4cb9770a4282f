"""A disk that fails a write or a flush of a broker under load: the process stops by itself, and after the repair nothing acknowledged is lost."""

import subprocess

from bad_disk import BadDisk
from faulty_disk import FAIL_FLUSHES, FAIL_WRITES, HEALTHY
from ledger import Check
from load import TOPICS, promised
from steps import under_load

EXIT_JOURNAL_FAILED = 74
STOP_SECONDS_MAX = 60


def rounds(make_broker, directory, ledger_of, random, count):
    """Yields a line a round, each on a disk of its own; flushes and writes fail turn about."""
    for number in range(count):
        failing, name = [(FAIL_FLUSHES, "flushes"), (FAIL_WRITES, "writes")][number % 2]
        where = directory / str(number)
        where.mkdir()
        yield f"{name} failed: {fail(make_broker, where, ledger_of(), random, failing)}"


def fail(make_broker, directory, ledger, random, failing):
    with BadDisk(directory / "bad") as disk:
        broker = make_broker(disk.path / "broker", directory / "files")
        broker.start()
        try:
            load = under_load(broker, ledger, random)
            logged = len(broker.log_text())
            disk.tell(failing)
            line = stopped(broker, logged)
            # All that was acknowledged before the end, also while the disk already failed.
            before = ledger.copy()
            disk.tell(HEALTHY)
            disk.remount()
            broker.start()
            # Not beside the load: the check would read as fast as that writes, on a disk without a cache.
            load.stop()
            read = Check(broker.bootstrap, before, TOPICS, promised("power")).run()
            broker.stop()
            return f"{before.count()} acknowledged, {read} read; {line}"
        finally:
            disk.tell(HEALTHY)
            broker.end()


def stopped(broker, logged):
    """The line that says why; the process must end by itself, with the code that means a failed journal."""
    try:
        status = broker.process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise AssertionError("the broker goes on with a disk that fails") from None
    broker.process = None
    lines = broker.log_text()[logged:].strip().splitlines()
    assert status == EXIT_JOURNAL_FAILED, f"the broker ended with {status}: {lines[-3:]}"
    said = [line for line in lines if line.startswith("posthaste: ")]
    assert len(said) == 1 and lines[-1] == said[0], f"one line must say why, and be the last: {lines[-3:]}"
    return said[0]
