"""What is still so after the broker was stopped and started again. Each scenario yields where that happens."""

from harness.referee.play import produce, scenario
from referee_cases.commits import commit, committed
from referee_cases.configs import TOPIC, describe
from referee_cases.fetch import fetch, partition
from referee_cases.membership import beat, join, lone_member, sync
from referee_cases.transactions import Writer, add, end, init

# One broker waits for the other before both restart.
LONG_MS = 600_000


def await_leader(play, topic, partitions=1):
    play.await_topic(topic, partitions)
    play.await_leaders(topic, partitions)


@scenario()
def records_and_offsets_outlive_a_restart(play):
    topic = play.topic(partitions=2, retention_ms=7_000_000_000)
    play.fill(topic, play.batch("a", "b"), play.batch("c", at=50, codec="zstd"))
    play.quiet("DeleteRecords", {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 1}]}], "timeoutMs": 10_000})
    play.quiet("OffsetCommit", commit(play.name("simple"), topic, (0, 2), (1, 9)))
    yield
    await_leader(play, topic, 2)
    for offset in (0, 1, 2, 3, 4):
        play.call(f"from {offset}", "Fetch", 11, fetch(topic, partition(offset)))
    for timestamp in (-1, -2, -3, play.then_ms, play.then_ms + 20):
        play.call(f"offset of {timestamp - play.then_ms if timestamp > 0 else timestamp}", "ListOffsets", 3, {
            "replicaId": -1, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": timestamp}]}]})
    play.call("committed", "OffsetFetch", 7, committed(7, play.name("simple"), None))
    play.call("configurations", "DescribeConfigs", 4, describe(TOPIC, topic, ["retention.ms"], includeSynonyms=True))
    play.call("the next", "Produce", 9, produce(topic, [play.batch("d")]))
    play.call("a group that was simple", "DescribeGroups", 6, {"groups": [play.name("simple")]})


@scenario()
def epochs_of_leaders_after_a_restart(play):
    topic = play.topic()
    play.fill(topic, play.batch("a"))
    yield
    await_leader(play, topic)
    play.fill(topic, play.batch("b"))
    play.call("metadata", "Metadata", 12, {"topics": [{"name": topic}], "allowAutoTopicCreation": False})
    play.call("of the first record", "Fetch", 12, fetch(topic, partition(0)))
    for epoch in (0, 1, 2):
        play.call(f"end of epoch {epoch}", "OffsetForLeaderEpoch", 4, {"replicaId": -1, "topics": [
            {"topic": topic, "partitions": [{"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": epoch}]}]})


@scenario()
def producers_go_on_after_a_restart(play):
    topic = play.topic(partitions=2)
    producer = play.quiet("InitProducerId", init(None), version=4)["producerId"]

    def send(case, sequence, value, epoch=0, partition=0):
        batch = play.batch(value, producerId=producer, producerEpoch=epoch, baseSequence=sequence)
        play.call(case, "Produce", 9, produce(topic, [batch], partition=partition))

    for sequence in range(3):
        send(f"before {sequence}", sequence, "v")
    yield
    await_leader(play, topic, 2)
    play.call("state", "DescribeProducers", 0, {"topics": [{"name": topic, "partitionIndexes": [0, 1]}]})
    send("the last again", 2, "v")
    send("the first again", 0, "v")
    send("a gap", 5, "v")
    send("the next", 3, "v")
    send("a new epoch", 0, "v", epoch=1)
    send("the old epoch", 4, "v")
    send("a new partition, not from 0", 4, "v", partition=1)


@scenario()
def transactions_go_on_after_a_restart(play):
    topic = play.topic()
    opened, done = (Writer(play, suffix, timeout_ms=LONG_MS) for suffix in ("opened", "done"))
    for writer in (opened, done):
        writer.add(topic, 0)
        writer.write(topic, "a")
    done.end()
    yield
    await_leader(play, topic)
    for writer in (opened, done):
        play.quiet("DescribeTransactions", {"transactionalIds": [writer.id]}, until=lambda answer: answer["transactionStates"][0]["errorCode"] == 0)
    play.call("described", "DescribeTransactions", 0, {"transactionalIds": [opened.id, done.id]})
    play.call("committed records", "Fetch", 11, fetch(topic, partition(), isolationLevel=1))
    play.call("old epoch", "EndTxn", 3, end(opened.id, opened.producer, opened.epoch + 1))
    play.call("added again", "AddPartitionsToTxn", 3, add(*opened.who, (topic, [0])))
    opened.write(topic, "b")
    opened.end()
    play.call("committed records, after the end", "Fetch", 11, fetch(topic, partition(), isolationLevel=1))
    play.call("the other goes on", "InitProducerId", 4, init(done.id, done.producer, done.epoch))


@scenario()
def members_go_on_after_a_restart(play):
    group, fixed = play.name("dynamic"), play.name("static")
    member = lone_member(play, group, session_ms=LONG_MS)
    resident = lone_member(play, fixed, session_ms=LONG_MS, groupInstanceId="i1")
    yield
    topic = play.topic()
    play.call("beats", "Heartbeat", 4, beat(group, 1, member), until=lambda answer: answer["errorCode"] not in (14, 16))
    play.call("commits", "OffsetCommit", 8, commit(group, topic, (0, 4), generation=1, member=member))
    play.call("described", "DescribeGroups", 5, {"groups": [group, fixed]})
    play.call("syncs", "SyncGroup", 5, sync(group, 1, member, protocolType="consumer", protocolName="range"))
    play.call("the static one is back", "JoinGroup", 9, join(fixed, session_ms=LONG_MS, groupInstanceId="i1"))
    play.call("and fenced as it was", "Heartbeat", 4, beat(fixed, 1, resident, groupInstanceId="i1"))
