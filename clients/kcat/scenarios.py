"""kcat (Debian's, librdkafka 2.0.2): an old client that tests the broker's version ranges to the letter."""

import os
import random
import re
import signal
import subprocess
import threading
import time

from harness.scenarios import scenario
from harness.wire import CODECS, Connection

RECORDS = 1_000_000
# Length-delimited output, so that any byte may stand in a key or a value.
FORMAT = r"%p %o %K %S %h\n%k%s\n"


def kcat(context, *arguments, given=b"", seconds_max=120):
    """Runs kcat to its end; what it wrote to its standard output."""
    command = ["kcat", "-b", context.bootstrap, "-m", "20", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=seconds_max, env=environment())
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def environment():
    """No configuration file of the user's decides what is tested."""
    return {**os.environ, "KCAT_CONFIG": os.devnull}


def consume(context, *arguments):
    """[(partition, offset, key, value, headers)] of everything that is there; None is Kafka's null."""
    output = kcat(context, "-C", "-q", "-e", "-t", context.topic, "-f", FORMAT, *(arguments or ["-o", "beginning"]))
    return parse(output)


def parse(output):
    messages, position = [], 0
    while position < len(output):
        end = output.index(b"\n", position)
        partition, offset, key_bytes, value_bytes, headers = output[position:end].split(b" ", 4)
        position = end + 1
        pieces = []
        for length in (int(key_bytes), int(value_bytes)):
            pieces.append(None if length < 0 else output[position:position + length])
            position += max(0, length)
        assert output[position:position + 1] == b"\n"
        position += 1
        messages.append((int(partition), int(offset), *pieces, headers.decode()))
    return messages


def values(messages):
    return [value for _partition, _offset, _key, value, _headers in messages]


def create(context, partitions):
    with Connection(context.bootstrap) as connection:
        connection.create_topic(context.topic, partitions)


def lines(count, seed=1):
    """Lines of arbitrary bytes without a line feed; kcat drops empty ones. Repetition lets every codec gain."""
    source = random.Random(seed)
    return [source.randbytes(source.randrange(1, 60)).replace(b"\n", b"?") * 4 for _ in range(count)]


@scenario(each=CODECS)
def records_come_back_byte_for_byte(context, codec):
    sent = lines(2_000)
    kcat(context, "-P", "-t", context.topic, "-z", codec, "-X", "linger.ms=50", given=b"\n".join(sent))
    got = consume(context)
    assert values(got) == sent
    assert [offset for _partition, offset, *_ in got] == list(range(len(sent)))
    with Connection(context.bootstrap) as connection:
        # librdkafka of this age sends uncompressed, silently, when Produce 0 is not advertised.
        stored = connection.stored_codecs(context.topic)
    assert stored == {codec}, f"stored as {stored}"


@scenario()
def keys_and_headers_come_back_also_duplicate_ones(context):
    kcat(context, "-P", "-t", context.topic, "-K", ":", "-H", "a=1", "-H", "a=2", "-H", "b=x", given=b"k1:v1\nk2:v2\n")
    got = [message[2:] for message in consume(context)]
    assert got == [(b"k1", b"v1", "a=1,a=2,b=x"), (b"k2", b"v2", "a=1,a=2,b=x")], got


@scenario()
def null_keys_and_null_values_stay_null(context):
    kcat(context, "-P", "-t", context.topic, "-Z", "-K", ":", given=b"tombstone:\nkept:v\n")
    kcat(context, "-P", "-t", context.topic, given=b"keyless\n")
    got = [message[2:4] for message in consume(context)]
    assert got == [(b"tombstone", None), (b"kept", b"v"), (None, b"keyless")], got


@scenario()
def a_topic_is_created_by_the_first_produce(context):
    kcat(context, "-P", "-t", context.topic, given=b"first\n")
    assert values(consume(context)) == [b"first"]


@scenario()
def metadata_lists_brokers_topics_and_partitions(context):
    create(context, 3)
    listing = kcat(context, "-L", "-t", context.topic).decode()
    assert re.search(rf"broker \d+ at {re.escape(context.bootstrap)}", listing), listing
    assert f'topic "{context.topic}" with 3 partitions' in listing, listing
    assert len(re.findall(r"partition \d+, leader \d+, replicas: \d+, isrs: \d+", listing)) == 3, listing
    assert context.topic in kcat(context, "-L").decode()


@scenario()
def offsets_select_what_is_read(context):
    kcat(context, "-P", "-t", context.topic, given=b"\n".join(b"%d" % number for number in range(100)))
    assert values(consume(context, "-o", "beginning"))[0] == b"0"
    assert values(consume(context, "-o", "95")) == [b"95", b"96", b"97", b"98", b"99"]
    assert values(consume(context, "-o", "-3")) == [b"97", b"98", b"99"]
    assert values(consume(context, "-o", "end")) == []


