"""A disk that stalls: producers are told by their own time-out, what needs no disk goes on, and when it wakes nothing is there twice."""

import struct
import time

from bad_disk import BadDisk
from faulty_disk import HEALTHY, STALL
from harness.wire import Connection, batch

TOPIC = "stalled"
INIT_PRODUCER_ID = 22
REQUEST_TIMED_OUT = 7
TIMEOUT_MS = 300
# What went wrong when a call needs longer although the disk was awake or not needed.
ANSWER_SECONDS_MAX = 60


def rounds(make_broker, directory, random, count):
    with BadDisk(directory / "bad") as disk:
        broker = make_broker(disk.path / "broker", directory / "files")
        broker.start()
        try:
            with Connection(broker.bootstrap, ANSWER_SECONDS_MAX) as one, Connection(broker.bootstrap, ANSWER_SECONDS_MAX) as other:
                one.create_topic(TOPIC, 1)
                producer = init_producer_id(one)
                for number in range(count):
                    yield stall(broker, disk, one, other, producer, number, random)
            broker.stop()
        finally:
            disk.tell(HEALTHY)
            broker.end()


def stall(broker, disk, one, other, producer, number, random):
    sequence, offset = 2 * number, 2 * number
    before = batch([b"before %d" % number], producer=(*producer, sequence))
    during = batch([b"during %d" % number], producer=(*producer, sequence + 1))
    assert one.produce(TOPIC, before) == (0, offset), "the disk is awake"
    disk.tell(STALL)
    error, _ = one.produce(TOPIC, during, timeout_ms=TIMEOUT_MS)
    assert error == REQUEST_TIMED_OUT, f"a producer of a stalled disk was told {error}"
    # The disk sleeps until all of this was answered.
    assert other.metadata(TOPIC)[0] == 0
    error, high, records = other.fetch(TOPIC, offset)
    assert (error, high) == (0, offset + 1), f"a fetch was told {error}, high watermark {high}"
    assert b"before %d" % number in records and b"during" not in records, "a record is seen that is not durable"
    time.sleep(random.uniform(0, 1))
    assert not broker.is_ready(), "a broker whose disk stalls says that it is ready"
    assert broker.alive(), "the broker died of a disk that only stalls"
    disk.tell(HEALTHY)
    again = one.produce(TOPIC, during)
    assert again == (0, offset + 1), f"the retry was answered {again}, the original is at {offset + 1}"
    error, high, records = other.fetch(TOPIC, offset)
    assert (error, high) == (0, offset + 2), f"after it woke: {error}, high watermark {high}"
    assert records.count(b"during %d" % number) == 1, "the record is not there once"
    assert broker.is_ready(), "awake, it must be ready again"
    return f"timed out, metadata and fetch were answered, and the retry found its record at {offset + 1}"


def init_producer_id(connection):
    reader = connection.call(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60_000))
    reader.number("i")
    error, producer, epoch = reader.number("h"), reader.number("q"), reader.number("h")
    assert error == 0, f"InitProducerId: error {error}"
    return producer, epoch
