"""What was acknowledged, kept outside of the broker, and the check of a broker against it.

A value says of itself who sent it and in which order, and carries a checksum, so that every record that comes back can be judged alone.
"""

import threading
import time
import zlib
from collections import defaultdict

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

READ_SECONDS_MAX = 60
QUIET = 2


def value(producer, sequence, padding):
    head = b"%s:%d:" % (producer.encode(), sequence) + b"." * padding
    return head + b":%08x" % zlib.crc32(head)


def sender(bytes_):
    """(producer, sequence) of a value; raises for one that is not what was sent."""
    head, crc = bytes_.rsplit(b":", 1)
    assert int(crc, 16) == zlib.crc32(head), f"a record is not what was sent: {bytes_[:60]}"
    producer, sequence, _padding = head.split(b":", 2)
    return producer.decode(), int(sequence)


class Ledger:
    """Acknowledged records by (topic, partition) and offset, acknowledged group offsets, and high watermarks that were seen."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acked = defaultdict(dict)
        self.commits = {}
        self.high_watermarks = {}

    def note(self, topic, partition, offset, who):
        with self.lock:
            known = self.acked[topic, partition].setdefault(offset, who)
        assert known == who, f"offset {offset} of {topic}-{partition} was acknowledged for {known} and for {who}"

    def note_commit(self, group, offset):
        with self.lock:
            self.commits[group] = offset

    def note_high_watermark(self, topic, partition, high):
        with self.lock:
            self.high_watermarks[topic, partition] = max(high, self.high_watermarks.get((topic, partition), 0))

    def copy(self):
        other = Ledger()
        with self.lock:
            other.acked = defaultdict(dict, {where: dict(acked) for where, acked in self.acked.items()})
            other.commits = dict(self.commits)
            other.high_watermarks = dict(self.high_watermarks)
        return other

    def count(self):
        with self.lock:
            return sum(map(len, self.acked.values()))


class Check:
    """Reads what a broker holds and compares. `promised` are the topics whose acknowledgements must have survived.

    `known` says by (topic, partition) where an earlier check of the same broker ended, and the newest record of each producer there; a
    check goes on from it and brings it up to date. Without it everything is read."""

    def __init__(self, bootstrap, ledger, topics, promised, known=None):
        self.bootstrap, self.ledger, self.topics, self.promised = bootstrap, ledger, topics, promised
        self.known = {} if known is None else known
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "faults-check", "log_level": QUIET,
                                  "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.wait.max.ms": 20})

    def run(self):
        """Raises AssertionError with what is wrong; gives the number of records read."""
        try:
            read = sum(self.partition(topic, index) for topic in self.topics for index in range(topic.partitions))
            self.commits()
            return read
        finally:
            self.consumer.close()

    def partition(self, topic, index):
        where = TopicPartition(topic.name, index, OFFSET_BEGINNING)
        low, high = self.consumer.get_watermark_offsets(where, timeout=READ_SECONDS_MAX)
        seen = self.ledger.high_watermarks.get((topic.name, index), 0)
        acked = self.ledger.acked.get((topic.name, index), {})
        if topic.name in self.promised:
            assert high >= seen, f"{topic.name}-{index}: the high watermark fell from {seen} to {high}"
            lost = [offset for offset in acked if offset >= high]
            assert not lost, f"{topic.name}-{index}: {len(lost)} acknowledged records are lost, the first at {min(lost)}, high watermark {high}"
        assert low == 0 or topic.trimmed, f"{topic.name}-{index} begins at {low}"
        end, newest = self.known.get((topic.name, index), (0, {}))
        following, read = max(low, end), 0
        self.consumer.assign([TopicPartition(topic.name, index, following)])
        give_up = time.monotonic() + READ_SECONDS_MAX
        while following < high:
            messages = self.consumer.consume(min(10_000, high - following), 0.2)
            assert time.monotonic() < give_up, f"{topic.name}-{index}: no record at {following} although the high watermark is {high}"
            for message in messages:
                if topic.trimmed and message.error() and message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                    following = self.after_trimming(topic, index, following)
                    break
                assert message.error() is None, message.error()
                if message.offset() >= high:
                    continue
                assert message.offset() == following, f"{topic.name}-{index}: offset {message.offset()} where {following} belongs"
                who = sender(message.value())
                expected = acked.get(following) if topic.name in self.promised else None
                assert expected in (None, who), f"{topic.name}-{index}: {who} at {following}, acknowledged was {expected}"
                if topic.exactly_once:
                    before = newest.get(who[0], -1)
                    assert who[1] > before, f"{topic.name}-{index}: {who} after {before}: twice or out of order"
                newest[who[0]] = who[1]
                following, read = following + 1, read + 1
        if topic.name in self.promised:
            self.known[topic.name, index] = following, newest
        return read

    def after_trimming(self, topic, index, following):
        """Goes on at the log start, which retention has moved past the next record meanwhile; gives its offset."""
        low, _high = self.consumer.get_watermark_offsets(TopicPartition(topic.name, index), timeout=READ_SECONDS_MAX)
        assert low > following, f"{topic.name}-{index}: offset {following} is out of range, and the log begins at {low}"
        self.consumer.assign([TopicPartition(topic.name, index, low)])
        return low

    def commits(self):
        for group, offset in self.ledger.commits.items():
            topic, index = self.topics[0].name, 0
            asking = Consumer({**self.group_config(), "group.id": group})
            try:
                found = asking.committed([TopicPartition(topic, index)], timeout=READ_SECONDS_MAX)[0].offset
            finally:
                asking.close()
            assert found >= offset, f"group {group}: committed {offset} was acknowledged, {found} is there"

    def group_config(self):
        return {"bootstrap.servers": self.bootstrap, "log_level": QUIET, "enable.auto.commit": False}
