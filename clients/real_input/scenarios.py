"""Real input: at least 100 MB of source text that this machine has anyway, line by line through real clients.

First pass: kcat writes the lines and reads them back, in order from 1 partition, as a multiset from 8. Second pass:
confluent-kafka writes numbered lines while the broker is killed and restarted; what was acknowledged is there once.
"""

import hashlib
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from confluent.session import QUIET, WAIT_SECONDS
from harness.paths import TARGET
from harness.scenarios import scenario
from harness.wire import Connection

INPUT = TARGET / "real-input.txt"
INPUT_BYTES_MIN = 100_000_000
LINE_BYTES_MAX = 100_000
KILLS = 2
FLUSH_SECONDS_MAX = 120
PARTITIONS = 4


def source_files():
    """The text files of the crates that cargo has downloaded, in an order that does not depend on the file system."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    wanted = {".rs", ".md", ".toml", ".c", ".h", ".txt", ".json", ".S", ".asm", ".py", ".sh"}
    registry = cargo / "registry" / "src"
    for path in sorted(registry.glob("*/*"), key=lambda path: path.name):
        yield from sorted(file for file in path.rglob("*") if file.suffix in wanted and file.is_file())


def real_input():
    """The file, made once: no empty lines, because kcat drops them; no line over the limit; other bytes as they are."""
    if INPUT.exists():
        return INPUT
    partial, written = INPUT.with_suffix(".partial"), 0
    with open(partial, "wb") as out:
        for file in source_files():
            for line in file.read_bytes().split(b"\n"):
                if line and len(line) <= LINE_BYTES_MAX:
                    written += out.write(line + b"\n")
            if written >= INPUT_BYTES_MIN:
                break
    assert written >= INPUT_BYTES_MIN, f"only {written} bytes of source: cargo fetch brings more"
    partial.rename(INPUT)
    return INPUT


def kcat(context, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
    command = ["kcat", "-b", context.bootstrap, "-m", "20", "-t", context.topic, *arguments]
    done = subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=280,
                          env={**os.environ, "KCAT_CONFIG": os.devnull})
    assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')[-2_000:]}"


def through_kcat(context, partitions):
    """(the file that went in, the file that came out)."""
    with Connection(context.bootstrap) as connection:
        connection.create_topic(context.topic, partitions)
    sent, got = real_input(), context.directory / "got.txt"
    spread = [] if partitions == 1 else ["-p", "-1"]
    with open(sent, "rb") as stdin:
        # Idempotence keeps a retry from reordering; partition -1 spreads the lines over all partitions.
        kcat(context, "-P", *spread, "-X", "enable.idempotence=true", "-X", "linger.ms=20",
             "-X", "sticky.partitioning.linger.ms=0", stdin=stdin)
    with open(got, "wb") as stdout:
        kcat(context, "-C", "-q", "-e", "-o", "beginning", "-f", r"%s\n", stdout=stdout)
    return sent, got


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@scenario(seconds_max=600)
def every_line_comes_back_in_order_from_1_partition(context):
    sent, got = through_kcat(context, 1)
    assert sent.stat().st_size == got.stat().st_size, f"{sent.stat().st_size} bytes in, {got.stat().st_size} out"
    assert digest(sent) == digest(got)
    got.unlink()


@scenario(seconds_max=600)
def every_line_comes_back_from_8_partitions(context):
    sent, got = through_kcat(context, 8)
    assert sent.stat().st_size == got.stat().st_size, f"{sent.stat().st_size} bytes in, {got.stat().st_size} out"
    with Connection(context.bootstrap) as connection:
        ends = [connection.fetch(context.topic, 0, index, 1)[1] for index in range(8)]
    assert all(ends), f"the lines are spread over all partitions: {ends}"
    assert counted(sent) == counted(got)
    got.unlink()


def counted(path):
    """How often each line occurs, by hash: a few bytes a line."""
    with open(path, "rb") as file:
        return Counter(hash(line) for line in file)


@scenario(seconds_max=600, restarts=True, each=[300_000])
def acknowledged_lines_survive_sigkill_exactly_once(context, lines):
    kill_while_producing(context, lines)


@scenario(tier=2, seconds_max=900, restarts=True)
def every_acknowledged_line_of_the_file_survives_sigkill_exactly_once(context):
    kill_while_producing(context, None)


def kill_while_producing(context, lines_max):
    with Connection(context.bootstrap) as connection:
        connection.create_topic(context.topic, PARTITIONS)
    with open(real_input(), "rb") as file:
        lines = [line[:-1] for _number, line in zip(range(lines_max or 1 << 62), file)]
    acknowledged = [None] * len(lines)
    kills = Kills(context.broker, len(lines))
    failures = produce_numbered(context, lines, acknowledged, kills)
    assert not failures, f"{len(failures)} lines failed, the first with {failures[0]}"
    assert kills.done == KILLS, f"the broker was killed {kills.done} times"
    check_stored(context, lines, acknowledged)


class Kills:
    """Kills and restarts the broker each time that another part of the lines was acknowledged."""

    def __init__(self, broker, lines):
        self.broker, self.marks = broker, [lines * part // (KILLS + 1) for part in range(1, KILLS + 1)]
        self.acknowledged, self.done = 0, 0

    def step(self):
        """The producer's own threads go on sending meanwhile."""
        if self.done < KILLS and self.acknowledged >= self.marks[self.done]:
            self.broker.kill()
            self.broker.start()
            self.done += 1


