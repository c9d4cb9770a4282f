"""What may cost a producer latency: each is begun beside its measured window, says how much it did meanwhile, and ends."""

import multiprocessing
import socket
import struct
import threading
import time

from harness.wire import Connection, batch

from .measured import loadgen, result_of, step_aside

FETCH_BYTES = 16 << 20
# What one system call of a reader takes: in it the kernel lets nobody else have the core.
RECEIVE_BYTES = 128 << 10


class Flood:
    """A closed loop of large batches into another topic, by a generator of its own."""

    help = "a closed loop of 1 MB batches into another topic; one shard, so that both are on one core"
    settings = {"posthaste.shards": 1}
    # As quiet as a producer can be that still has a p99.
    rate = ("--rate", "100", "--record-bytes", "1000", "--partitions", "1", "--producers", "1", "--linger", "0ms")
    aside = False

    def prepare(self, broker, directory):
        pass

    def begin(self, broker, json_file, seconds):
        self.file = json_file.with_name("flood-" + json_file.name)
        self.run = loadgen(broker, self.file, "--mode", "produce", "--rate", "0", "--record-bytes", "1000",
                           "--batch-bytes", "1000000", "--partitions", "1", "--producers", "4", "--warmup", "1s",
                           "--duration", f"{seconds + 6}s", aside=self.aside)

    def end(self, broker, seconds):
        achieved = result_of(self.run, self.file)["summary"]["produce"]["achieved"]
        return {"flood_mb_per_s": achieved["bytes_per_s"] / 1e6}


class Cleaner:
    """Gigabytes in small batches of many partitions, written just before: the cleaner puts what belongs together side by side."""

    help = "the cleaner, with a backlog of small batches of 128 partitions to re-cluster"
    settings = {}
    rate = ("--rate", "20MB/s", "--record-bytes", "1000", "--partitions", "8", "--producers", "1")

    def prepare(self, broker, directory):
        fill = loadgen(broker, directory / "backlog.json", "--mode", "produce", "--rate", "0", "--keep-topic",
                       "--record-bytes", "1000", "--batch-bytes", "4000", "--partitions", "128", "--producers", "2",
                       "--warmup", "0s", "--duration", "30s", "--verify", "off")
        if fill.wait() not in (0, 3):
            raise RuntimeError("the backlog could not be written")

    def begin(self, broker, json_file, seconds):
        self.before = self.done(broker)

    def done(self, broker):
        metrics = broker.metrics()
        return metrics["posthaste_cleaner_read_bytes_total"], metrics["posthaste_cleaner_written_bytes_total"]

    def end(self, broker, seconds):
        read, written = (after - before for after, before in zip(self.done(broker), self.before))
        if written == 0:
            raise RuntimeError("the cleaner was not at work in the window: the ratio would say nothing")
        return {"cleaner_read_mb": read / 1e6, "cleaner_written_mb": written / 1e6}


class Backfill:
    """Readers of 8 partitions from their beginning, as fast as they can, again and again. They look at no record: the client must not be the limit."""

    help = "8 readers of 8 partitions from the beginning, as fast as they go"
    settings = {}
    rate = Cleaner.rate
    partitions, megabytes, topic = 8, 4000, "backfill"

    def prepare(self, broker, directory):
        """Far more than the tail holds."""
        with Connection(broker.bootstrap) as connection:
            connection.create_topic(self.topic, self.partitions)
        # Made once: the checksum by hand takes a second a megabyte.
        records = batch([b"x" * 1_000_000])
        for partition in range(self.partitions):
            with Connection(broker.bootstrap) as connection:
                for _ in range(self.megabytes // self.partitions):
                    error, _offset = connection.produce(self.topic, records, partition=partition, timeout_ms=30_000)
                    if error:
                        raise RuntimeError(f"produce error {error}")

    def begin(self, broker, json_file, seconds):
        self.stopping, self.bytes = threading.Event(), 0
        self.begun = time.monotonic()
        self.reader = threading.Thread(target=self.read, args=(broker,))
        self.reader.start()

    def read(self, broker):
        """One thread for all: many would take turns with the broker's threads on the cores that they share."""
        step_aside()
        buffer = memoryview(bytearray(64 << 20))
        connections = [Connection(broker.bootstrap) for _ in range(self.partitions)]
        offsets = [0] * self.partitions
        for partition, connection in enumerate(connections):
            connection.send_raw(connection.fetch_frame(self.topic, 0, partition, FETCH_BYTES))
        while not self.stopping.is_set():
            for partition, connection in enumerate(connections):
                size, offset = receive(connection, self.topic, buffer)
                self.bytes += size
                offsets[partition] = offset if size else 0
                connection.send_raw(connection.fetch_frame(self.topic, offsets[partition], partition, FETCH_BYTES))
        for connection in connections:
            connection.socket.close()

    def end(self, broker, seconds):
        took = time.monotonic() - self.begun
        self.stopping.set()
        self.reader.join()
        return {"backfill_mb_per_s": self.bytes / 1e6 / took}


class Loopback:
    """No broker has a part in it: what is left of a ratio beside a backfill when this one's is taken off is the broker's."""

    help = "a control: 800 MB/s over loopback between two processes that are no broker"
    settings = {}
    rate = Cleaner.rate
    bytes_per_second, piece = 800e6, 128 << 10

    def prepare(self, broker, directory):
        pass

    def begin(self, broker, json_file, seconds):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sender = multiprocessing.Process(target=self.send, daemon=True)
        self.sender.start()
        self.bytes, self.begun = 0, time.monotonic()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def send(self):
        step_aside()
        begun, sent, data = time.monotonic(), 0, bytes(self.piece)
        with socket.create_connection(self.listener.getsockname()) as connection:
            while True:
                connection.sendall(data)
                sent += self.piece
                time.sleep(max(0.0, begun + sent / self.bytes_per_second - time.monotonic()))

    def read(self):
        step_aside()
        buffer = bytearray(64 << 20)
        with self.listener.accept()[0] as connection:
            while size := connection.recv_into(buffer, RECEIVE_BYTES):
                self.bytes += size

    def end(self, broker, seconds):
        took = time.monotonic() - self.begun
        self.sender.terminate()
        self.reader.join()
        self.listener.close()
        return {"loopback_mb_per_s": self.bytes / 1e6 / took}


def receive(connection, topic, buffer):
    """Bytes of records of the next answer, and the offset after them; 0 and 0 without records."""
    length = struct.unpack(">i", connection.receive_exactly(4))[0]
    answer, at = buffer[:length], 0
    while at < length:
        at += connection.socket.recv_into(answer[at:], min(RECEIVE_BYTES, length - at))
    head = 4 + 4 + 4 + 2 + len(topic) + 4
    _index, error, _end, _stable, _aborted, size = struct.unpack_from(">ihqqii", answer, head)
    if error:
        raise RuntimeError(f"fetch error {error}")
    at = head + struct.calcsize(">ihqqii")
    last, offset = at + size, 0
    while at + 61 <= last:
        base, batch_bytes = struct.unpack_from(">qi", answer, at)
        offset = base + struct.unpack_from(">i", answer, at + 23)[0] + 1
        at += 12 + batch_bytes
    return size, offset


DISTURBANCES = {"flood": Flood, "cleaner": Cleaner, "backfill": Backfill, "loopback": Loopback}