@scenario()
def timestamps_find_their_offsets(context):
    for text in (b"early", b"late"):
        kcat(context, "-P", "-t", context.topic, given=text)
        time.sleep(0.05)
    stamps = [int(stamp) for stamp in
              kcat(context, "-C", "-q", "-e", "-t", context.topic, "-o", "beginning", "-f", r"%T\n").split()]
    assert stamps[0] < stamps[1], stamps

    def query(timestamp):
        answer = kcat(context, "-Q", "-t", f"{context.topic}:0:{timestamp}").decode()
        return int(re.search(r"\[0\] offset (-?\d+)", answer).group(1))

    assert query(stamps[0]) == 0
    assert query(stamps[0] + 1) == 1
    assert query(stamps[1]) == 1
    assert query(stamps[1] + 1) == -1, "no record is that young"
    assert query(-2) == 0, "earliest"
    assert query(-1) == 2, "latest"
    assert values(consume(context, "-o", f"s@{stamps[1]}")) == [b"late"]


@scenario()
def an_offset_out_of_range_resets_as_the_policy_says(context):
    kcat(context, "-P", "-t", context.topic, given=b"a\nb\n")
    got = consume(context, "-o", "1000000", "-X", "topic.auto.offset.reset=earliest")
    assert values(got) == [b"a", b"b"]
    assert values(consume(context, "-o", "1000000", "-X", "topic.auto.offset.reset=latest")) == []


@scenario()
def an_idempotent_producer_writes_each_record_once(context):
    sent = lines(20_000, seed=2)
    kcat(context, "-P", "-t", context.topic, "-X", "enable.idempotence=true", given=b"\n".join(sent))
    assert values(consume(context)) == sent


@scenario(each=["0", "1", "-1"])
def every_acks_setting_delivers(context, acks):
    create(context, 1)
    kcat(context, "-P", "-t", context.topic, "-X", f"acks={acks}", given=b"a\nb\n")
    deadline = time.monotonic() + 10
    while values(consume(context)) != [b"a", b"b"]:
        assert time.monotonic() < deadline, "acks=0 is not answered, but still stored"


@scenario()
def a_million_records_stay_in_order(context):
    sent = b"".join(b"%d\n" % number for number in range(RECORDS))
    kcat(context, "-P", "-t", context.topic, "-z", "lz4", given=sent)
    got = kcat(context, "-C", "-q", "-e", "-t", context.topic, "-o", "beginning", "-f", r"%s\n")
    assert got == sent, f"{got.count(10)} lines came back"


@scenario()
def a_group_goes_on_at_its_committed_offset(context):
    sent = [b"%d" % number for number in range(300)]
    kcat(context, "-P", "-t", context.topic, given=b"\n".join(sent))
    assert read_group(context, 100) == sent[:100]
    assert read_group(context, 200) == sent[100:]


@scenario(restarts=True)
def a_group_goes_on_at_its_committed_offset_after_a_broker_restart(context):
    sent = [b"%d" % number for number in range(300)]
    kcat(context, "-P", "-t", context.topic, given=b"\n".join(sent))
    assert read_group(context, 100) == sent[:100]
    context.broker.stop()
    context.broker.start()
    assert read_group(context, 200) == sent[100:]


def read_group(context, count):
    """Consumes so many as a group member, commits and leaves."""
    return kcat(context, "-G", context.group, "-q", "-c", str(count), "-X", "auto.offset.reset=earliest",
                "-f", r"%s\n", context.topic).split()


@scenario()
def a_second_member_shares_the_partitions_and_gives_them_back(context):
    create(context, 4)
    first = Member(context)
    try:
        first.wait_for_partitions(4)
        second = Member(context)
        try:
            first.wait_for_partitions(2)
            second.wait_for_partitions(2)
            assert first.partitions.isdisjoint(second.partitions)
        finally:
            second.leave()
        first.wait_for_partitions(4)
    finally:
        first.leave()


class Member:
    """A kcat that sits in a group; its standard error tells what it was assigned."""

    def __init__(self, context):
        # The default heartbeat of 3 s decides how soon a rebalance is noticed.
        self.process = subprocess.Popen(
            ["kcat", "-b", context.bootstrap, "-G", context.group, "-X", "heartbeat.interval.ms=200", context.topic],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment())
        self.partitions = set()
        self.changed = threading.Condition()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.process.stderr:
            if "rebalanced" not in line:
                continue
            listed = {int(number) for number in re.findall(r"\[(\d+)\]", line)}
            with self.changed:
                self.partitions = listed if "assigned" in line else self.partitions - listed
                self.changed.notify_all()

    def wait_for_partitions(self, count, seconds_max=30):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.partitions) == count, seconds_max), \
                f"wanted {count} partitions, has {self.partitions}"

    def leave(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("kcat did not leave its group within 20 s") from None
