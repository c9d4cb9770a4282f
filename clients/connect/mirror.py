"""MirrorMaker 2 as a program of its own between the broker under test and an Apache Kafka beside it."""

from contextlib import contextmanager

from connect.worker import command, step, write_properties
from harness.children import Process, Sender
from harness.kafka import Kafka
from harness.scenarios import scenario
from harness.waiting import PATIENCE_SECONDS

SECONDS_MAX = 600
RECORDS = 3_000
CONFIGS = ["retention.ms=7200000", "max.message.bytes=2000000", "message.timestamp.type=CreateTime"]


@contextmanager
def another_broker(context):
    """Apache Kafka, whatever is under test."""
    other = Kafka(context.directory / "other", heap="512m")
    try:
        yield other.start()
    finally:
        other.remove()


def pair(context, other, way):
    """Source and target; `way` says on which side the other broker is."""
    return (other, context.broker) if way == "from-kafka" else (context.broker, other)


def mirror_maker(context, source, target, **more):
    """A process that carries the scenario's topics and groups over: from `source` to `target`, and back if `more` says so."""
    # The groups of its own workers and what it keeps at both brokers are named after the pair of clusters, which must be this scenario's.
    one, two = f"{context.name}-one", f"{context.name}-two"
    once_a_second = ["refresh.topics", "refresh.groups", "sync.topic.configs", "sync.group.offsets", "emit.checkpoints", "emit.heartbeats"]
    properties = {
        "clusters": f"{one}, {two}", f"{one}.bootstrap.servers": source.bootstrap, f"{two}.bootstrap.servers": target.bootstrap,
        f"{one}->{two}.enabled": "true", f"{two}->{one}.enabled": "false",
        "topics": f"{context.topic}.*", "groups": f"{context.group}.*", "tasks.max": 2,
        **{f"{name}.replication.factor": 1 for name in (
            "checkpoints.topic", "heartbeats.topic", "offset-syncs.topic", "config.storage", "offset.storage", "status.storage")},
        "replication.factor": 1, "offset.storage.partitions": 3, "status.storage.partitions": 1,
        **{f"{name}.interval.seconds": 1 for name in once_a_second},
        # A translated offset is as near as the newest pair of offsets that is known; by default that may be a hundred records back.
        "offset.lag.max": 0, "sync.group.offsets.enabled": "true",
        # What is meant for the workers is read under the name of the cluster that they write to, and silently ignored elsewhere.
        **{f"{cluster}.{name}": value for cluster in (one, two) for name, value in {
            "offset.flush.interval.ms": 500, "scheduled.rebalance.max.delay.ms": 0, "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_000}.items()},
        **{name.format(one=one, two=two): value for name, value in more.items()}}
    return Process(context.directory / "mirror.log", command(
        "org.apache.kafka.connect.mirror.MirrorMaker", write_properties(context.directory / "mirror.properties", properties)))


def mirrored(context):
    return f"{context.name}-one.{context.topic}"


def sender_to(context, broker):
    return Sender(command("posthaste.Main", "send-until-told", broker.bootstrap, context.topic), PATIENCE_SECONDS)


def expect_same(context, source, target, count, mirror):
    try:
        step("expect-same", source.bootstrap, target.bootstrap, context.topic, mirrored(context), count)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{mirror.log()}") from None


def expect_offsets(context, source, target, group, count, mirror):
    """A group that reads on for so many records at the source, or until the end, finds its place at the target."""
    group = f"{context.group}-{group}"
    step("commit", source.bootstrap, context.topic, group, count)
    try:
        step("expect-offsets", source.bootstrap, target.bootstrap, context.topic, mirrored(context), group,
             f"{context.name}-one", f"{context.name}-two")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{mirror.log()}") from None


@scenario(tier=2, seconds_max=SECONDS_MAX, each=["from-kafka", "to-kafka"])
def a_topic_with_its_configs_and_groups_is_mirrored(context, way):
    with another_broker(context) as other:
        source, target = pair(context, other, way)
        step("create", source.bootstrap, context.topic, 3, *CONFIGS)
        with mirror_maker(context, source, target) as mirror:
            # Offsets can be translated from the first that are mirrored while the mirror watches: they wait for a group that was at the end.
            step("send", source.bootstrap, context.topic, 0, RECORDS)
            expect_same(context, source, target, RECORDS, mirror)
            step("expect-configs", target.bootstrap, mirrored(context), 3, *CONFIGS)
            expect_offsets(context, source, target, "end", RECORDS, mirror)
            # What changes at the source later comes too.
            step("alter", source.bootstrap, context.topic, 5, "retention.ms=8200000", "delete.retention.ms=4200000")
            step("expect-configs", target.bootstrap, mirrored(context), 5, "retention.ms=8200000", "delete.retention.ms=4200000", *CONFIGS[1:])
            step("send", source.bootstrap, context.topic, RECORDS, 2 * RECORDS)
            expect_same(context, source, target, 2 * RECORDS, mirror)
            expect_offsets(context, source, target, "beginning", 1, mirror)
            expect_offsets(context, source, target, "middle", RECORDS * 3 // 2, mirror)
            # Wherever a group stood, once it has read on to the end its place there is the very one.
            for group in ("beginning", "middle", "end"):
                expect_offsets(context, source, target, group, 2 * RECORDS, mirror)
            mirror.stop()


@scenario(tier=2, seconds_max=SECONDS_MAX)
def two_clusters_that_mirror_each_other_carry_no_record_twice(context):
    with another_broker(context) as other:
        ours = context.broker
        for broker in (ours, other):
            step("create", broker.bootstrap, context.topic, 3)
        step("send", ours.bootstrap, context.topic, 0, RECORDS)
        step("send", other.bootstrap, context.topic, RECORDS, 3 * RECORDS)
        with mirror_maker(context, ours, other, **{"{two}->{one}.enabled": "true"}) as mirror:
            expect_same(context, ours, other, RECORDS, mirror)
            step("expect-same", other.bootstrap, ours.bootstrap, context.topic, f"{context.name}-two.{context.topic}", 2 * RECORDS)
            step("expect-same", other.bootstrap, other.bootstrap, context.topic, context.topic, 2 * RECORDS)
            for broker, alias in [(ours, "two"), (other, "one")]:
                step("expect-topics", broker.bootstrap, context.topic, context.topic, f"{context.name}-{alias}.{context.topic}")
            mirror.stop()


@scenario(tier=2, seconds_max=SECONDS_MAX, restarts=True, each=["from-kafka", "to-kafka"])
def a_mirror_is_exact_over_kills_of_it_and_of_the_broker(context, way):
    exactly_once = {"{two}.exactly.once.source.support": "enabled", "dedicated.mode.enable.internal.rest": "true", "listeners": "http://127.0.0.1:0"}
    with another_broker(context) as other:
        source, target = pair(context, other, way)
        step("create", source.bootstrap, context.topic, 3)
        with sender_to(context, source) as sender:
            with mirror_maker(context, source, target, **exactly_once) as mirror:
                step("expect-some", target.bootstrap, mirrored(context), 1)
                mirror.kill()
            with mirror_maker(context, source, target, **exactly_once) as mirror:
                step("expect-some", target.bootstrap, mirrored(context), RECORDS)
                context.broker.kill()
                context.broker.start()
                expect_same(context, source, target, sender.stop(), mirror)
                mirror.stop()
