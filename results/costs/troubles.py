"""What goes wrong in one topic, the logs: each trouble is prepared, begun beside a measured window of others, says what it did and ends; afterwards its
own topic must answer. Who makes it steps aside: what it costs is the broker's work, not that of its clients on the same machine."""

import contextlib
import socket
import struct
import threading
import time

from harness.member import Member
from harness.wire import API_VERSIONS, Connection, batch
from hostile.scenarios import BAD_RECORDS, GARBAGE, GOOD, INVALID_REQUIRED_ACKS, LYING_COUNTS, OFFSET_OUT_OF_RANGE, RETRIABLE, UNKNOWN_TOPIC_OR_PARTITION

from .disturbances import Flood
from .measured import step_aside

READY_SECONDS_MAX = 20
# What a packet of Ethernet carries.
SEGMENT_BYTES = 1_448


class InTopic:
    """A trouble of clients here, each a thread of its own."""

    topic, partitions = "?", 1

    def prepare(self, broker, directory):
        with Connection(broker.bootstrap) as connection:
            connection.create_topic(self.topic, self.partitions)
            for partition in range(self.partitions):
                produce_when_ready(connection, self.topic, partition)
            self.fill(broker, connection)

    def begin(self, broker, json_file, seconds):
        self.stopping, self.failures, self.counts = threading.Event(), [], {}
        self.begun = time.monotonic()
        self.threads = [threading.Thread(target=self.run, args=(number, work, broker)) for number, work in enumerate(self.works())]
        for thread in self.threads:
            thread.start()

    def run(self, number, work, broker):
        step_aside()
        try:
            for done in work(broker, number):
                self.counts[number] = done
                if self.stopping.is_set():
                    return
        except Exception as error:  # it is raised where the trouble ends
            self.failures.append(error)

    def end(self, broker, seconds):
        took = time.monotonic() - self.begun
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise RuntimeError(f"{self.topic}: not the trouble that was meant") from self.failures[0]
        return self.did({number: done / took for number, done in self.counts.items()})

    def check(self, broker):
        """A new client writes and reads in the topic of the trouble."""
        for partition in range(self.partitions):
            with Connection(broker.bootstrap) as connection:
                error, offset = connection.produce(self.topic, GOOD, partition=partition)
                assert error == 0, f"{self.topic} takes no records afterwards: error {error}"
                error, _end, records = connection.fetch(self.topic, offset, partition)
                assert error == 0 and records, f"{self.topic} gives no records afterwards: error {error}"


