"""A disk that fails reads while a broker serves old records: whoever asks is told, everything else goes on, and a healthy disk has it all."""

import struct
import time

from bad_disk import BadDisk
from faulty_disk import FAIL_READS, HEALTHY
from harness.wire import Connection, batch

TOPIC = "old"
KAFKA_STORAGE_ERROR = 56
RECORD_BYTES = 100_000
# One for all: the checksum by hand takes a second a megabyte. Its offset says which one it is.
RECORD = batch([b"x" * RECORD_BYTES])
# The first of them are asked for; to read the last ones takes more than a shard keeps of its disk (32 MiB), so that those are on the disk alone.
RECORDS, FIRST, LAST = 900, 200, 600
ANSWER_SECONDS_MAX = 60


def rounds(make_broker, directory, random, count):
    with BadDisk(directory / "bad") as disk:
        broker = make_broker(disk.path / "broker", directory / "files")
        broker.start()
        try:
            with Connection(broker.bootstrap, ANSWER_SECONDS_MAX) as connection:
                connection.create_topic(TOPIC, 1)
                for number in range(RECORDS):
                    append(connection, number)
                for number in range(count):
                    yield fail(broker, disk, connection, RECORDS + number, random)
            broker.stop()
        finally:
            disk.tell(HEALTHY)
            broker.end()


def append(connection, number):
    answer = connection.produce(TOPIC, RECORD)
    assert answer == (0, number), f"record {number} was answered {answer}"


def expect(connection, number, when):
    error, _high, records = connection.fetch(TOPIC, number)
    assert error == 0 and len(records) >= len(RECORD), f"{when} record {number} was answered {error} and {len(records)} bytes"
    base = struct.unpack_from(">q", records)[0]
    assert base == number and records[17:len(RECORD)] == RECORD[17:], f"{when} record {number} came as {base}, or as something else"


def fail(broker, disk, connection, number, random):
    wanted = random.randrange(FIRST)
    read_elsewhere(connection)
    disk.tell(FAIL_READS)
    error, _high, records = connection.fetch(TOPIC, wanted)
    assert (error, records) == (KAFKA_STORAGE_ERROR, b""), f"a fetch that the disk fails was told {error}, with {len(records)} bytes"
    append(connection, number)
    expect(connection, number, "while the disk fails reads,")
    time.sleep(random.uniform(0, 0.2))
    assert broker.alive(), "the broker died of a disk that fails reads"
    disk.tell(HEALTHY)
    expect(connection, wanted, "after the repair")
    return f"record {wanted} was refused, {number} was stored and read meanwhile, {wanted} was read afterwards"


def read_elsewhere(connection):
    at = RECORDS - LAST
    while at < RECORDS:
        error, _high, records = connection.fetch(TOPIC, at)
        assert error == 0 and records, f"record {at} was answered {error}"
        at += len(records) // RECORD_BYTES
