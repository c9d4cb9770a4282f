"""Configurations: DescribeConfigs, IncrementalAlterConfigs, AlterConfigs."""

from harness.referee.play import scenario

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def describe(kind, name, keys=None, **options):
    return {"resources": [{"resourceType": kind, "resourceName": name, "configurationKeys": keys}], **options}


def change(kind, name, *edits, **options):
    configs = [{"name": key, "configOperation": operation, "value": value} for key, operation, value in edits]
    return {"resources": [{"resourceType": kind, "resourceName": name, "configs": configs}], **options}


def replace(kind, name, *pairs, **options):
    configs = [{"name": key, "value": value} for key, value in pairs]
    return {"resources": [{"resourceType": kind, "resourceName": name, "configs": configs}], **options}


def has(key, value, source=None):
    """The first resource tells this value of this key, and where it was set if that is asked for."""
    def told(answer):
        return any(one["name"] == key and one["value"] == value and source in (None, one["configSource"]) for one in answer["results"][0]["configs"])

    return told


@scenario(core=True)
def configurations_of_a_topic_are_described(play):
    topic = play.topic("plain")
    changed = play.topic("changed", retention_ms=1_000, cleanup_policy="compact")
    for version in play.versions("DescribeConfigs"):
        play.call("plain", "DescribeConfigs", version, describe(TOPIC, topic))
        play.call("with synonyms", "DescribeConfigs", version, describe(TOPIC, topic, includeSynonyms=True))
        play.call("changed, with synonyms", "DescribeConfigs", version, describe(TOPIC, changed, includeSynonyms=True))
        play.call("some keys", "DescribeConfigs", version, describe(TOPIC, topic, ["retention.ms", "no.such", "cleanup.policy"]))
        play.call("no keys", "DescribeConfigs", version, describe(TOPIC, topic, []))
    for version in play.versions("DescribeConfigs", first=3):
        play.call("with documentation", "DescribeConfigs", version, describe(TOPIC, topic, ["retention.ms"], includeDocumentation=True))


@scenario(core=True)
def configurations_of_the_broker_are_described(play):
    for version in play.versions("DescribeConfigs", first=3):
        play.call("all", "DescribeConfigs", version, describe(BROKER, "1", includeSynonyms=True))
    play.call("some keys", "DescribeConfigs", 4, describe(BROKER, "1", ["log.retention.ms", "num.partitions", "no.such"], includeSynonyms=True))
    play.call("of all brokers", "DescribeConfigs", 4, describe(BROKER, "", includeSynonyms=True))


@scenario(core=True)
def resources_that_are_not_there_are_described(play):
    for kind, name in [(TOPIC, "nowhere"), (TOPIC, ""), (TOPIC, "a/b"), (BROKER, "99"), (BROKER, "x"), (BROKER_LOGGER, "99"), (BROKER_LOGGER, ""),
                       (0, "x"), (1, "x"), (3, "x"), (99, "x"), (-1, "x")]:
        for version in (1, 4):
            play.call(f"{kind} {name!r}", "DescribeConfigs", version, describe(kind, name))
    for kind in (BROKER_LOGGER, CLIENT_METRICS, GROUP):
        play.call(f"other kind {kind}", "DescribeConfigs", 4, describe(kind, "1"))
    play.call("nothing", "DescribeConfigs", 4, {"resources": []})
    topic = play.topic()
    play.call("two and an unknown one", "DescribeConfigs", 4, {"resources": [
        {"resourceType": TOPIC, "resourceName": name, "configurationKeys": ["retention.ms"]} for name in (topic, "nowhere", topic)]})


@scenario(core=True)
def configurations_are_changed_one_by_one(play):
    topic = play.topic()
    for version in play.versions("IncrementalAlterConfigs"):
        play.call("set", "IncrementalAlterConfigs", version, change(TOPIC, topic, ("retention.ms", SET, f"{version + 1}000")))
        play.call(f"then {version}", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms"], includeSynonyms=True),
                  until=has("retention.ms", f"{version + 1}000"))
        play.call("only checked", "IncrementalAlterConfigs", version, change(TOPIC, topic, ("retention.ms", SET, "77"), validateOnly=True))
        play.call("nothing", "IncrementalAlterConfigs", version, {"resources": []})
        play.call("no edits", "IncrementalAlterConfigs", version, change(TOPIC, topic))
    play.call("append", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("cleanup.policy", APPEND, "compact")))
    play.call("appended", "DescribeConfigs", 4, describe(TOPIC, topic, ["cleanup.policy"]), until=has("cleanup.policy", "delete,compact"))
    play.call("append again", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("cleanup.policy", APPEND, "compact")))
    play.call("subtract", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("cleanup.policy", SUBTRACT, "delete")))
    play.call("subtracted", "DescribeConfigs", 4, describe(TOPIC, topic, ["cleanup.policy"]), until=has("cleanup.policy", "compact"))
    play.call("subtract what is not there", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("cleanup.policy", SUBTRACT, "delete")))
    play.call("delete", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("retention.ms", DELETE, None)))
    play.call("deleted", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms"], includeSynonyms=True), until=has("retention.ms", "604800000"))
    play.call("delete again", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("retention.ms", DELETE, None)))