def produce_when_ready(connection, topic, partition):
    """A new topic may be listed a moment before it takes records."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while (error := connection.produce(topic, GOOD, partition=partition)[0]) in RETRIABLE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert error == 0, f"{topic}: error {error}"


class LogFlood(Flood):
    """As beside one producer, but the others are what it is held against, so that it steps aside."""

    help = "flood: four producers of 1 MB batches, as fast as they go"
    aside = True

    def end(self, broker, seconds):
        return {"MB/s": super().end(broker, seconds)["flood_mb_per_s"]}

    def check(self, broker):
        """Its generator has read back everything that was acknowledged, or `end` would have failed."""


class Poison(InTopic):
    """A group whose consumer dies of a record before it can commit what is behind it, and is started again, for as long as nobody mends it."""

    help = "poison record: four consumers die of it, come back and read it again"
    topic, groups = "logs-poison", 4
    around, poison = 100, b"\xff not what the consumer was made for"

    def fill(self, broker, connection):
        good = batch([b"x" * 1_000] * self.around)
        answers = [connection.produce(self.topic, records) for records in (good, batch([self.poison]), good)]
        assert not any(error for error, _offset in answers), answers
        self.at = answers[1][1]
        for number in range(self.groups):
            with Member(broker.bootstrap, self.group(number), self.topic, 1) as member:
                member.commit(0, self.at)
                member.join()

    def group(self, number):
        return f"{self.topic}-{number}"

    def works(self):
        return [self.crash_again_and_again] * self.groups

    def crash_again_and_again(self, broker, number):
        crashes = 0
        while True:
            with Member(broker.bootstrap, self.group(number), self.topic, 1) as member:
                member.join()
                offset = member.committed(0)
                error, _end, records = member.connection.fetch(self.topic, offset)
                assert (error, offset) == (0, self.at) and self.poison in records, f"error {error}, offset {offset}, not {self.at}"
            crashes += 1
            yield crashes

    def did(self, rates):
        return {"crashes/s": sum(rates.values())}


class Burst:
    """Requests sent in one go. They carry the same numbers each time, so that the answers must be the same too, byte for byte."""

    def __init__(self, connection, frames):
        self.connection, self.requests = connection, len(frames)
        self.data = b"".join(frames)
        connection.send_raw(self.data)
        self.answers = b"".join(self.frame() for _ in frames)

    def frame(self):
        length = self.connection.receive_exactly(4)
        return length + self.connection.receive_exactly(*struct.unpack(">i", length))

    def again(self):
        self.connection.send_raw(self.data)
        answers = self.connection.receive_exactly(len(self.answers))
        assert answers == self.answers, "not the refusals of before"


class PoisonBatches(InTopic):
    """Batches that no broker may take, the largest among them: each has to be looked at as a good one has."""

    help = "poison batches: wrong checksums, old magics, two in one; refused at speed"
    topic, senders = "logs-batches", 3
    large_bytes, rounds = 1_000_000, 10

    def fill(self, broker, connection):
        large = batch([bytes(self.large_bytes)], crc=1)
        self.batches = [*BAD_RECORDS.values()] * self.rounds + [(BAD_RECORDS["wrong_crc"][0], large)]
        for wanted, records in self.batches:
            error, _offset = connection.produce(self.topic, records)
            assert error == wanted, f"error {error}, not {wanted}"

    def works(self):
        return [self.send_again_and_again] * self.senders

    def send_again_and_again(self, broker, number):
        with Connection(broker.bootstrap) as connection:
            burst = Burst(connection, [connection.produce_frame(self.topic, records) for _error, records in self.batches])
            self.burst_bytes, refused = len(burst.data), burst.requests
            while True:
                yield refused
                burst.again()
                refused += burst.requests

    def did(self, rates):
        refused = sum(rates.values())
        return {"batches/s refused": refused, "MB/s": refused / len(self.batches) * self.burst_bytes / 1e6}


class FarAway(Connection):
    """A connection with the segments of a network: those of loopback are so large that the kernel's buffers take whole answers, and nobody is stuck."""

    def __init__(self, bootstrap):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        self.socket.connect((host, int(port)))
        self.correlation = 0


