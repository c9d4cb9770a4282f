"""TopicCommand, ConfigCommand and the tools that look at logs."""

import json

from harness.scenarios import scenario
from harness.waiting import until
from kafka_tools.tools import Tool

TOPIC = Tool("TopicCommand")
CONFIG = Tool("kafka.admin.ConfigCommand")
OFFSETS = Tool("GetOffsetShell")
DELETE_RECORDS = Tool("DeleteRecordsCommand")
LOG_DIRS = Tool("LogDirsCommand")
PRODUCER = Tool("ConsoleProducer")


def described(context, name):
    """The lines of --describe without what differs: the id, and the eligible leader replicas of KRaft."""
    first, *partitions = TOPIC(context, f"--describe --topic {name}").rstrip("\n").split("\n")
    fields = dict(field.split(": ", 1) for field in first.split("\t"))
    return fields, [line.strip().split("\tElr:")[0].split("\t") for line in partitions]


def configs(text):
    """Name to value, of the lines that ConfigCommand prints."""
    lines = [line.strip().split(" sensitive=")[0] for line in text.splitlines() if " sensitive=" in line]
    return dict(line.split("=", 1) for line in lines)


def write_json(context, name, content):
    path = context.directory / name
    path.write_text(json.dumps(content))
    return path


@scenario()
def topic_command_makes_describes_enlarges_and_deletes(context):
    name = context.topic
    said = TOPIC(context, f"--create --topic {name} --partitions 3 --config retention.ms=3600000 --config cleanup.policy=compact")
    assert said == f"Created topic {name}.\n", said
    assert f"Topic '{name}' already exists." in TOPIC(context, f"--create --topic {name}", status=1)
    assert TOPIC(context, f"--create --if-not-exists --topic {name}") == ""
    fields, partitions = described(context, name)
    assert [fields["Topic"], fields["PartitionCount"], fields["ReplicationFactor"]] == [name, "3", "1"], fields
    assert {"retention.ms=3600000", "cleanup.policy=compact"} <= set(fields["Configs"].split(",")), fields
    for number, (of, partition, leader, replicas, in_sync) in enumerate(partitions):
        assert [of, partition] == [f"Topic: {name}", f"Partition: {number}"], partitions
        assert leader.split()[1] == replicas.split()[1] == in_sync.split()[1], partitions
    assert len(partitions) == 3
    assert f"Topic: {name}\t" in TOPIC(context, "--describe --topics-with-overrides")
    for kind in ("unavailable-partitions", "under-replicated-partitions", "under-min-isr-partitions"):
        assert name not in TOPIC(context, f"--describe --{kind}")
    assert f"Topic: {name}\tPartition: 2\t" in TOPIC(context, f"--describe --at-min-isr-partitions --topic {name}")
    assert TOPIC(context, f"--alter --topic {name} --partitions 5") == ""
    until("five partitions", lambda: len(described(context, name)[1]) == 5)
    refused = TOPIC(context, f"--alter --topic {name} --partitions 2", status=1)
    assert f"The topic {name} currently has 5 partition(s); 2 would not be an increase." in refused, refused
    assert name in TOPIC(context, "--list --exclude-internal").splitlines()
    assert TOPIC(context, f"--delete --topic {name}") == ""
    until("deleted", lambda: name not in TOPIC(context, "--list").splitlines())
    for word in ("--delete", "--describe", "--alter --partitions 9"):
        assert f"Topic '{name}' does not exist as expected" in TOPIC(context, f"{word} --topic {name}", status=1)


@scenario()
def topic_command_is_told_what_cannot_be_made(context):
    name = context.topic
    assert TOPIC(context, f"--create --topic {name} --replica-assignment 1,1") == f"Created topic {name}.\n"
    assert len(described(context, name)[1]) == 2
    for wrong in ("--replication-factor 3", "--config nothing=1", "--config retention.ms=soon", "--partitions 0", "--replica-assignment 77"):
        said = TOPIC(context, f"--create --topic {name}-wrong {wrong}", status=1)
        assert "rror" in said or "must be" in said, said
    assert "is invalid" in TOPIC(context, "--create --topic not/a/name", status=1)
    assert f"{name}-wrong" not in TOPIC(context, "--list")


@scenario()
def names_that_collide_in_metrics_are_refused(context):
    assert f"Created topic {context.topic}.a.\n" in TOPIC(context, f"--create --topic {context.topic}.a")
    said = TOPIC(context, f"--create --topic {context.topic}_a", status=1)
    assert f"Topic '{context.topic}_a' collides with existing topic: {context.topic}.a" in said, said


