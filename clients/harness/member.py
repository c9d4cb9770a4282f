"""A member of a consumer group by hand, in plain sockets: what a client library would not do (die again and again, or hold what it never reads).

Short versions only: FindCoordinator 0, OffsetCommit 2, OffsetFetch 1, Heartbeat 3, JoinGroup 5 and SyncGroup 3, the first that know static members.
"""

import socket
import struct
import time

from harness.wire import Connection, string

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, SYNC_GROUP = 8, 9, 10, 11, 12, 14
# The coordinator is loading, not there yet or elsewhere: every client asks again.
RETRIABLE = {14, 15, 16}
RETRY_SECONDS_MAX = 20
SESSION_MS = 30_000


def counted(data):
    return struct.pack(">i", len(data)) + data


class Member:
    """The only member of its group, and a static one: when it dies and comes back, it is given its partitions again at once."""

    def __init__(self, bootstrap, group, topic, partitions):
        self.connection = Connection(bootstrap)
        self.group, self.topic, self.partitions = group, topic, partitions
        self.instance = f"{group}-instance"
        self.generation, self.id = -1, ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """As a process dies: the group is not told. The connection is reset, since each orderly close would keep a port for a minute."""
        self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.socket.close()

    def until_ready(self, ask):
        """Asks until the coordinator is there; no other error is expected."""
        deadline = time.monotonic() + RETRY_SECONDS_MAX
        while (error := ask()) in RETRIABLE and time.monotonic() < deadline:
            time.sleep(0.05)
        assert error == 0, f"group {self.group}: error {error}"

    def find(self):
        """Makes the broker the coordinator: Kafka creates the topic of offsets when it is first asked."""
        self.until_ready(lambda: self.connection.call(FIND_COORDINATOR, 0, string(self.group)).number("h"))

    def join(self):
        """Joins and takes all partitions."""
        self.find()
        self.until_ready(self.ask_to_join)
        # Version 0 of an assignment: a list of topics with partitions, and no data of the user's.
        partitions = struct.pack(f">i{self.partitions}i", self.partitions, *range(self.partitions))
        assignment = struct.pack(">hi", 0, 1) + string(self.topic) + partitions + struct.pack(">i", -1)
        body = struct.pack(">i", 1) + string(self.id) + counted(assignment)
        reader = self.connection.call(SYNC_GROUP, 3, self.identity() + body)
        reader.number("i")
        error = reader.number("h")
        assert error == 0, f"group {self.group}: error {error} of the synchronisation"

    def ask_to_join(self):
        subscription = struct.pack(">hi", 0, 1) + string(self.topic) + struct.pack(">i", -1)
        body = string(self.group) + struct.pack(">ii", SESSION_MS, SESSION_MS) + string(self.id) + string(self.instance)
        body += string("consumer") + struct.pack(">i", 1) + string("range") + counted(subscription)
        reader = self.connection.call(JOIN_GROUP, 5, body)
        reader.number("i")
        error, self.generation = reader.number("h"), reader.number("i")
        _protocol, _leader, self.id = (reader.string() for _ in range(3))
        return error

    def identity(self):
        return string(self.group) + struct.pack(">i", self.generation) + string(self.id) + string(self.instance)

    def heartbeat(self):
        reader = self.connection.call(HEARTBEAT, 3, self.identity())
        reader.number("i")
        error = reader.number("h")
        assert error == 0, f"group {self.group}: error {error} of a heartbeat"

    def of_partition(self, partition, fields=b""):
        return struct.pack(">i", 1) + string(self.topic) + struct.pack(">ii", 1, partition) + fields

    def commit(self, partition, offset):
        """Commits for a group without members, as an administrator does."""
        self.find()

        def ask():
            body = string(self.group) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1)
            reader = self.connection.call(OFFSET_COMMIT, 2, body + self.of_partition(partition, struct.pack(">q", offset) + string("")))
            ((_topic, ((_index, error),)),) = reader.array(lambda: (reader.string(), reader.array(lambda: (reader.number("i"), reader.number("h")))))
            return error

        self.until_ready(ask)

    def committed(self, partition):
        reader = self.connection.call(OFFSET_FETCH, 1, string(self.group) + self.of_partition(partition))

        def one():
            _index, offset, _metadata, error = reader.number("i"), reader.number("q"), reader.string(), reader.number("h")
            assert error == 0, f"group {self.group}: error {error} of a committed offset"
            return offset

        ((_topic, (offset,)),) = reader.array(lambda: (reader.string(), reader.array(one)))
        return offset
