"""ConsumerGroupCommand and GroupsCommand, over groups that the console consumer and the verifiable consumer make."""

from harness.scenarios import scenario
from harness.waiting import until
from kafka_tools.tools import Tool

TOPIC = Tool("TopicCommand")
GROUP = Tool("consumer.group.ConsumerGroupCommand")
GROUPS = Tool("GroupsCommand")
PRODUCER = Tool("ConsoleProducer")
CONSUMER = Tool("consumer.ConsoleConsumer")


def table(text):
    """The rows of a printed table as dictionaries; the heading is the line that begins with GROUP or TOPIC."""
    lines = text.splitlines()
    begin = next((at for at, line in enumerate(lines) if line.startswith(("GROUP ", "TOPIC "))), len(lines))
    names = [name for name in lines[begin].replace("COORDINATOR (ID)", "COORDINATOR").split()] if begin < len(lines) else []
    cells = [line.replace("  (", "(").split() for line in lines[begin + 1:]]
    return [dict(zip(names, row)) for row in cells if len(row) == len(names)]


def fill(context, count=6):
    TOPIC(context, f"--create --topic {context.topic}")
    PRODUCER(context, f"--topic {context.topic}", stdin="".join(f"value {number}\n" for number in range(count)))


def read(context, count):
    CONSUMER(context, f"--topic {context.topic} --group {context.group} --max-messages {count} --consumer-property auto.offset.reset=earliest")


def describe(context, words=""):
    return table(GROUP(context, f"--describe --group {context.group} {words}"))


@scenario()
def group_command_describes_a_group_that_lives_and_one_that_rests(context):
    name, group = context.topic, context.group
    fill(context)
    read(context, 4)

    def state():
        return {row["GROUP"]: row["STATE"] for row in table(GROUP(context, "--list --state"))}

    until("at rest", lambda: state().get(group) == "Empty")
    assert group in GROUP(context, "--list").split()
    assert {"GROUP": group, "TYPE": "Classic"} in table(GROUP(context, "--list --type"))
    assert group in GROUP(context, "--list --state Empty") and group not in GROUP(context, "--list --state Stable,PreparingRebalance")
    assert {"GROUP": group, "TYPE": "Classic", "PROTOCOL": "consumer"} in table(GROUPS(context, "--list --consumer"))
    resting = {"GROUP": group, "TOPIC": name, "PARTITION": "0", "CURRENT-OFFSET": "4", "LOG-END-OFFSET": "6", "LAG": "2"}
    assert describe(context) == [{**resting, "CONSUMER-ID": "-", "HOST": "-", "CLIENT-ID": "-"}]
    live = CONSUMER.start(context, f"--topic {name} --group {group} --consumer-property client.id=live")
    live.until("value 5")
    assert state()[group] == "Stable"
    (row,) = describe(context)
    assert row.items() >= {"LOG-END-OFFSET": "6", "HOST": "/127.0.0.1", "CLIENT-ID": "live"}.items() and row["CONSUMER-ID"].startswith("live-"), row
    (row,) = describe(context, "--members --verbose")
    assert row.items() >= {"CLIENT-ID": "live", "#PARTITIONS": "1", "CURRENT-ASSIGNMENT": f"{name}:0"}.items(), row
    (row,) = describe(context, "--state")
    assert row.items() >= {"ASSIGNMENT-STRATEGY": "range", "STATE": "Stable", "#MEMBERS": "1"}.items(), row
    refused = GROUP(context, f"--reset-offsets --group {group} --topic {name} --to-earliest --execute")
    assert f"can only be reset if the group '{group}' is inactive, but the current state is Stable" in refused, refused
    assert "GroupNotEmptyException" in GROUP(context, f"--delete --group {group}")
    assert "GroupSubscribedToTopicException" in GROUP(context, f"--delete-offsets --group {group} --topic {name}")
    live.interrupt()
    assert describe(context) == [{**resting, "CURRENT-OFFSET": "6", "LAG": "0", "CONSUMER-ID": "-", "HOST": "-", "CLIENT-ID": "-"}]
    assert "GroupIdNotFoundException" in GROUP(context, f"--describe --group {group}-none")


@scenario()
def group_command_resets_deletes_offsets_and_groups(context):
    name, group = context.topic, context.group
    fill(context)
    read(context, 4)

    def reset(how, offset, words="--execute", of=group):
        said = GROUP(context, f"--reset-offsets --group {of} --topic {name} {how} {words}")
        assert table(said) == [{"GROUP": of, "TOPIC": name, "PARTITION": "0", "NEW-OFFSET": str(offset)}], said

    reset("--to-earliest", 0, "--dry-run")
    assert describe(context)[0]["CURRENT-OFFSET"] == "4"
    for how, offset in [("--to-earliest", 0), ("--to-offset 3", 3), ("--shift-by -1", 2), ("--to-datetime 2020-01-01T00:00:00.000", 0),
                        ("--to-datetime 2100-01-01T00:00:00.000", 6), ("--to-offset 99", 6), ("--by-duration PT24H", 0),
                        ("--to-latest", 6), ("--shift-by -4", 2), ("--to-current", 2)]:
        reset(how, offset)
        assert describe(context)[0]["CURRENT-OFFSET"] == str(offset), how
    assert CONSUMER(context, f"--topic {name} --group {group} --max-messages 1").splitlines()[0] == "value 2"
    assert f"{name},0,1" in GROUP(context, f"--reset-offsets --group {group} --all-topics --to-offset 1 --export --dry-run")
    reset("--to-offset 2", 2, of=f"{group}-new")
    assert table(GROUP(context, f"--delete-offsets --group {group} --topic {name}")) == [
        {"TOPIC": name, "PARTITION": "0", "STATUS": "Successful"}]
    assert describe(context) == []
    for one in (group, f"{group}-new"):
        assert f"Deletion of requested consumer groups ('{one}') was successful." in GROUP(context, f"--delete --group {one}")
    assert "GroupIdNotFoundException" in GROUP(context, f"--delete --group {group}")
    assert "GroupIdNotFoundException" in GROUP(context, f"--delete-offsets --group {group} --topic {name}")
    assert group not in GROUP(context, "--list").split()
