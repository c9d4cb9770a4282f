"""Partitions are added and shortened: CreatePartitions, DeleteRecords, OffsetForLeaderEpoch."""

from harness.referee.play import scenario


def grow(topic, count, assignments=None, **options):
    assignments = assignments and [{"brokerIds": brokers} for brokers in assignments]
    return {"topics": [{"name": topic, "count": count, "assignments": assignments}], "timeoutMs": 10_000, **options}


@scenario(core=True)
def partitions_are_added_in_every_version(play):
    for version in play.versions("CreatePartitions"):
        topic = play.topic(f"v{version}", partitions=2)
        play.call("only checked", "CreatePartitions", version, grow(topic, 5, validateOnly=True))
        play.call("to three", "CreatePartitions", version, grow(topic, 3))
        play.await_topic(topic, 3)
        play.call("same count", "CreatePartitions", version, grow(topic, 3))
        play.call("fewer", "CreatePartitions", version, grow(topic, 1))
        play.call("unknown topic", "CreatePartitions", version, grow("nowhere", 3))
        play.call("nothing", "CreatePartitions", version, {"topics": [], "timeoutMs": 10_000})


@scenario(core=True)
def counts_and_assignments_of_added_partitions_are_checked(play):
    topic = play.topic("two", partitions=2)
    for count in (0, -1):
        play.call(f"{count}", "CreatePartitions", 3, grow(topic, count, validateOnly=True))
    for case, count, assignments in [("right", 3, [[1]]), ("too few", 4, [[1]]), ("too many", 3, [[1], [1]]), ("none", 3, []),
                                     ("unknown broker", 3, [[99]]), ("same broker twice", 3, [[1, 1]]), ("no brokers", 3, [[]]),
                                     ("two replicas, one unknown", 3, [[1, 99]]), ("different factors", 4, [[1], [1, 2]])]:
        play.call(f"assigned: {case}", "CreatePartitions", 3, grow(topic, count, assignments, validateOnly=True))
    play.call("twice", "CreatePartitions", 3, {"topics": [{"name": topic, "count": 3, "assignments": None}, {"name": topic, "count": 4, "assignments": None}],
                                               "timeoutMs": 10_000})
    play.call("empty name", "CreatePartitions", 3, grow("", 3))
    play.call("impossible name", "CreatePartitions", 3, grow("a/b", 3))
    other = play.topic("other")
    play.call("one known, one not", "CreatePartitions", 3, {"topics": [
        {"name": other, "count": 2, "assignments": None}, {"name": "nowhere", "count": 2, "assignments": None}], "timeoutMs": 10_000})


def records(topic, *offsets):
    partitions = [{"partitionIndex": index, "offset": offset} for index, offset in offsets]
    return {"topics": [{"name": topic, "partitions": partitions}], "timeoutMs": 10_000}


@scenario(core=True)
def records_are_deleted(play):
    topic = play.topic("long")
    play.fill(topic, play.batch("a", "b", "c"), play.batch("d", "e", at=10))
    for version in play.versions("DeleteRecords"):
        play.call("up to", "DeleteRecords", version, records(topic, (0, version + 1)))
        play.call("before the start", "DeleteRecords", version, records(topic, (0, 0)))
        play.call("beyond the end", "DeleteRecords", version, records(topic, (0, 6)))
        play.call("negative", "DeleteRecords", version, records(topic, (0, -2)))
        play.call("unknown partition", "DeleteRecords", version, records(topic, (3, 1)))
        play.call("negative partition", "DeleteRecords", version, records(topic, (-1, 1)))
        play.call("unknown topic", "DeleteRecords", version, records("nowhere", (0, 1)))
        play.call("nothing", "DeleteRecords", version, {"topics": [], "timeoutMs": 10_000})
    listed = {"replicaId": -1, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -2}]}]}
    play.call("start after that", "ListOffsets", 7, listed)
    play.call("all", "DeleteRecords", 2, records(topic, (0, -1)))
    play.call("start after all", "ListOffsets", 7, listed)


@scenario(core=True)
def records_of_compacted_topics_are_not_deleted(play):
    for policy in ("compact", "compact,delete"):
        topic = play.topic(policy.replace(",", "-"), cleanup_policy=policy)
        play.fill(topic, play.batch("a", "b"))
        play.call(policy, "DeleteRecords", 2, records(topic, (0, 1)))


def epochs(topic, *asked, replica=-1):
    return {"replicaId": replica, "topics": [{"topic": topic, "partitions": [
        {"partition": partition, "currentLeaderEpoch": current, "leaderEpoch": epoch} for partition, current, epoch in asked]}]}


@scenario(core=True)
def ends_of_leader_epochs_are_told(play):
    topic = play.topic("long")
    for version in play.versions("OffsetForLeaderEpoch"):
        play.call("empty", "OffsetForLeaderEpoch", version, epochs(topic, (0, -1, 0)))
    play.fill(topic, play.batch("a", "b", "c"))
    for version in play.versions("OffsetForLeaderEpoch"):
        for current in (-1, 0, 1, 7, -2):
            play.call(f"current {current}", "OffsetForLeaderEpoch", version, epochs(topic, (0, current, 0)))
        for epoch in (-1, -2, 1, 9):
            play.call(f"epoch {epoch}", "OffsetForLeaderEpoch", version, epochs(topic, (0, -1, epoch)))
        play.call("unknown partition", "OffsetForLeaderEpoch", version, epochs(topic, (5, -1, 0)))
        play.call("unknown topic", "OffsetForLeaderEpoch", version, epochs("nowhere", (0, -1, 0)))
        play.call("nothing", "OffsetForLeaderEpoch", version, {"replicaId": -1, "topics": []})
    for version in play.versions("OffsetForLeaderEpoch", first=3):
        play.call("as a debugger", "OffsetForLeaderEpoch", version, epochs(topic, (0, -1, 0), replica=-2))