@scenario(core=True)
def wrong_changes_of_a_topic_are_refused(play):
    topic = play.topic()
    for case, edits in [("unknown key", [("no.such", SET, "1")]), ("delete an unknown key", [("no.such", DELETE, None)]), ("empty key", [("", SET, "1")]),
                        ("no number", [("retention.ms", SET, "x")]), ("out of range", [("retention.ms", SET, "-2")]), ("no value", [("retention.ms", SET, None)]),
                        ("append to a number", [("retention.ms", APPEND, "1")]), ("subtract from a number", [("retention.ms", SUBTRACT, "1")]),
                        ("append nothing", [("cleanup.policy", APPEND, None)]), ("append a wrong policy", [("cleanup.policy", APPEND, "shred")]),
                        ("twice", [("retention.ms", SET, "1"), ("retention.ms", SET, "2")]),
                        ("set and delete", [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)]),
                        ("right and wrong", [("retention.ms", SET, "5"), ("segment.bytes", SET, "x")]), ("blank", [("retention.ms", SET, " 7 ")])]:
        for version in (0, 1):
            play.call(case, "IncrementalAlterConfigs", version, change(TOPIC, topic, *edits, validateOnly=True))
    play.call("right and wrong, not only checked", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("retention.ms", SET, "5"), ("segment.bytes", SET, "x")))
    play.call("nothing was changed", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms", "segment.bytes"]))


@scenario(core=True)
def changes_of_what_is_not_there_are_refused(play):
    for kind, name in [(TOPIC, "nowhere"), (TOPIC, ""), (TOPIC, "a/b"), (BROKER, "99"), (BROKER, "x"), (0, "x"), (1, "x"), (3, "x"), (99, "x")]:
        play.call(f"incremental {kind} {name!r}", "IncrementalAlterConfigs", 1, change(kind, name, ("retention.ms", SET, "1")))
        play.call(f"whole {kind} {name!r}", "AlterConfigs", 2, replace(kind, name, ("retention.ms", "1")))
    topic = play.topic()
    play.call("the same topic twice", "IncrementalAlterConfigs", 1, {"resources": [
        {"resourceType": TOPIC, "resourceName": topic, "configs": [{"name": "retention.ms", "configOperation": SET, "value": str(value)}]} for value in (1, 2)]})
    play.call("one known, one not", "IncrementalAlterConfigs", 1, {"resources": [
        {"resourceType": TOPIC, "resourceName": name, "configs": [{"name": "retention.ms", "configOperation": SET, "value": "9"}]} for name in (topic, "nowhere")]})


@scenario(core=True)
def configurations_are_replaced_as_a_whole(play):
    topic = play.topic("known", retention_ms=1_000, segment_ms=2_000)
    for version in play.versions("AlterConfigs"):
        play.call("replace", "AlterConfigs", version, replace(TOPIC, topic, ("retention.ms", f"{version}500")))
        play.call("only checked", "AlterConfigs", version, replace(TOPIC, topic, ("retention.ms", "1"), validateOnly=True))
        play.call("unknown key", "AlterConfigs", version, replace(TOPIC, topic, ("no.such", "1")))
        play.call("wrong value", "AlterConfigs", version, replace(TOPIC, topic, ("retention.ms", "x")))
        play.call("no value", "AlterConfigs", version, replace(TOPIC, topic, ("retention.ms", None)))
        play.call("twice", "AlterConfigs", version, replace(TOPIC, topic, ("retention.ms", "1"), ("retention.ms", "2"), validateOnly=True))
        play.call("unknown topic", "AlterConfigs", version, replace(TOPIC, "nowhere", ("retention.ms", "1")))
        play.call("nothing", "AlterConfigs", version, {"resources": []})
    wanted = replace(TOPIC, topic, ("retention.ms", "2500"))
    play.call("the last", "AlterConfigs", 2, wanted)
    play.call("is what there is", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms", "segment.ms"], includeSynonyms=True),
              until=has("retention.ms", "2500"))
    play.call("empty", "AlterConfigs", 2, replace(TOPIC, topic))
    play.call("is the default", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms", "segment.ms"], includeSynonyms=True),
              until=has("retention.ms", "604800000"))


OTHER_VALUES = {
    "cleanup.policy": "compact,delete", "compression.type": "lz4", "compression.gzip.level": "3", "compression.lz4.level": "5",
    "compression.zstd.level": "7", "delete.retention.ms": "1000", "file.delete.delay.ms": "2000", "flush.messages": "100", "flush.ms": "3000",
    "index.interval.bytes": "8192", "max.compaction.lag.ms": "100000", "max.message.bytes": "20000", "message.timestamp.after.max.ms": "5000",
    "message.timestamp.before.max.ms": "6000", "message.timestamp.type": "LogAppendTime", "min.cleanable.dirty.ratio": "0.25",
    "min.compaction.lag.ms": "10", "min.insync.replicas": "1", "preallocate": "true", "retention.bytes": "1000000", "retention.ms": "70000",
    "segment.bytes": "2000000", "segment.index.bytes": "100000", "segment.jitter.ms": "5", "segment.ms": "80000",
    "unclean.leader.election.enable": "true", "leader.replication.throttled.replicas": "*", "follower.replication.throttled.replicas": "0:1",
    "local.retention.ms": "100", "local.retention.bytes": "200", "remote.log.copy.disable": "false", "remote.log.delete.on.disable": "false"}


@scenario(core=True)
def every_key_is_taken_and_told(play):
    for name, value in OTHER_VALUES.items():
        topic = play.topic(name.replace(".", "-"))
        play.call(f"{name} set", "IncrementalAlterConfigs", 1, change(TOPIC, topic, (name, SET, value)))
        play.call(f"{name} told", "DescribeConfigs", 4, describe(TOPIC, topic, [name], includeSynonyms=True),
                  until=has(name, value, source=1))
    together = play.name("together")
    play.call("all of a new topic", "CreateTopics", 7, {"topics": [{"name": together, "numPartitions": 1, "replicationFactor": 1, "configs": [
        {"name": name, "value": value} for name, value in OTHER_VALUES.items()]}], "timeoutMs": 10_000})
    play.await_topic(together)
    play.call("all are told", "DescribeConfigs", 4, describe(TOPIC, together, includeSynonyms=True))


@scenario(core=True)
def keys_of_the_broker_change_live_or_not(play):
    for name, value in [("background.threads", "11"), ("num.io.threads", "9"), ("message.max.bytes", "2000000"), ("log.cleaner.threads", "2"),
                        ("compression.type", "gzip"), ("log.segment.bytes", "2000000"), ("log.flush.interval.ms", "500"), ("min.insync.replicas", "1"),
                        ("unclean.leader.election.enable", "true"), ("max.connections", "5000"), ("max.connections.per.ip", "100"),
                        ("max.connection.creation.rate", "1000"), ("num.partitions", "3"), ("auto.create.topics.enable", "false"),
                        ("offsets.retention.minutes", "5"), ("group.initial.rebalance.delay.ms", "5"), ("transaction.max.timeout.ms", "5"),
                        ("producer.id.expiration.ms", "100000"), ("transaction.partition.verification.enable", "true"), ("listeners", "PLAINTEXT://:0"),
                        ("log.retention.hours", "5"), ("log.roll.ms", "70000"), ("default.replication.factor", "1"), ("broker.rack", "r"),
                        ("leader.replication.throttled.rate", "100"), ("metric.reporters", ""), ("log.message.timestamp.type", "LogAppendTime"),
                        ("log.message.timestamp.type", "Never"), ("log.cleanup.policy", "shred"), ("num.network.threads", "0"), ("num.io.threads", "x")]:
        for kind, broker in [("one", "1"), ("all", "")]:
            play.call(f"{kind}: {name}={value}", "IncrementalAlterConfigs", 1, change(BROKER, broker, (name, SET, value), validateOnly=True))


@scenario()
def configurations_of_the_broker_are_changed(play):
    topic = play.topic()
    for kind, name in [("one", "1"), ("all", "")]:
        play.call(f"{kind}: set", "IncrementalAlterConfigs", 1, change(BROKER, name, ("log.retention.ms", SET, "7000000")))
        play.call(f"{kind}: told", "DescribeConfigs", 4, describe(BROKER, name, ["log.retention.ms"], includeSynonyms=True),
                  until=has("log.retention.ms", "7000000"))
        play.call(f"{kind}: topics follow", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms"], includeSynonyms=True),
                  until=has("retention.ms", "7000000"))
        play.call(f"{kind}: read-only key", "IncrementalAlterConfigs", 1, change(BROKER, name, ("node.id", SET, "5")))
        play.call(f"{kind}: unknown key", "IncrementalAlterConfigs", 1, change(BROKER, name, ("no.such", SET, "5"), validateOnly=True))
        play.call(f"{kind}: wrong value", "IncrementalAlterConfigs", 1, change(BROKER, name, ("log.retention.ms", SET, "x")))
        play.call(f"{kind}: delete", "IncrementalAlterConfigs", 1, change(BROKER, name, ("log.retention.ms", DELETE, None)))
        play.call(f"{kind}: topics follow back", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms"], includeSynonyms=True),
                  until=has("retention.ms", "604800000"))
