"""Kafka's wire format by hand, in plain sockets: an outside view that shares no code with the broker or its clients.

Only old, non-flexible versions are spoken, because they are short: ApiVersions 0, Metadata 1, CreateTopics 2, Produce 3
and 7, Fetch 4. The caller may also send raw bytes, which is what the hostile scenarios are for.
"""

import socket
import struct
import time

PRODUCE, FETCH, METADATA, API_VERSIONS, CREATE_TOPICS = 0, 1, 3, 18, 19
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ANSWER_BYTES_MAX = 64 << 20


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def varint(number):
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def record(value, offset_delta=0):
    body = b"\0" + varint(0) + varint(offset_delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(values, magic=2, crc=None, attributes=0, producer=(-1, -1, -1)):
    """One record batch of the given values, without keys; `crc` replaces the right checksum; `producer` is (id, epoch, first sequence)."""
    now_ms = int(time.time() * 1000)
    records = b"".join(record(value, delta) for delta, value in enumerate(values))
    covered = struct.pack(">hiqqqhii", attributes, len(values) - 1, now_ms, now_ms, *producer, len(values)) + records
    checksum = crc32c(covered) if crc is None else crc
    after_length = struct.pack(">ibI", 0, magic, checksum) + covered
    return struct.pack(">qi", 0, len(after_length)) + after_length


class Reader:
    """Reads an answer's fields in order; running past its end is an error."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def take(self, count):
        assert 0 <= count <= len(self.data) - self.position, f"{count} bytes past the end of {len(self.data)}"
        self.position += count
        return self.data[self.position - count:self.position]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def string(self):
        length = self.number("h")
        return None if length < 0 else self.take(length).decode()

    def array(self, item):
        return [item() for _ in range(max(0, self.number("i")))]

    def end(self):
        assert self.position == len(self.data), f"{len(self.data) - self.position} bytes left over"


class Connection:
    """One connection; requests are numbered, answers must come in order and carry the number."""

    def __init__(self, bootstrap, timeout_seconds=20):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout_seconds)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    def send_raw(self, data):
        self.socket.sendall(data)

    def frame(self, api, version, body):
        self.correlation += 1
        header = struct.pack(">hhi", api, version, self.correlation) + string("hostile")
        return struct.pack(">i", len(header) + len(body)) + header + body

    def receive_exactly(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(min(count - len(data), 1 << 20))
            if not piece:
                raise ConnectionError("closed by the broker")
            data += piece
        return bytes(data)

    def receive(self):
        """The body of the next answer."""
        length = struct.unpack(">i", self.receive_exactly(4))[0]
        assert 4 <= length <= ANSWER_BYTES_MAX, f"an answer of {length} bytes"
        reader = Reader(self.receive_exactly(length))
        correlation = reader.number("i")
        assert correlation == self.correlation, f"answer {correlation} to request {self.correlation}"
        return reader

    def call(self, api, version, body=b""):
        self.send_raw(self.frame(api, version, body))
        return self.receive()

    def closed(self):
        """Waits until the broker closes; an answer instead is a failure."""
        try:
            answer = self.socket.recv(64)
        except ConnectionResetError:
            return True
        assert answer == b"", f"expected a close, got {answer!r}"
        return True

    def api_versions(self):
        reader = self.call(API_VERSIONS, 0)
        error = reader.number("h")
        ranges = {key: (low, high) for key, low, high in
                  reader.array(lambda: (reader.number("h"), reader.number("h"), reader.number("h")))}
        reader.end()
        return error, ranges

    def metadata(self, topic):
        """(topic error, {partition: leader}) by Metadata v1, which creates no topic of its own accord on most brokers."""
        return self.brokers_and_topic(topic)[1]

    def leader_address(self, topic, partition):
        """HOST:PORT of the broker that leads a partition."""
        brokers, (error, leaders) = self.brokers_and_topic(topic)
        assert error == 0, f"metadata error {error}"
        return brokers[leaders[partition]]

    def brokers_and_topic(self, topic):
        reader = self.call(METADATA, 1, struct.pack(">i", 1) + string(topic))

        def one_broker():
            node, host, port, _rack = reader.number("i"), reader.string(), reader.number("i"), reader.string()
            return node, f"{host}:{port}"

        brokers = dict(reader.array(one_broker))
        reader.number("i")

        def partition():
            reader.number("h")
            index, leader = reader.number("i"), reader.number("i")
            reader.array(lambda: reader.number("i"))
            reader.array(lambda: reader.number("i"))
            return index, leader

        def one_topic():
            error, _name, _internal = reader.number("h"), reader.string(), reader.number("b")
            return error, dict(reader.array(partition))

        (outcome,) = reader.array(one_topic)
        return brokers, outcome

    def create_topic(self, topic, partitions):
        """Creates it and waits until every partition has a leader."""
        one = string(topic) + struct.pack(">ihii", partitions, 1, 0, 0)
        reader = self.call(CREATE_TOPICS, 2, struct.pack(">i", 1) + one + struct.pack(">ib", 20_000, 0))
        reader.number("i")
        ((name, error, message),) = reader.array(lambda: (reader.string(), reader.number("h"), reader.string()))
        assert (name, error) == (topic, 0), f"creating {topic}: error {error} {message}"
        for _ in range(100):
            error, leaders = self.metadata(topic)
            if error == 0 and len(leaders) == partitions and all(leader >= 0 for leader in leaders.values()):
                return
            time.sleep(0.05)
        raise AssertionError(f"{topic} has no leaders: error {error}, {leaders}")

    def produce_frame(self, topic, records, acks=-1, version=3, partition=0, timeout_ms=10_000):
        body = struct.pack(">hhi", -1, acks, timeout_ms) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">iii", 1, partition, len(records)) + records
        return self.frame(PRODUCE, version, body)

    def produce(self, topic, records, acks=-1, version=3, partition=0, timeout_ms=10_000):
        """(error, base offset) of one partition's answer."""
        self.send_raw(self.produce_frame(topic, records, acks, version, partition, timeout_ms))
        reader = self.receive()

        def one_partition():
            _index, error, base, _time = (reader.number(form) for form in "ihqq")
            if version >= 5:
                reader.number("q")
            return error, base

        ((_name, ((error, base),)),) = reader.array(lambda: (reader.string(), reader.array(one_partition)))
        reader.number("i")
        reader.end()
        return error, base

    def fetch_frame(self, topic, offset, partition, bytes_max):
        body = struct.pack(">iiiib", -1, 500, 1, bytes_max, 0)
        body += struct.pack(">i", 1) + string(topic) + struct.pack(">iiqi", 1, partition, offset, bytes_max)
        return self.frame(FETCH, 4, body)

    def fetch(self, topic, offset, partition=0, bytes_max=8 << 20):
        """(error, high watermark, records) of one partition by Fetch v4."""
        self.send_raw(self.fetch_frame(topic, offset, partition, bytes_max))
        reader = self.receive()
        reader.number("i")

        def one_partition():
            _index, error, high_watermark, _stable = (reader.number(form) for form in "ihqq")
            reader.array(lambda: reader.number("q") + reader.number("q"))
            length = reader.number("i")
            return error, high_watermark, reader.take(max(0, length))

        ((_name, (outcome,)),) = reader.array(lambda: (reader.string(), reader.array(one_partition)))
        reader.end()
        return outcome

    def stored_codecs(self, topic, partition=0):
        """The set of codec names of the batches at the start of a partition, as the broker stores them."""
        with Connection(self.leader_address(topic, partition)) as leader:
            error, _high_watermark, data = leader.fetch(topic, 0, partition)
        assert error == 0, f"fetch error {error}"
        codecs, position = set(), 0
        while position + 61 <= len(data):
            (length,) = struct.unpack_from(">i", data, position + 8)
            (attributes,) = struct.unpack_from(">h", data, position + 21)
            codecs.add(CODECS[attributes & 7])
            position += 12 + length
        return codecs
