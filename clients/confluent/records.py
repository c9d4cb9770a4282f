"""Producing and reading back: codecs, headers, nulls, idempotence, order, size."""

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from confluent.session import WAIT_SECONDS, admin, consumer, create, numbered, producer, read, read_topic, send
from harness.scenarios import scenario
from harness.wire import CODECS, Connection

RECORDS = 1_000_000


@scenario(each=CODECS)
def records_headers_and_nulls_come_back_byte_for_byte(context, codec):
    every_byte = bytes(range(256))
    records = [
        (None, b"keyless", None, 0), (b"k", None, [("tombstone", b"yes")], 0), (None, None, [], 0), (b"", b"", None, 0),
        (every_byte, every_byte * 3_000, [("a", b"1"), ("b", None), ("a", b"2"), ("a", b"")], 0)]
    records += [(b"%d" % number, b"value %d " % number * 50, [("n", b"%d" % number)], 0) for number in range(500)]
    send(context, records, compression_type=codec, linger_ms=100)
    got = [(one.key(), one.value(), one.headers() or None) for one in read_topic(context, len(records))]
    wanted = [(key, value, headers or None) for key, value, headers, _partition in records]
    for index, (have, want) in enumerate(zip(got, wanted)):
        assert have == want, f"record {index}: {str(have)[:200]} is not {str(want)[:200]}"
    with Connection(context.bootstrap) as connection:
        stored = connection.stored_codecs(context.topic)
    assert codec in stored and stored <= {codec, "none"}, f"stored as {stored}"


@scenario()
def an_idempotent_producer_is_acknowledged_at_consecutive_offsets(context):
    create(context, 1)
    delivered = send(context, numbered(50_000))
    assert [message.offset() for message in delivered] == list(range(50_000))
    assert [message.value() for message in read_topic(context, 50_000)] == [b"%d" % n for n in range(50_000)]


@scenario()
def a_topic_is_created_by_the_first_produce(context):
    delivered = send(context, [(b"k", b"v", None, -1)])
    assert delivered[0].offset() == 0
    client = admin(context)
    assert context.topic in client.list_topics(timeout=WAIT_SECONDS).topics


@scenario()
def a_million_records_stay_in_order_in_each_of_8_partitions(context):
    create(context, 8)
    client, failures, acknowledged = producer(context, linger_ms=20), [], [0]

    def on_delivery(error, message):
        acknowledged[0] += 1
        if error is not None:
            failures.append(error)

    for number in range(RECORDS):
        while True:
            try:
                client.produce(context.topic, b"%d" % number, partition=number % 8, on_delivery=on_delivery)
                break
            except BufferError:
                client.poll(0.1)
        if number % 1_000 == 0:
            client.poll(0)
    assert client.flush(60) == 0
    assert not failures, failures[:3]
    assert acknowledged[0] == RECORDS
    following = list(range(8))
    reader = consumer(context)
    reader.assign([TopicPartition(context.topic, index, OFFSET_BEGINNING) for index in range(8)])
    for message in read(reader, RECORDS, 120):
        partition = message.partition()
        assert int(message.value()) == following[partition], f"partition {partition} at {message.offset()}"
        assert message.offset() == following[partition] // 8
        following[partition] += 8
    reader.close()


@scenario()
def a_message_near_the_limit_is_stored_and_a_larger_one_refused(context):
    large = bytes(1_000_000)
    send(context, [(None, large, None, 0)], message_max_bytes=2_000_000)
    assert read_topic(context, 1)[0].value() == large
    client, outcome = producer(context, message_max_bytes=3_000_000), []
    client.produce(context.topic, bytes(2_000_000), on_delivery=lambda error, _message: outcome.append(error))
    client.flush(WAIT_SECONDS)
    assert [error.code() for error in outcome] == [KafkaError.MSG_SIZE_TOO_LARGE], outcome