class Stuck(InTopic):
    """Readers that ask for 50 MB and take 1 KB a second or nothing, and are started again after a while; and a member that holds what it never reads."""

    help = "stuck consumers: 200 ask for 50 MB, read 1 KB a second or nothing and come back after 8 s; a member of a group never polls"
    topic, partitions = "logs-stuck", 4
    readers, asked_bytes, taken_bytes, patience_seconds = 200, 50 << 20, 1_000, 8
    megabytes = 60

    def fill(self, broker, connection):
        """Large batches behind the small one that is there: the least that an answer can give is one of them."""
        records = batch([bytes(1_000_000)])
        for partition in range(self.partitions):
            for _ in range(self.megabytes):
                error, _offset = connection.produce(self.topic, records, partition=partition)
                assert error == 0, f"error {error}"

    def works(self):
        return [self.take_almost_nothing, self.hold_and_never_poll]

    def take_almost_nothing(self, broker, number):
        """Whoever is given up does not see it, because what was sent before the end is not read; so all come back in turn."""
        asked, second = 0, 0
        with contextlib.ExitStack() as at_the_end:
            readers = [self.ask(broker, reader) for reader in range(self.readers)]
            at_the_end.callback(lambda: [reader.socket.close() for reader in readers])
            while True:
                for reader, connection in enumerate(readers):
                    if reader % self.patience_seconds == second % self.patience_seconds:
                        connection.socket.close()
                        readers[reader] = self.ask(broker, reader)
                        asked += 1
                    elif reader % 2:
                        with contextlib.suppress(BlockingIOError, ConnectionResetError):
                            connection.socket.recv(self.taken_bytes)
                yield asked
                second += 1
                self.stopping.wait(1)

    def ask(self, broker, reader):
        connection = FarAway(broker.bootstrap)
        connection.send_raw(connection.fetch_frame(self.topic, 1, reader % self.partitions, self.asked_bytes))
        connection.socket.setblocking(False)
        return connection

    def hold_and_never_poll(self, broker, number):
        with Member(broker.bootstrap, self.topic, self.topic, self.partitions) as member:
            member.join()
            while True:
                member.heartbeat()
                yield 0
                self.stopping.wait(1)

    def did(self, rates):
        return {"readers": self.readers, "asked again/s": rates[0]}


class Refused(InTopic):
    """Requests that get an error for an answer, and bytes that are no requests, whose connections are closed."""

    help = "refused requests: unknown topics and partitions, offsets out of range, wrong acks and versions; garbage that closes its connection"
    topic, senders, rounds = "logs-refused", 2, 12
    # A pause between rounds of garbage: each leaves a port that cannot be used for a minute, and a machine has some 28,000.
    garbage_pause_seconds = 0.05

    def fill(self, broker, connection):
        self.produces = [(UNKNOWN_TOPIC_OR_PARTITION, self.topic + "-none", {}), (UNKNOWN_TOPIC_OR_PARTITION, self.topic, {"partition": 7}),
                         (INVALID_REQUIRED_ACKS, self.topic, {"acks": 2})]
        self.fetches = [(UNKNOWN_TOPIC_OR_PARTITION, self.topic + "-none", 0, 0), (OFFSET_OUT_OF_RANGE, self.topic, 1 << 40, 0),
                        (UNKNOWN_TOPIC_OR_PARTITION, self.topic, 0, 7)]
        for wanted, topic, how in self.produces:
            error, _offset = connection.produce(topic, GOOD, **how)
            assert error == wanted, f"error {error}, not {wanted}"
        for wanted, *what in self.fetches:
            error, _end, _records = connection.fetch(*what)
            assert error == wanted, f"error {error}, not {wanted}"

    def works(self):
        return [self.send_again_and_again] * self.senders + [self.send_garbage]

    def send_again_and_again(self, broker, number):
        with Connection(broker.bootstrap) as connection:
            frames = []
            for _ in range(self.rounds):
                frames += [connection.produce_frame(topic, GOOD, **how) for _error, topic, how in self.produces]
                frames += [connection.fetch_frame(*what, 1 << 20) for _error, *what in self.fetches]
                frames.append(connection.frame(API_VERSIONS, 99, bytes(4)))
            burst = Burst(connection, frames)
            refused = burst.requests
            while True:
                yield refused
                burst.again()
                refused += burst.requests

    def send_garbage(self, broker, number):
        closed = 0
        while True:
            for garbage in [*GARBAGE.values(), *LYING_COUNTS.values()]:
                with Connection(broker.bootstrap) as connection:
                    connection.send_raw(garbage)
                    assert connection.closed()
                closed += 1
            yield closed
            self.stopping.wait(self.garbage_pause_seconds)

    def did(self, rates):
        closed = rates.pop(self.senders)
        return {"requests/s refused": sum(rates.values()), "connections/s closed": closed}


TROUBLES = {"flood": LogFlood, "poison": Poison, "batches": PoisonBatches, "stuck": Stuck, "refused": Refused}
