"""What bad input gets, seen from outside in plain sockets: the Kafka error or a close, and nobody else is disturbed.

Every scenario ends by asking whether another connection still works and whether the broker's memory has grown. Kafka
takes part where its answer is the protocol's; the bound on memory and the line in the log are our own promises.
"""

import os
import struct
import time

from harness.scenarios import scenario
from harness.wire import API_VERSIONS, FETCH, METADATA, PRODUCE, Connection, Reader, batch, string

# Frames are announced, not sent: a broker that takes memory for what it has not received yet would pass this at once.
RSS_GROWTH_BYTES_MAX = 32 << 20
ANNOUNCED_BYTES = 90 << 20
CONNECTIONS = 8

NONE, OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION = 0, 1, 2, 3
INVALID_REQUIRED_ACKS, UNSUPPORTED_VERSION, UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD = 21, 35, 76, 87
RETRIABLE = {UNKNOWN_TOPIC_OR_PARTITION, 6}


class Bystander:
    """A connection that was there before; afterwards it must still be served, and memory must not have grown."""

    def __init__(self, context):
        self.context = context
        self.connection = Connection(context.bootstrap)
        self.connection.create_topic(context.topic, 1)
        # A new topic may be listed a moment before it takes records; every client retries these two errors.
        deadline = time.monotonic() + 10
        while (outcome := self.connection.produce(context.topic, batch([b"before"])))[0] in RETRIABLE:
            assert time.monotonic() < deadline, f"the new topic takes no records: error {outcome[0]}"
        assert outcome == (NONE, 0), outcome
        self.ours = context.broker.name == "posthaste"
        self.rss_before = context.broker.rss_bytes() if self.ours else 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.check()
        self.connection.socket.close()

    def check(self):
        error, _high_watermark, records = self.connection.fetch(self.context.topic, 0)
        assert error == NONE and b"before" in records, "the bystander is no longer served"
        with Connection(self.context.bootstrap) as newcomer:
            assert newcomer.api_versions()[0] == NONE, "a new connection is not served"
        if self.ours:
            grown = self.context.broker.rss_bytes() - self.rss_before
            assert grown <= RSS_GROWTH_BYTES_MAX, f"resident memory grew by {grown} bytes"

    def expect_logged_close(self, connection):
        """The broker closes; ours also names the peer in its log."""
        peer = f"127.0.0.1:{connection.local_port}"
        assert connection.closed()
        if not self.ours:
            return
        deadline = time.monotonic() + 5
        while peer not in self.context.broker.log_text():
            assert time.monotonic() < deadline, f"no line in the log names {peer}"
            time.sleep(0.05)


def closes(context, data):
    """The bytes end their own connection and nothing else."""
    with Bystander(context) as bystander, Connection(context.bootstrap) as connection:
        connection.send_raw(data)
        bystander.expect_logged_close(connection)


GARBAGE = {
    "http_request": b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
    "tls_hello": bytes.fromhex("16030100c8010000c40303") + bytes(194),
    "frame_over_the_limit": struct.pack(">i", 0x7FFFFFFF),
    "negative_length": struct.pack(">i", -1),
    "most_negative_length": struct.pack(">i", -(1 << 31)),
    "zero_length": struct.pack(">i", 0),
    "length_shorter_than_the_header": struct.pack(">i", 6) + struct.pack(">hhh", METADATA, 1, 0),
    "client_id_past_the_end": struct.pack(">ihhih", 10, METADATA, 1, 1, 0x7FFF),
}


@scenario(each=sorted(GARBAGE))
def the_connection_is_closed_after(context, what):
    closes(context, GARBAGE[what])


def frame(api, version, body):
    header = struct.pack(">hhi", api, version, 1) + string("hostile")
    return struct.pack(">i", len(header) + len(body)) + header + body


LYING_COUNTS = {
    "metadata_topics": frame(METADATA, 1, struct.pack(">i", 0x7FFFFFFF)),
    "metadata_topics_flexible": frame(METADATA, 9, b"\0" + b"\xff\xff\xff\xff\x07"),
    "metadata_overlong_varint": frame(METADATA, 9, b"\0" + b"\xff" * 12),
    "produce_topics": frame(PRODUCE, 3, struct.pack(">hhi", -1, -1, 1_000) + struct.pack(">i", 0x7FFFFFFF)),
    "produce_records": frame(PRODUCE, 3, struct.pack(">hhi", -1, -1, 1_000) + struct.pack(">i", 1) + string("t")
                             + struct.pack(">iii", 1, 0, 0x7FFFFFFF)),
    "fetch_partitions": frame(FETCH, 4, struct.pack(">iiiib", -1, 0, 1, 1, 0) + struct.pack(">i", 1) + string("t")
                              + struct.pack(">i", 0x10000000)),
    "string_length": frame(METADATA, 1, struct.pack(">ih", 1, 0x7FFF)),
}


