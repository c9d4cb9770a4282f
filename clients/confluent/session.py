"""Short forms of confluent-kafka for the scenarios: clients of the broker under test, send, read, wait."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_SECONDS = 30
# librdkafka's syslog level "critical": scenarios refuse connections on purpose.
QUIET = 2


def until(condition, what, seconds_max=WAIT_SECONDS):
    """Polls until the condition gives something true; that is the answer."""
    deadline = time.monotonic() + seconds_max
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"after {seconds_max} s still not: {what() if callable(what) else what}"
    return outcome


def admin(context):
    """The caller holds on to it: a collected AdminClient fails the calls that are under way."""
    return AdminClient({"bootstrap.servers": context.bootstrap, "log_level": QUIET})


def create(context, partitions):
    client = admin(context)
    for future in client.create_topics([NewTopic(context.topic, partitions, 1)]).values():
        future.result(WAIT_SECONDS)


def producer(context, **settings):
    """Idempotent, because librdkafka promises order across retries only then; kcat covers the plain producer."""
    return Producer({"bootstrap.servers": context.bootstrap, "enable.idempotence": True, "log_level": QUIET,
                     **dotted(settings)})


def dotted(settings):
    return {name.replace("_", "."): value for name, value in settings.items()}


def send(context, records, **settings):
    """Produces (key, value, headers, partition) and waits for every acknowledgement; the messages as acknowledged."""
    client, delivered = producer(context, **settings), []

    def on_delivery(error, message):
        assert error is None, f"delivery failed: {error}"
        delivered.append(message)

    for key, value, headers, partition in records:
        client.produce(context.topic, key=key, value=value, headers=headers, partition=partition,
                       on_delivery=on_delivery)
        client.poll(0)
    assert client.flush(WAIT_SECONDS) == 0, "not everything was acknowledged"
    assert len(delivered) == len(records)
    return delivered


def numbered(count, partition=0):
    return [(None, b"%d" % number, None, partition) for number in range(count)]


def consumer(context, without=(), **settings):
    """A member of the scenario's group that notices a rebalance soon and commits when it is told to."""
    all_settings = {"bootstrap.servers": context.bootstrap, "group.id": context.group,
                    "auto.offset.reset": "earliest", "enable.auto.commit": False, "heartbeat.interval.ms": 200,
                    "log_level": QUIET, **dotted(settings)}
    return Consumer({name: value for name, value in all_settings.items() if name not in without})


def read(client, count, seconds_max=WAIT_SECONDS):
    """So many messages."""
    messages, deadline = [], time.monotonic() + seconds_max
    while len(messages) < count:
        assert time.monotonic() < deadline, f"{len(messages)} of {count} messages after {seconds_max} s"
        for message in client.consume(min(10_000, count - len(messages)), 0.5):
            assert message.error() is None, message.error()
            messages.append(message)
    return messages


def read_topic(context, count, partitions=1):
    client = consumer(context)
    client.assign([TopicPartition(context.topic, index, OFFSET_BEGINNING) for index in range(partitions)])
    try:
        return read(client, count)
    finally:
        client.close()
