"""Transactions: what readers of decided records see, offsets that follow, fencing."""

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from confluent.session import WAIT_SECONDS, consumer, create, numbered, producer, read, send
from harness.scenarios import scenario


def start(context, **settings):
    client = producer(context, transactional_id=f"{context.name}-producer", **settings)
    client.init_transactions(WAIT_SECONDS)
    return client


def committed(context, count, partition=0):
    return visible(context, count, partition, "read_committed")


def visible(context, count, partition, isolation):
    """So many messages of a partition, and whatever follows at once."""
    client = consumer(context, isolation_level=isolation)
    client.assign([TopicPartition(context.topic, partition, OFFSET_BEGINNING)])
    try:
        messages = read(client, count)
        messages += [one for one in client.consume(100, 0.5) if one.error() is None]
        return [int(one.value()) for one in messages]
    finally:
        client.close()


@scenario()
def a_committed_transaction_is_read_as_a_whole_and_an_aborted_one_never(context):
    create(context, 3)
    client, wanted = start(context), []
    for round_ in range(20):
        numbers = range(round_ * 50, round_ * 50 + 50)
        client.begin_transaction()
        for number in numbers:
            for partition in range(3):
                client.produce(context.topic, b"%d" % number, partition=partition)
        if round_ % 3 == 1:
            client.flush(WAIT_SECONDS)
            client.abort_transaction(WAIT_SECONDS)
        else:
            client.commit_transaction(WAIT_SECONDS)
            wanted += numbers
    for partition in range(3):
        assert committed(context, len(wanted), partition) == wanted
    # librdkafka reads what is decided unless it is told otherwise.
    assert visible(context, 1_000, 0, "read_uncommitted") == list(range(1_000))


@scenario(each=["commit", "abort"])
def offsets_sent_to_a_transaction_follow_it(context, end):
    send(context, numbered(10))
    client, reader = start(context), consumer(context)
    reader.subscribe([context.topic])
    read(reader, 10)
    client.begin_transaction()
    offsets = [TopicPartition(context.topic, 0, 7)]
    client.send_offsets_to_transaction(offsets, reader.consumer_group_metadata(), WAIT_SECONDS)
    if end == "commit":
        client.commit_transaction(WAIT_SECONDS)
    else:
        client.abort_transaction(WAIT_SECONDS)
    found = reader.committed([TopicPartition(context.topic, 0)], WAIT_SECONDS)[0].offset
    reader.close()
    # -1001: nothing is committed.
    assert found == (7 if end == "commit" else -1001), found


@scenario()
def a_second_producer_fences_the_first(context):
    create(context, 1)
    first = start(context)
    first.begin_transaction()
    first.produce(context.topic, b"1", partition=0)
    first.flush(WAIT_SECONDS)
    second = start(context)
    try:
        first.commit_transaction(WAIT_SECONDS)
    except KafkaException as error:
        refusal = error.args[0]
        assert refusal.fatal() and refusal.code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED), refusal
    else:
        raise AssertionError("two producers own one transactional id")
    second.begin_transaction()
    second.produce(context.topic, b"2", partition=0)
    second.commit_transaction(WAIT_SECONDS)
    assert committed(context, 1) == [2]