@scenario(each=sorted(LYING_COUNTS))
def a_count_larger_than_the_bytes_left_closes(context, what):
    closes(context, LYING_COUNTS[what])


@scenario(each=["key", "version"])
def an_unknown_api_closes(context, what):
    closes(context, frame(9_999, 0, b"") if what == "key" else frame(METADATA, 99, b"\0" * 16))


@scenario()
def api_versions_of_an_unknown_version_is_answered_in_version_0(context):
    with Bystander(context), Connection(context.bootstrap) as connection:
        reader = connection.call(API_VERSIONS, 99, b"\0\0\0\0")
        assert reader.number("h") == UNSUPPORTED_VERSION
        ranges = reader.array(lambda: (reader.number("h"), reader.number("h"), reader.number("h")))
        reader.end()
        assert any(key == API_VERSIONS and high >= 3 for key, _low, high in ranges), ranges
        error, _ranges = connection.api_versions()
        assert error == NONE, "the same connection goes on"


@scenario()
def a_null_array_of_4_bytes_from_librdkafka_is_understood(context):
    """To ask for all topics by a flexible version, librdkafka writes the null array as 4 zero bytes where 1 is right.

    Read by the book, three bytes are left over. Kafka ignores bytes after a message; a broker that refuses them cannot be
    listed by any librdkafka that speaks Metadata 9 or later.
    """
    with Bystander(context), Connection(context.bootstrap) as connection:
        header = struct.pack(">hhi", METADATA, 12, 1) + string("rdkafka") + b"\0"
        body = bytes.fromhex("00000000010000")
        connection.correlation = 1
        connection.send_raw(struct.pack(">i", len(header) + len(body)) + header + body)
        assert context.topic.encode() in connection.receive().data, "all topics are listed"


@scenario()
def the_advertised_ranges_let_old_clients_in(context):
    with Connection(context.bootstrap) as connection:
        error, ranges = connection.api_versions()
    assert error == NONE
    # librdkafka before 2.11.1 looks for exactly these and turns features off without a word.
    for key, versions in {0: (0, 3, 7), 1: (4, 10), 2: (1,), 9: (1,), 10: (0,), 11: (0,), 12: (0,), 13: (0,), 14: (0,),
                          18: (0,), 22: (0,)}.items():
        low, high = ranges[key]
        assert low <= min(versions) and high >= max(versions), f"api {key} is advertised as {low}-{high}"


@scenario()
def half_a_frame_and_silence_costs_nothing(context):
    open_ones = []
    try:
        with Bystander(context) as bystander:
            # Kafka reserves a buffer of the announced size; ours must wait for the bytes.
            for _ in range(CONNECTIONS if bystander.ours else 1):
                connection = Connection(context.bootstrap)
                open_ones.append(connection)
                connection.send_raw(struct.pack(">i", ANNOUNCED_BYTES) + bytes(1_000))
            half = Connection(context.bootstrap)
            open_ones.append(half)
            half.send_raw(b"\0\0")
            time.sleep(0.5)
    finally:
        for connection in open_ones:
            connection.socket.close()


@scenario()
def many_connections_that_hang_up_leave_nothing_behind(context):
    with Bystander(context) as bystander:
        before = open_files(context) if bystander.ours else 0
        for count in range(300):
            with Connection(context.bootstrap) as connection:
                if count % 2:
                    connection.send_raw(connection.frame(API_VERSIONS, 0, b"")[:count % 17])
        if bystander.ours:
            deadline = time.monotonic() + 10
            while open_files(context) > before + 8:
                assert time.monotonic() < deadline, f"{open_files(context)} files open, {before} before"
                time.sleep(0.1)


def open_files(context):
    return len(os.listdir(f"/proc/{context.broker.pid}/fd"))