def produce_numbered(context, lines, acknowledged, kills):
    """Sends "number:line" to partition number mod 4; fills in each acknowledged offset; the failures."""
    producer = Producer({"bootstrap.servers": context.bootstrap, "enable.idempotence": True, "linger.ms": 5,
                         "log_level": QUIET, "reconnect.backoff.max.ms": 500})
    failures = []

    def on_delivery(error, message):
        if error is not None:
            failures.append(error)
            return
        number = int(message.value().split(b":", 1)[0])
        assert acknowledged[number] is None, f"line {number} was acknowledged twice"
        acknowledged[number] = (message.partition(), message.offset())
        kills.acknowledged += 1

    for number, line in enumerate(lines):
        while True:
            try:
                producer.produce(context.topic, b"%d:%b" % (number, line), partition=number % PARTITIONS,
                                 on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 100 == 0:
            producer.poll(0)
            kills.step()
    deadline = time.monotonic() + FLUSH_SECONDS_MAX
    while len(producer) > 0:
        assert time.monotonic() < deadline, f"{len(producer)} lines have no answer"
        producer.poll(0.1)
        kills.step()
    return failures


def check_stored(context, lines, acknowledged):
    """Every line once, at its acknowledged offset, in order within its partition, and nothing else."""
    assert all(where is not None for where in acknowledged)
    consumer = Consumer({"bootstrap.servers": context.bootstrap, "group.id": context.group, "log_level": QUIET})
    everywhere = [TopicPartition(context.topic, index, OFFSET_BEGINNING) for index in range(PARTITIONS)]
    ends = [consumer.get_watermark_offsets(one, timeout=WAIT_SECONDS) for one in everywhere]
    assert sum(high for _low, high in ends) == len(lines), f"{ends} hold other than {len(lines)} lines"
    consumer.assign(everywhere)
    following, seen, deadline = list(range(PARTITIONS)), 0, time.monotonic() + 240
    while seen < len(lines):
        assert time.monotonic() < deadline, f"{seen} of {len(lines)} lines came back"
        for message in consumer.consume(10_000, 0.5):
            assert message.error() is None, message.error()
            number, line = message.value().split(b":", 1)
            number, partition = int(number), message.partition()
            assert number == following[partition], f"line {number} where {following[partition]} belongs"
            assert acknowledged[number] == (partition, message.offset()), f"line {number} moved"
            assert line == lines[number], f"line {number} changed"
            following[partition] += PARTITIONS
            seen += 1
    consumer.close()
