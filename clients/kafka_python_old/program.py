"""kafka-python 2.0.2: most claims are those of kafka_python/program.py as they stand; here is what its version 3 has not or has otherwise."""

import runpy
import sys
import threading
import time
from pathlib import Path

if sys.version_info >= (3, 12):
    # What its users do: that Python no longer finds the modules that the client's own copy of six makes up (dpkp/kafka-python#2401).
    import six

    sys.modules["kafka.vendor.six.moves"] = six.moves

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition  # noqa: E402
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic  # noqa: E402
from kafka.errors import GroupIdNotFoundError, NoError, NonEmptyGroupError, TopicAlreadyExistsError  # noqa: E402

CLAIM, BOOTSTRAP, TOPIC, GROUP, *WORDS = sys.argv[1:]
SECONDS_MAX = 60
INVALID_CONFIG, DYNAMIC_TOPIC_CONFIG, DEFAULT_CONFIG = 40, 1, 5


def consumer(*topics, **settings):
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", enable_auto_commit=False, **settings)


def create(partitions):
    client = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    client.create_topics([NewTopic(TOPIC, partitions, 1)])
    return client


def until(condition, what):
    deadline = time.monotonic() + SECONDS_MAX
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"after {SECONDS_MAX} s still not: {what}"
        time.sleep(0.05)
    return outcome


def refused(error, call, *arguments, **settings):
    try:
        call(*arguments, **settings)
    except error:
        return
    raise AssertionError(f"not refused with {error.__name__}")


def groups_are_listed_described_and_deleted():
    client = create(2)
    place = TopicPartition(TOPIC, 0)
    cluster = client.describe_cluster()
    nodes = [broker["node_id"] for broker in cluster["brokers"]]
    assert cluster["cluster_id"] and cluster["controller_id"] in nodes, cluster
    reader = consumer(TOPIC, group_id=GROUP)
    until(lambda: not reader.poll(timeout_ms=100) and len(reader.assignment()) == 2, "both partitions")
    reader.commit({place: OffsetAndMetadata(7, "a note")})
    assert (GROUP, "consumer") in client.list_consumer_groups()
    [told] = client.describe_consumer_groups([GROUP])
    assert (told.group, told.state, told.protocol_type, told.protocol) == (GROUP, "Stable", "consumer", "range"), told
    [member] = told.members
    assert member.member_metadata.subscription == [TOPIC] and member.member_assignment.assignment == [(TOPIC, [0, 1])], member
    assert client.list_consumer_group_offsets(GROUP) == {place: OffsetAndMetadata(7, "a note")}
    assert client.delete_consumer_groups([GROUP]) == [(GROUP, NonEmptyGroupError)]
    reader.close()
    until(lambda: client.describe_consumer_groups([GROUP])[0].state == "Empty", "nobody is left")
    assert client.delete_consumer_groups([GROUP]) == [(GROUP, NoError)]
    assert client.delete_consumer_groups([GROUP]) == [(GROUP, GroupIdNotFoundError)]
    assert client.list_consumer_group_offsets(GROUP) == {}
    client.close()


def topic_settings_change_live_and_say_where_they_come_from():
    client = create(1)
    refused(TopicAlreadyExistsError, client.create_topics, [NewTopic(TOPIC, 1, 1)])

    def told(kind=ConfigResourceType.TOPIC, name=TOPIC):
        [answer] = client.describe_configs([ConfigResource(kind, name)])
        [(code, _, _, _, entries)] = answer.resources
        assert code == 0, answer
        return {key: (value, source) for key, value, _, source, *_ in entries}

    def altered(**settings):
        dotted = {name.replace("_", "."): value for name, value in settings.items()}
        return client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, dotted)]).resources[0][0]

    before = told()
    assert len(before) > 20 and before["retention.ms"] == ("604800000", DEFAULT_CONFIG), before
    assert altered(retention_ms="3600000", cleanup_policy="compact") == 0
    until(lambda: told()["retention.ms"] == ("3600000", DYNAMIC_TOPIC_CONFIG), "the new value")
    # What an alteration of this kind does not name goes back to its default.
    assert altered(retention_ms="7200000") == 0
    until(lambda: told()["retention.ms"] == ("7200000", DYNAMIC_TOPIC_CONFIG), "the newer value")
    assert told()["cleanup.policy"] == ("delete", DEFAULT_CONFIG)
    assert altered(retention_ms="soon") == INVALID_CONFIG
    assert "log.retention.ms" in told(ConfigResourceType.BROKER, str(client.describe_cluster()["controller_id"]))
    client.close()


def a_restart_loses_nothing_and_keeps_the_order():
    """It has no idempotent producer: what was written when the connection broke is written again, so a repeat is no failure."""
    create(1).close()
    place, seen, stop = TopicPartition(TOPIC, 0), [], threading.Event()
    member = consumer(TOPIC, group_id=GROUP, heartbeat_interval_ms=300)

    def run():
        committed = 0
        while not stop.is_set():
            for batch in member.poll(timeout_ms=100).values():
                assert batch[0].offset >= committed, f"{batch[0].offset} comes again, {committed} is committed"
                seen.extend(int(one.value) for one in batch)
                member.commit()
                committed = batch[-1].offset + 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    # Batches wait for a broker as long as for an answer, not longer: by default 30 s, and Apache Kafka needs nearly that to start.
    client = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", linger_ms=5, retries=1_000, max_in_flight_requests_per_connection=1,
                           request_timeout_ms=100_000)
    sent = []
    for number in range(2_000):
        sent.append(client.send(TOPIC, b"%d" % number, partition=0))
        if number == 1_000:
            sent[500].get(SECONDS_MAX)
            print("half", flush=True)
        time.sleep(0.001)
    client.flush(SECONDS_MAX)
    assert all(one.succeeded() for one in sent)
    client.close()
    until(lambda: len(set(seen)) == 2_000 or not thread.is_alive(), "the member that lived through it read all")
    stop.set()
    thread.join()
    assert list(dict.fromkeys(seen)) == list(range(2_000)), "in order, whatever came twice"
    assert member.committed(place) == member.end_offsets([place])[place]
    member.close()


if CLAIM in globals():
    globals()[CLAIM]()
else:
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "kafka_python" / "program.py"), run_name="__main__")
