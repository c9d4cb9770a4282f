"""Batches are read: Fetch, its limits, its epochs and its sessions."""

from harness.referee.play import scenario

UNKNOWN_ID = "3mVzTq6uQ8iJ0d0w4lT0Zw"


def partition(offset=0, index=0, bytes_max=1 << 20, **more):
    return {"partition": index, "fetchOffset": offset, "partitionMaxBytes": bytes_max, **more}


def fetch(topic, *partitions, wait_ms=0, bytes_min=0, bytes_max=8 << 20, topic_id=None, **more):
    name = {"topicId": topic_id} if topic_id else {"topic": topic}
    return {"maxWaitMs": wait_ms, "minBytes": bytes_min, "maxBytes": bytes_max, "topics": [{**name, "partitions": list(partitions)}], **more}


def named(play, version, topic):
    """How a version names a topic."""
    return {"topic_id": play.topic_id(topic)} if version >= 13 else {}


@scenario(core=True)
def batches_are_read_in_every_version(play):
    topic = play.topic()
    play.fill(topic, play.batch("a", "b", "c"), play.batch("d", at=10), play.batch("e", "f", at=20, codec="gzip"))
    for version in play.versions("Fetch"):
        by = named(play, version, topic)
        for case, offset in [("from the start", 0), ("from inside a batch", 1), ("from a batch", 3), ("from the end", 6), ("beyond the end", 7), ("negative", -1)]:
            play.call(case, "Fetch", version, fetch(topic, partition(offset), **by))
        play.call("unknown partition", "Fetch", version, fetch(topic, partition(0, 5), **by))
        play.call("negative partition", "Fetch", version, fetch(topic, partition(0, -1), **by))
        play.call("a byte", "Fetch", version, fetch(topic, partition(0, bytes_max=1), **by))
        play.call("committed", "Fetch", version, fetch(topic, partition(0), isolationLevel=1, **by))
        play.call("nothing", "Fetch", version, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 1000, "topics": []})
    for version in play.versions("Fetch", last=12):
        play.call("unknown topic", "Fetch", version, fetch("nowhere", partition()))
        play.call("impossible name", "Fetch", version, fetch("a/b", partition()))
    for version in play.versions("Fetch", first=13):
        play.call("unknown id", "Fetch", version, fetch(None, partition(), topic_id=UNKNOWN_ID))
        play.call("no id", "Fetch", version, fetch("", partition()))


@scenario(core=True)
def zstd_is_not_read_by_versions_before_it(play):
    topic = play.topic()
    play.fill(topic, play.batch("a"), play.batch("b" * 50, at=10, codec="zstd"), play.batch("c", at=20))
    for version in (4, 9, 10, 12):
        for offset in (0, 1, 2):
            play.call(f"from {offset}", "Fetch", version, fetch(topic, partition(offset)))


@scenario(core=True)
def limits_of_bytes_are_kept(play):
    topic = play.topic(partitions=2)
    for index in range(2):
        play.fill(topic, *(play.batch(letter * 500, at=10 * place) for place, letter in enumerate("abcd")), partition=index)
    for bytes_max in (0, 1, 600, 1_200, 100_000):
        play.call(f"a partition of {bytes_max}", "Fetch", 12, fetch(topic, partition(bytes_max=bytes_max)))
        play.call(f"a request of {bytes_max}", "Fetch", 12, fetch(topic, partition(), bytes_max=bytes_max))
        play.call(f"two partitions of {bytes_max}", "Fetch", 12, fetch(topic, partition(bytes_max=bytes_max), partition(index=1, bytes_max=bytes_max)))
        play.call(f"two partitions, a request of {bytes_max}", "Fetch", 12, fetch(topic, partition(), partition(index=1), bytes_max=bytes_max))
        play.call(f"the same in an old version {bytes_max}", "Fetch", 4, fetch(topic, partition(), partition(index=1), bytes_max=bytes_max))
    play.call("negative wait", "Fetch", 12, fetch(topic, partition(8), wait_ms=-1, bytes_min=1))
    play.call("more than there is", "Fetch", 12, fetch(topic, partition(), wait_ms=100, bytes_min=1_000_000))
    play.call("at the end, waiting", "Fetch", 12, fetch(topic, partition(4), wait_ms=100, bytes_min=1))
    play.call("an error ends the wait", "Fetch", 12, fetch(topic, partition(4), partition(99, 1), wait_ms=10_000, bytes_min=1))


@scenario(core=True)
def epochs_of_the_leader_are_checked(play):
    topic = play.topic()
    play.fill(topic, play.batch("a", "b"))
    for version in (9, 11, 12, 13, 17):
        by = named(play, version, topic)
        for epoch in (-1, 0, 1, 5, -2):
            play.call(f"current epoch {epoch}", "Fetch", version, fetch(topic, partition(currentLeaderEpoch=epoch), **by))
    for epoch in (-1, 0, 1, 7):
        for offset in (0, 1, 2, 3):
            play.call(f"last fetched epoch {epoch} at {offset}", "Fetch", 12, fetch(topic, partition(offset, lastFetchedEpoch=epoch, currentLeaderEpoch=0)))


@scenario(core=True)
def what_was_deleted_is_out_of_range(play):
    topic = play.topic()
    play.fill(topic, play.batch("a", "b", "c"), play.batch("d", "e", at=10))
    play.quiet("DeleteRecords", {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 2}]}], "timeoutMs": 10_000})
    for version in (4, 5, 12):
        for offset in (0, 1, 2, 3, 5, 6):
            play.call(f"from {offset}", "Fetch", version, fetch(topic, partition(offset)))


@scenario(core=True)
def a_reader_waits_for_a_writer(play):
    topic = play.topic()
    play.send("Fetch", 12, fetch(topic, partition(), wait_ms=10_000, bytes_min=1), connection="reader")
    play.fill(topic, play.batch("a"))
    play.later("came", "Fetch", 12, connection="reader")
    play.call("the same topic twice", "Fetch", 12, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "topics": [
        {"topic": topic, "partitions": [partition()]}, {"topic": topic, "partitions": [partition(1)]}]})
    play.call("the same partition twice", "Fetch", 12, fetch(topic, partition(), partition(1)))
    play.call("as a replica", "Fetch", 12, fetch(topic, partition(), replicaId=7))
    play.call("as a debugger", "Fetch", 12, fetch(topic, partition(), replicaId=-2))
    play.call("with a rack", "Fetch", 12, fetch(topic, partition(), rackId="north"))