@scenario()
def config_command_changes_a_topic(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name} --config cleanup.policy=compact")
    assert configs(CONFIG(context, f"--topic {name} --describe")) == {"cleanup.policy": "compact"}
    said = CONFIG(context, f"--entity-type topics --entity-name {name} --alter --delete-config cleanup.policy "
                  "--add-config retention.ms=7200000,max.message.bytes=2000000")
    assert said == f"Completed updating config for topic {name}.\n", said
    wanted = {"retention.ms": "7200000", "max.message.bytes": "2000000"}
    until("the settings changed", lambda: configs(CONFIG(context, f"--topic {name} --describe")) == wanted)
    everything = CONFIG(context, f"--topic {name} --describe --all")
    assert configs(everything).items() >= {**wanted, "cleanup.policy": "delete", "segment.bytes": "1073741824"}.items()
    assert "synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000, DEFAULT_CONFIG:message.max.bytes=1048588}" in everything
    assert "cleanup.policy=delete sensitive=false synonyms={DEFAULT_CONFIG:log.cleanup.policy=delete}" in everything
    assert f"Dynamic configs for topic {name} are:" in CONFIG(context, "--entity-type topics --describe")
    for wrong in ("--add-config nothing=1", "--add-config retention.ms=soon"):
        assert "InvalidConfigurationException" in CONFIG(context, f"--topic {name} --alter {wrong}", status=1)
    assert "Invalid config(s): nothing" in CONFIG(context, f"--topic {name} --alter --delete-config nothing", status=1)
    assert configs(CONFIG(context, f"--topic {name} --describe")) == wanted
    assert "UnknownTopicOrPartition" in CONFIG(context, f"--topic {name}-none --alter --add-config retention.ms=1", status=1)
    assert f"The topic '{name}-none' doesn't exist" in CONFIG(context, f"--topic {name}-none --describe")


@scenario()
def config_command_changes_a_broker_and_the_default_of_all(context):
    of_one, of_all = "--entity-type brokers --entity-name 1", "--entity-type brokers --entity-default"

    def has(what, setting, there=True):
        name, value = setting.split("=")
        until(f"{setting} is {there}", lambda: (configs(CONFIG(context, f"{what} --describe")).get(name) == value) == there)

    everything = configs(CONFIG(context, f"{of_one} --describe --all"))
    assert len(everything) > 100 and everything["message.max.bytes"] == "1048588", everything
    said = CONFIG(context, f"{of_all} --alter --add-config log.retention.ms=86400000")
    assert said == "Completed updating default config for brokers in the cluster.\n"
    try:
        assert CONFIG(context, f"{of_one} --alter --add-config message.max.bytes=2000000") == "Completed updating config for broker 1.\n"
        has(of_all, "log.retention.ms=86400000")
        has(of_one, "message.max.bytes=2000000")
        has(of_all, "message.max.bytes=2000000", there=False)
        TOPIC(context, f"--create --topic {context.topic}")
        of_topic = CONFIG(context, f"--topic {context.topic} --describe --all")
        assert configs(of_topic).items() >= {"retention.ms": "86400000", "max.message.bytes": "2000000"}.items(), of_topic
        assert "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000" in of_topic, of_topic
        assert "DYNAMIC_BROKER_CONFIG:message.max.bytes=2000000" in of_topic, of_topic
    finally:
        CONFIG(context, f"{of_one} --alter --delete-config message.max.bytes")
        CONFIG(context, f"{of_all} --alter --delete-config log.retention.ms")
    has(of_one, "message.max.bytes=2000000", there=False)
    has(of_all, "log.retention.ms=86400000", there=False)
    refused = CONFIG(context, f"{of_one} --alter --add-config log.dirs=elsewhere", status=1)
    assert "Cannot update these configs dynamically" in refused, refused


@scenario()
def offsets_are_told_deleted_and_measured(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name} --partitions 2")
    PRODUCER(context, f"--topic {name} --property parse.key=true", stdin="".join(f"same\t{number}\n" for number in range(10)))

    def at(time, partitions=name):
        return OFFSETS(context, f"--topic-partitions {partitions} --time {time}").split()

    full = next(line for line in at("latest") if line.endswith(":10"))
    partition = int(full.split(":")[1])
    empty = f"{name}:{1 - partition}:0"
    assert sorted(at(-1)) == sorted([full, empty])
    assert sorted(at("earliest")) == sorted([f"{name}:{partition}:0", empty])
    assert at(1) == [f"{name}:{partition}:0"]
    # The last of those with the largest timestamp, or the first: several records may share it.
    assert at("max-timestamp")[0].startswith(f"{name}:{partition}:")
    assert full in OFFSETS(context, f"--topic {name}").split() and full in OFFSETS(context, "--exclude-internal-topics").split()

    def delete(offset):
        spot = {"topic": name, "partition": partition, "offset": offset}
        return DELETE_RECORDS(context, "--offset-json-file", write_json(context, "delete.json", {"version": 1, "partitions": [spot]}))

    assert f"partition: {name}-{partition}\tlow_watermark: 3" in delete(3)
    assert at("earliest", f"{name}:{partition}") == [f"{name}:{partition}:3"]
    assert "OffsetOutOfRangeException" in delete(300)
    assert "low_watermark: 10" in delete(-1)
    described = json.loads(LOG_DIRS(context, f"--describe --topic-list {name}").splitlines()[-1])
    directories = [directory for broker in described["brokers"] for directory in broker["logDirs"]]
    found = [one for directory in directories for one in directory["partitions"]]
    assert all(directory["error"] is None for directory in directories), described
    assert sorted(one["partition"] for one in found) == [f"{name}-0", f"{name}-1"], described
    assert all(one["offsetLag"] == 0 and not one["isFuture"] for one in found), described
    assert "7" in LOG_DIRS(context, "--describe --broker-list 7", status=1)
