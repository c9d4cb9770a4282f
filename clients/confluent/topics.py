"""Topics through AdminClient: create, describe, extend, delete, create again, and a restart between."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewPartitions, NewTopic

from confluent.session import WAIT_SECONDS, admin, create, numbered, read_topic, send, until
from harness.scenarios import scenario


@scenario()
def admin_creates_describes_extends_and_deletes_topics(context):
    client = admin(context)
    create(context, 3)
    listed = client.list_topics(context.topic, timeout=WAIT_SECONDS).topics[context.topic]
    assert listed.error is None and sorted(listed.partitions) == [0, 1, 2]
    assert code_of(client.create_topics([NewTopic(context.topic, 3, 1)])) == KafkaError.TOPIC_ALREADY_EXISTS
    assert code_of(client.create_topics([NewTopic("not a name!", 1, 1)])) == KafkaError.TOPIC_EXCEPTION
    assert code_of(client.create_topics([NewTopic(context.topic + "-0", 0, 1)])) == KafkaError.INVALID_PARTITIONS
    assert code_of(client.create_topics([NewTopic(context.topic + "-3", 1, 3)])) == KafkaError.INVALID_REPLICATION_FACTOR
    checked = client.create_topics([NewTopic(context.topic + "-dry", 1, 1)], validate_only=True)
    assert code_of(checked) is None
    assert context.topic + "-dry" not in client.list_topics(timeout=WAIT_SECONDS).topics
    assert code_of(client.create_partitions([NewPartitions(context.topic, 5)])) is None
    assert code_of(client.create_partitions([NewPartitions(context.topic, 2)])) == KafkaError.INVALID_PARTITIONS
    until(lambda: len(client.list_topics(context.topic, timeout=5).topics[context.topic].partitions) == 5, "5 partitions")
    send(context, [(None, b"in the new one", None, 4)])
    assert code_of(client.delete_topics([context.topic])) is None
    until(lambda: context.topic not in client.list_topics(timeout=5).topics, "the topic is gone")
    assert code_of(client.delete_topics([context.topic])) == KafkaError.UNKNOWN_TOPIC_OR_PART


def code_of(futures):
    """The error code of a single admin call, None when it went well."""
    (future,) = futures.values()
    try:
        future.result(WAIT_SECONDS)
        return None
    except KafkaException as error:
        return error.args[0].code()


@scenario()
def a_recreated_topic_begins_empty(context):
    send(context, numbered(10))
    client = admin(context)
    assert code_of(client.delete_topics([context.topic])) is None
    until(lambda: context.topic not in client.list_topics(timeout=5).topics, "the topic is gone")
    create(context, 1)
    delivered = send(context, [(None, b"anew", None, 0)])
    assert delivered[0].offset() == 0
    assert [message.value() for message in read_topic(context, 1)] == [b"anew"]


@scenario(restarts=True)
def topics_and_records_survive_a_broker_restart(context):
    create(context, 3)
    records = [(None, b"%d" % number, None, number % 3) for number in range(3_000)]
    send(context, records)
    context.broker.restart()
    got = sorted(int(message.value()) for message in read_topic(context, 3_000, 3))
    assert got == list(range(3_000))
    delivered = send(context, [(None, b"next", None, 0)])
    assert delivered[0].offset() == 1_000