GOOD = batch([b"x"])
BAD_RECORDS = {
    "wrong_crc": (CORRUPT_MESSAGE, batch([b"x"], crc=1)),
    "flipped_bit": (CORRUPT_MESSAGE, GOOD[:-1] + bytes([GOOD[-1] ^ 1])),
    "magic_0": (INVALID_RECORD, batch([b"x"], magic=0)),
    "magic_1": (INVALID_RECORD, batch([b"x"], magic=1)),
    "two_batches": (INVALID_RECORD, GOOD + batch([b"y"])),
    "no_batch": (INVALID_RECORD, b""),
}


@scenario(each=sorted(BAD_RECORDS))
def bad_records_are_refused(context, what):
    error, records = BAD_RECORDS[what]
    with Bystander(context), Connection(context.bootstrap) as connection:
        assert connection.produce(context.topic, records)[0] == error
        assert connection.produce(context.topic, GOOD) == (NONE, 1), "nothing of it was stored, and the connection goes on"


@scenario(each=["batch_length_past_the_end", "batch_length_negative", "shorter_than_a_batch"])
def a_torn_batch_is_refused_or_closes(context, what):
    torn = {"batch_length_past_the_end": GOOD[:8] + struct.pack(">i", 0x7FFFFF00) + GOOD[12:],
            "batch_length_negative": GOOD[:8] + struct.pack(">i", -5) + GOOD[12:],
            "shorter_than_a_batch": GOOD[:40]}[what]
    with Bystander(context) as bystander, Connection(context.bootstrap) as connection:
        try:
            error, _base = connection.produce(context.topic, torn)
        except (ConnectionError, ConnectionResetError):
            error = CORRUPT_MESSAGE
        assert error in (CORRUPT_MESSAGE, INVALID_RECORD), error
        assert bystander.connection.produce(context.topic, GOOD) == (NONE, 1), "nothing of it was stored"


@scenario()
def acks_2_is_refused(context):
    with Bystander(context), Connection(context.bootstrap) as connection:
        assert connection.produce(context.topic, GOOD, acks=2)[0] == INVALID_REQUIRED_ACKS
        assert connection.produce(context.topic, GOOD) == (NONE, 1)


@scenario()
def zstd_before_produce_7_is_refused(context):
    with Bystander(context), Connection(context.bootstrap) as connection:
        zstd = batch([b"x"], attributes=4)
        assert connection.produce(context.topic, zstd, version=3)[0] == UNSUPPORTED_COMPRESSION_TYPE


@scenario()
def unknown_topics_and_partitions_are_named(context):
    with Bystander(context), Connection(context.bootstrap) as connection:
        assert connection.produce(context.topic + "-none", GOOD)[0] == UNKNOWN_TOPIC_OR_PARTITION
        assert connection.produce(context.topic, GOOD, partition=7)[0] == UNKNOWN_TOPIC_OR_PARTITION
        assert connection.produce(context.topic, GOOD, partition=-1)[0] == UNKNOWN_TOPIC_OR_PARTITION
        assert connection.fetch(context.topic + "-none", 0)[0] == UNKNOWN_TOPIC_OR_PARTITION
        assert connection.fetch(context.topic, 0, partition=7)[0] == UNKNOWN_TOPIC_OR_PARTITION


@scenario()
def an_offset_out_of_range_is_named(context):
    with Bystander(context), Connection(context.bootstrap) as connection:
        assert connection.fetch(context.topic, 2)[0] == OFFSET_OUT_OF_RANGE
        assert connection.fetch(context.topic, 1 << 62)[0] == OFFSET_OUT_OF_RANGE
        assert connection.fetch(context.topic, -5)[0] == OFFSET_OUT_OF_RANGE
        error, high_watermark, records = connection.fetch(context.topic, 1)
        assert (error, high_watermark, records) == (NONE, 1, b""), "the end itself is in range"


@scenario()
def answers_come_in_request_order(context):
    with Bystander(context), Connection(context.bootstrap) as connection:
        frames, wanted = b"", []
        for _ in range(50):
            frames += connection.produce_frame(context.topic, GOOD)
            wanted.append(connection.correlation)
            frames += connection.frame(API_VERSIONS, 0, b"")
            wanted.append(connection.correlation)
        connection.send_raw(frames)
        got = []
        for _ in wanted:
            (length,) = struct.unpack(">i", connection.receive_exactly(4))
            got.append(Reader(connection.receive_exactly(length)).number("i"))
        assert got == wanted, got
