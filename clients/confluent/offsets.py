"""Offsets: committed ones and their metadata, ListOffsets by every question, seeks out of range."""

from confluent_kafka import (
    TIMESTAMP_CREATE_TIME, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, TopicPartition)
from confluent_kafka.admin import OffsetSpec

from confluent.session import WAIT_SECONDS, admin, consumer, create, numbered, producer, read, read_topic, send, until
from harness.scenarios import scenario


@scenario()
def committed_metadata_and_foreign_offsets_round_trip(context):
    create(context, 2)
    client = consumer(context)
    wanted = [TopicPartition(context.topic, 0, 7, "a note: \u00fcber"), TopicPartition(context.topic, 1, 0, "")]
    client.commit(offsets=wanted, asynchronous=False)
    asked = [TopicPartition(context.topic, index) for index in range(2)]
    got = client.committed(asked, timeout=WAIT_SECONDS)
    assert [(one.offset, one.metadata or "") for one in got] == [(7, "a note: \u00fcber"), (0, "")], got
    stranger = consumer(context, group_id=context.group + "-unknown")
    (none,) = stranger.committed(asked[:1], timeout=WAIT_SECONDS)
    assert none.offset < 0 and none.error is None, none
    request = [ConsumerGroupTopicPartitions(context.group, asked)]
    asker = admin(context)
    (future,) = asker.list_consumer_group_offsets(request).values()
    assert [one.offset for one in future.result(WAIT_SECONDS).topic_partitions] == [7, 0]
    stranger.close()
    client.close()


@scenario()
def list_offsets_answers_earliest_latest_and_timestamps(context):
    stamps = [1_700_000_000_000, 1_700_000_001_000, 1_700_000_001_000, 1_700_000_005_000]
    client = producer(context, linger_ms=200)
    for stamp in stamps:
        client.produce(context.topic, b"x", partition=0, timestamp=stamp)
    assert client.flush(WAIT_SECONDS) == 0
    reader = consumer(context)
    assert reader.get_watermark_offsets(TopicPartition(context.topic, 0), timeout=WAIT_SECONDS) == (0, 4)

    def at(stamp):
        (found,) = reader.offsets_for_times([TopicPartition(context.topic, 0, stamp)], timeout=WAIT_SECONDS)
        assert found.error is None, found.error
        return found.offset

    # All four are in one batch: the answer is exact to the record, not to the batch.
    assert [at(stamp) for stamp in stamps] == [0, 1, 1, 3]
    assert [at(stamps[0] - 1), at(stamps[1] + 1)] == [0, 3]
    assert at(stamps[3] + 1) < 0, "no record is that young"
    assert [message.timestamp() for message in read_topic(context, 4)] == \
        [(TIMESTAMP_CREATE_TIME, stamp) for stamp in stamps]
    where, client = TopicPartition(context.topic, 0), admin(context)
    for spec, offset in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 4), (OffsetSpec.max_timestamp(), 3)):
        (future,) = client.list_offsets({where: spec}, isolation_level=IsolationLevel.READ_COMMITTED).values()
        assert future.result(WAIT_SECONDS).offset == offset, spec
    reader.close()


@scenario()
def a_seek_out_of_range_resets_as_the_policy_says(context):
    send(context, numbered(10))
    for policy, expected in (("earliest", [b"0"]), ("latest", [b"new"])):
        reader = consumer(context, auto_offset_reset=policy)
        reader.assign([TopicPartition(context.topic, 0, 5)])
        assert read(reader, 1)[0].value() == b"5"
        reader.seek(TopicPartition(context.topic, 0, 1_000_000))
        if policy == "latest":
            assert reader.consume(1, 2) == []
            send(context, [(None, b"new", None, 0)])
        assert [message.value() for message in read(reader, 1)] == expected
        reader.close()
    strict = consumer(context, auto_offset_reset="error")
    strict.assign([TopicPartition(context.topic, 0, 1_000_000)])
    message = until(lambda: strict.poll(0.5), "an error message")
    assert message.error() is not None and message.error().code() == KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
    strict.close()
