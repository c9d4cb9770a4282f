"""Batches are written, the wrong ones included: Produce."""

from harness.referee.play import DAY_MS, produce, scenario

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def fetch(topic, offset=0, partition=0, bytes_max=1 << 20):
    return {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "topics": [{"topic": topic, "partitions": [
        {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": bytes_max}]}]}


@scenario(core=True)
def a_batch_is_written_in_every_version(play):
    topic = play.topic()
    for version in play.versions("Produce"):
        # The last one before the look at what was stored is flushed, and all before it.
        for acks in (1, -1):
            play.call(f"acks {acks}", "Produce", version, produce(topic, [play.batch("a", "b")], acks=acks))
        play.call("unknown topic", "Produce", version, produce("nowhere", [play.batch("a")]))
        play.call("unknown partition", "Produce", version, produce(topic, [play.batch("a")], partition=9))
        play.call("negative partition", "Produce", version, produce(topic, [play.batch("a")], partition=-1))
        play.call("a wrong checksum", "Produce", version, produce(topic, [play.batch("a", set={"crc": 1})]))
        play.call("no batch", "Produce", version, produce(topic, []))
        play.call("nothing", "Produce", version, {"acks": -1, "timeoutMs": 10_000, "topicData": []})
    play.call("what was stored", "Fetch", 12, fetch(topic))


@scenario(core=True)
def acks_that_do_not_exist_are_refused(play):
    topic = play.topic()
    for acks in (2, -2, 32_767):
        for version in (3, 8, 9):
            play.call(f"acks {acks}", "Produce", version, produce(topic, [play.batch("a")], acks=acks))
    play.call("acks 2, nothing", "Produce", 9, {"acks": 2, "timeoutMs": 10_000, "topicData": []})


@scenario(core=True)
def nothing_is_answered_without_acks(play):
    topic = play.topic()
    play.send("Produce", 9, produce(topic, [play.batch("a")], acks=0), answered=False)
    play.call("the next answer", "ListOffsets", 7, {"replicaId": -1, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}]},
              until=lambda answer: answer["topics"][0]["partitions"][0]["offset"] == 1)
    for case, body in [("unknown topic", produce("nowhere", [play.batch("a")], acks=0)), ("wrong checksum", produce(topic, [play.batch("a", set={"crc": 1})], acks=0)),
                       ("two batches", produce(topic, [play.batch("a"), play.batch("b")], acks=0))]:
        play.send("Produce", 9, body, connection=case, answered=False)
        play.call(f"after {case}", "Metadata", 9, {"topics": []}, connection=case)


@scenario(core=True)
def codecs_are_stored_as_they_come(play):
    for codec in CODECS:
        topic = play.topic(codec)
        for version in (3, 6, 7, 9):
            play.call(codec, "Produce", version, produce(topic, [play.batch("a" * 50, "b" * 50, codec=codec)]))
        play.call(f"{codec} comes back", "Fetch", 12, fetch(topic))


def lies(play):
    """What a batch of two records may say of itself that is not so, by name."""
    return {"last offset delta too small": {"lastOffsetDelta": 0}, "last offset delta too big": {"lastOffsetDelta": 5},
            "negative last offset delta": {"lastOffsetDelta": -1}, "no records": {"count": 0}, "fewer records": {"count": 1},
            "fewer records and delta": {"count": 1, "lastOffsetDelta": 0}, "more records and delta": {"count": 3, "lastOffsetDelta": 2},
            "negative count": {"count": -1}, "magic 3": {"magic": 3}, "magic 1": {"magic": 1}, "magic 0": {"magic": 0}, "magic -1": {"magic": -1},
            "control": {"attributes": 0x20}, "transactional": {"attributes": 0x10}, "log append time": {"attributes": 8},
            "unused attribute": {"attributes": 0x80}, "delete horizon": {"attributes": 0x40}, "base offset 5": {"baseOffset": 5},
            "base offset -1": {"baseOffset": -1}, "leader epoch 9": {"leaderEpoch": 9}, "longer than it is": {"length": 500},
            "shorter than it is": {"length": 60}, "length 0": {"length": 0}, "length -1": {"length": -1}, "max timestamp 0": {"maxTimestamp": 0},
            "max timestamp ahead": {"maxTimestamp": play.then_ms + 5_000}, "producer without sequence": {"producerId": 5, "producerEpoch": 0},
            "producer without epoch": {"producerId": 5, "baseSequence": 0}, "sequence without producer": {"baseSequence": 0}}


@scenario(core=True)
def headers_that_lie_are_refused(play):
    spoiled = {name: play.batch("a", "b", set=fields) for name, fields in lies(play).items()}
    spoiled["cut off"] = play.batch("a", "b", cut=3)
    spoiled["cut off in the header"] = play.batch("a", cut=40)
    spoiled["cut off, checksum right"] = play.batch("a", "b", cut=3, set={"leaderEpoch": 0})
    produce_each(play, play.topic(partitions=len(spoiled)), spoiled)


def produce_each(play, topic, batches):
    """Each batch to a partition of its own, and what a reader finds there."""
    for index, (name, batch) in enumerate(batches.items()):
        play.call(name, "Produce", 9, produce(topic, [batch], partition=index))
        play.call(f"{name}, stored", "Fetch", 12, fetch(topic, partition=index))


@scenario(core=True)
def compressed_batches_that_lie_are_refused(play):
    spoiled = {}
    for codec in CODECS[1:]:
        for case, fields in [("fewer records", {"count": 1, "lastOffsetDelta": 0}), ("more records", {"count": 3, "lastOffsetDelta": 2}),
                             ("last offset delta", {"lastOffsetDelta": 7}), ("a wrong checksum", {"crc": 7})]:
            spoiled[f"{codec}: {case}"] = play.batch("a" * 50, "b" * 50, codec=codec, set=fields)
        spoiled[f"{codec}: cut off"] = play.batch("a" * 50, codec=codec, cut=5, set={"leaderEpoch": 0})
    for codec, attributes in [("none", 1), ("none", 2), ("none", 3), ("none", 4), ("gzip", 0), ("gzip", 2), ("zstd", 0)]:
        spoiled[f"{codec} called {CODECS[attributes]}"] = play.batch("a" * 50, codec=codec, set={"attributes": attributes})
    gaps = {"records": [{"key": "k", "value": "v", "timestamp": play.then_ms, "offset": offset} for offset in (0, 2, 5)]}
    for codec in CODECS:
        spoiled[f"{codec}: gaps between offsets"] = {**gaps, "codec": codec}
        spoiled[f"{codec}: gaps that the header hides"] = {**gaps, "codec": codec, "set": {"lastOffsetDelta": 2}}
    produce_each(play, play.topic(partitions=len(spoiled)), spoiled)


@scenario(core=True)
def old_formats_are_refused(play):
    topic = play.topic()
    for magic in (0, 1):
        for version in (3, 9):
            play.call(f"magic {magic}", "Produce", version, produce(topic, [play.batch("a", magic=magic)]))
        play.call(f"magic {magic}, gzip", "Produce", 9, produce(topic, [play.batch("a", magic=magic, codec="gzip")]))


@scenario(core=True)
def a_partition_takes_one_batch_a_request(play):
    topic = play.topic()
    for version in (3, 9, 11):
        play.call("two batches", "Produce", version, produce(topic, [play.batch("a"), play.batch("b")]))
    play.call("a batch and a torn one", "Produce", 9, produce(topic, [play.batch("a"), play.batch("b", cut=20)]))
    several = {"acks": -1, "timeoutMs": 10_000, "topicData": [{"name": topic, "partitionData": [
        {"index": 0, "records": [play.batch("c")]}, {"index": 3, "records": [play.batch("d")]}]}, {"name": "nowhere", "partitionData": [
            {"index": 0, "records": [play.batch("e")]}]}]}
    play.call("right and wrong", "Produce", 9, several)
    play.call("what was stored", "Fetch", 12, fetch(topic))


@scenario(core=True)
def large_batches_are_refused(play):
    topic = play.topic("small", max_message_bytes=200)
    play.call("small enough", "Produce", 9, produce(topic, [play.batch("a" * 100)]))
    play.call("too large", "Produce", 9, produce(topic, [play.batch("a" * 200)]))
    play.call("small when compressed", "Produce", 9, produce(topic, [play.batch("a" * 2000, codec="gzip")]))
    default = play.topic("default")
    play.call("just over the default", "Produce", 9, produce(default, [play.batch("a" * 1_048_600)]))
    segments = play.topic("segments", segment_bytes=1_048_576, max_message_bytes=4_000_000)
    play.call("larger than a segment", "Produce", 9, produce(segments, [play.batch("a" * 1_100_000)]))


@scenario(core=True)
def timestamps_are_checked(play):
    topic = play.topic("default")
    limited = play.topic("limited", message_timestamp_before_max_ms=1_000, message_timestamp_after_max_ms=1_000)
    for case, at in [("of an hour ago", 0), ("of a week ahead", 8 * DAY_MS), ("-1", -play.then_ms - 1), ("-2", -play.then_ms - 2), ("0", -play.then_ms)]:
        for version in (3, 9):
            play.call(f"default: {case}", "Produce", version, produce(topic, [play.batch("a", "b", at=at)]))
        play.call(f"limited: {case}", "Produce", 9, produce(limited, [play.batch("a", "b", at=at)]))
    for codec in ("gzip", "zstd"):
        play.call(f"{codec}: a week ahead", "Produce", 9, produce(topic, [play.batch("a", at=8 * DAY_MS, codec=codec)]))
    play.call("what was stored", "Fetch", 12, fetch(topic))


@scenario(core=True)
def the_broker_sets_the_time_of_append(play):
    topic = play.topic("append", message_timestamp_type="LogAppendTime")
    for version in (3, 9):
        play.call("written", "Produce", version, produce(topic, [play.batch("a", "b")]))
        play.call("a week ahead", "Produce", version, produce(topic, [play.batch("a", at=8 * DAY_MS)]))
        play.call("compressed", "Produce", version, produce(topic, [play.batch("a", codec="gzip")]))
        play.call("says so itself", "Produce", version, produce(topic, [play.batch("a", set={"attributes": 8})]))
    play.call("what was stored", "Fetch", 12, fetch(topic))


@scenario(core=True)
def compacted_topics_want_keys(play):
    topic = play.topic("compact", cleanup_policy="compact")
    play.call("keys", "Produce", 9, produce(topic, [play.batch("a", "b")]))
    for version in (3, 7, 8, 9):
        play.call("no keys", "Produce", version, produce(topic, [play.batch("a", "b", key=None)]))
    mixed = play.batch("a", "b", "c")
    mixed["records"][1]["key"] = None
    play.call("one without", "Produce", 9, produce(topic, [mixed]))
    play.call("compressed", "Produce", 9, produce(topic, [play.batch("a", "b", key=None, codec="gzip")]))
    play.call("an empty key", "Produce", 9, produce(topic, [play.batch("a", key="")]))
    both = play.topic("both", cleanup_policy="compact,delete")
    play.call("compact and delete", "Produce", 9, produce(both, [play.batch("a", key=None)]))


@scenario(core=True)
def records_of_every_shape_are_stored(play):
    topic = play.topic()
    shapes = {"records": [{"key": None, "value": None, "timestamp": play.then_ms}, {"key": "", "value": "", "timestamp": play.then_ms - 5},
                          {"key": "k", "value": "v", "timestamp": play.then_ms + 5, "headers": [["a", "1"], ["a", "2"], ["", None], ["b", ""]]}]}
    for codec in CODECS:
        play.call(codec, "Produce", 9, produce(topic, [{**shapes, "codec": codec}]))
    play.call("a marker of its own", "Produce", 9, produce(topic, [{"marker": "commit", "producerId": 7, "producerEpoch": 0, "transactional": True}]))
    play.call("what was stored", "Fetch", 12, fetch(topic))


@scenario(core=True)
def impossible_topic_names_are_no_topics(play):
    for case, name in [("empty", ""), ("slash", "a/b"), ("internal", "__consumer_offsets"), ("transactions", "__transaction_state")]:
        play.call(case, "Produce", 9, produce(name, [play.batch("a")]))


@scenario()
def a_topic_recompresses(play):
    for codec in CODECS:
        topic = play.topic(codec, **{"compression_type": "uncompressed" if codec == "none" else codec})
        for given in CODECS:
            play.call(f"{given} to {codec}", "Produce", 9, produce(topic, [play.batch("a" * 60, "b" * 60, codec=given)]))
        answer = play.quiet("Fetch", fetch(topic), version=12)
        batches = answer["responses"][0]["partitions"][0]["records"]
        play.keep(f"stored as {codec}", "Fetch", 12, {"answer": {"batches": [
            {key: value for key, value in batch.items() if key != "bytes"} for batch in batches]}})
