"""Offsets are looked up: ListOffsets."""

import time

from harness.referee.play import DAY_MS, scenario

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, PENDING_UPLOAD = -1, -2, -3, -4, -5, -6


def listed(topic, *asked, isolation=0, **more):
    partitions = [{"partitionIndex": index, "timestamp": timestamp, **rest} for index, timestamp, rest in asked]
    return {"replicaId": -1, "isolationLevel": isolation, "topics": [{"name": topic, "partitions": partitions}], **more}


def at(timestamp, index=0, **rest):
    return index, timestamp, rest


@scenario(core=True)
def offsets_are_listed_in_every_version(play):
    topic = play.topic()
    empty = play.topic("empty")
    play.fill(topic, play.batch("a", "b", "c"), play.batch("d", "e", at=100, codec="gzip"), play.batch("f", at=50))
    for version in play.versions("ListOffsets"):
        for timestamp in (LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, PENDING_UPLOAD, -7):
            play.call(f"special {timestamp}", "ListOffsets", version, listed(topic, at(timestamp)))
            play.call(f"empty, special {timestamp}", "ListOffsets", version, listed(empty, at(timestamp)))
        for case, delta in [("first", 0), ("inside", 1), ("between", 3), ("in a gap", 40), ("of the early one", 50), ("inside gzip", 101), ("after all", 102),
                            ("long before", -DAY_MS), ("long after", DAY_MS * 3)]:
            play.call(f"time {case}", "ListOffsets", version, listed(topic, at(play.then_ms + delta)))
        play.call("empty, by time", "ListOffsets", version, listed(empty, at(play.then_ms)))
        play.call("unknown partition", "ListOffsets", version, listed(topic, at(LATEST, 4)))
        play.call("unknown topic", "ListOffsets", version, listed("nowhere", at(LATEST)))
        play.call("nothing", "ListOffsets", version, {"replicaId": -1, "topics": []})
    play.call("impossible name", "ListOffsets", 7, listed("a/b", at(LATEST)))
    play.call("time 0", "ListOffsets", 7, listed(topic, at(0)))


@scenario(core=True)
def epochs_and_duplicates_are_checked(play):
    topic = play.topic(partitions=2)
    play.fill(topic, play.batch("a"))
    for version in play.versions("ListOffsets", first=4):
        for epoch in (-1, 0, 1, 9):
            play.call(f"epoch {epoch}", "ListOffsets", version, listed(topic, at(LATEST, currentLeaderEpoch=epoch)))
            play.call(f"epoch {epoch} by time", "ListOffsets", version, listed(topic, at(play.then_ms, currentLeaderEpoch=epoch)))
    for version in (1, 7, 10):
        play.call("duplicate", "ListOffsets", version, listed(topic, at(LATEST), at(EARLIEST)))
        play.call("duplicate and another", "ListOffsets", version, listed(topic, at(LATEST), at(EARLIEST), at(LATEST, 1)))
    twice = listed(topic, at(LATEST))
    twice["topics"] *= 2
    play.call("a topic twice", "ListOffsets", 7, twice)
    play.call("as a debugger", "ListOffsets", 7, listed(topic, at(LATEST), replicaId=-2))
    play.call("as a replica", "ListOffsets", 7, listed(topic, at(LATEST), replicaId=3))
    play.call("committed", "ListOffsets", 7, listed(topic, at(LATEST), isolation=1))
    play.call("no time", "ListOffsets", 10, listed(topic, at(LATEST), timeoutMs=0))


@scenario(core=True)
def offsets_follow_what_is_deleted(play):
    topic = play.topic()
    play.fill(topic, play.batch("a", "b", "c"), play.batch("d", at=100))
    play.quiet("DeleteRecords", {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 2}]}], "timeoutMs": 10_000})
    for timestamp in (LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL):
        play.call(f"special {timestamp}", "ListOffsets", 8, listed(topic, at(timestamp)))
    for delta in (0, 2, 50, 100):
        play.call(f"time {delta}", "ListOffsets", 8, listed(topic, at(play.then_ms + delta)))


@scenario(core=True)
def offsets_by_time_of_append(play):
    topic = play.topic(message_timestamp_type="LogAppendTime")
    play.fill(topic, play.batch("a", "b"))
    # The second batch comes in another millisecond.
    time.sleep(0.01)
    play.fill(topic, play.batch("c"))
    for timestamp in (LATEST, EARLIEST, MAX_TIMESTAMP):
        play.call(f"special {timestamp}", "ListOffsets", 8, listed(topic, at(timestamp)))
    play.call("by time", "ListOffsets", 8, listed(topic, at(play.then_ms)))
