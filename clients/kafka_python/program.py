"""The claims of harness/programs.py for kafka-python."""

import sys
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic

CLAIM, BOOTSTRAP, TOPIC, GROUP, *WORDS = sys.argv[1:]
SECONDS_MAX = 60


def producer(**settings):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", **settings)


def consumer(*topics, **settings):
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", **settings)


def admin():
    return KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def create(partitions):
    client = admin()
    client.create_topics([NewTopic(TOPIC, partitions, 1)])
    client.close()


def until(condition, what):
    deadline = time.monotonic() + SECONDS_MAX
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"after {SECONDS_MAX} s still not: {what}"
        time.sleep(0.05)
    return outcome


def read(client, count):
    records = []

    def poll():
        for batch in client.poll(timeout_ms=200).values():
            records.extend(batch)
        return len(records) >= count

    until(poll, f"{count} records")
    return records


def read_topic(count, partitions=1, **settings):
    client = consumer(**settings)
    places = [TopicPartition(TOPIC, index) for index in range(partitions)]
    client.assign(places)
    client.seek_to_beginning(*places)
    try:
        return read(client, count)
    finally:
        client.close()


def records_of_every_kind_come_back():
    create(1)
    codec = None if WORDS[0] == "none" else WORDS[0]
    every_byte = bytes(range(256))
    wanted = [(None, b"keyless", []), (b"k", None, [("tombstone", b"yes")]), (every_byte, every_byte * 100, [("a", b"1"), ("a", b"2")])]
    wanted += [(b"%d" % number, b"value %d " % number * 50, [("n", b"%d" % number)]) for number in range(500)]
    client = producer(compression_type=codec, linger_ms=50)
    sent = [client.send(TOPIC, value=value, key=key, headers=headers, partition=0) for key, value, headers in wanted]
    client.flush(SECONDS_MAX)
    assert [one.get(SECONDS_MAX).offset for one in sent] == list(range(len(wanted)))
    client.close()
    got = [(one.key, one.value, list(one.headers)) for one in read_topic(len(wanted))]
    for have, want in zip(got, wanted):
        assert have == want, f"{have!r:.200} is not {want!r:.200}"


def a_group_of_two_shares_a_topic_and_one_takes_over():
    create(4)
    members = [consumer(TOPIC, group_id=GROUP, enable_auto_commit=False, heartbeat_interval_ms=300, session_timeout_ms=10_000) for _ in range(2)]
    seen, stop = [[], []], [threading.Event(), threading.Event()]

    def run(number):
        while not stop[number].is_set():
            # Long enough for a rebalance: if a leader that rejoins because it learned of partitions late returns from the poll before its join
            # ends, kafka-python 3.0.12 never takes up what it was assigned (need_rejoin() is false by then) and sends no heartbeats.
            for batch in members[number].poll(timeout_ms=2_000).values():
                seen[number].extend((one.partition, one.offset) for one in batch)
                members[number].commit()

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: all(len(member.assignment()) == 2 for member in members), "two partitions each")
    client = producer()
    for number in range(400):
        client.send(TOPIC, b"%d" % number, partition=number % 4)
    client.flush(SECONDS_MAX)
    until(lambda: sum(map(len, seen)) >= 400, "all records")
    assert seen[0] and seen[1], "both read"
    stop[0].set()
    threads[0].join()
    members[0].close()
    until(lambda: len(members[1].assignment()) == 4, "the other takes over")
    for number in range(100):
        client.send(TOPIC, b"%d" % number, partition=number % 4)
    client.flush(SECONDS_MAX)
    until(lambda: sum(map(len, seen)) >= 500, "the rest")
    stop[1].set()
    threads[1].join()
    places = [TopicPartition(TOPIC, index) for index in range(4)]
    assert sum(members[1].committed(place) for place in places) == 500
    assert len(set(seen[0] + seen[1])) == 500, "each once"
    members[1].close()


def readers_seek_pause_and_find_offsets_by_time():
    create(1)
    client = producer()
    base_ms = 1_700_000_000_000
    for number in range(100):
        client.send(TOPIC, b"%d" % number, partition=0, timestamp_ms=base_ms + number * 1_000)
    client.flush(SECONDS_MAX)
    place = TopicPartition(TOPIC, 0)
    reader = consumer(group_id=None)
    reader.assign([place])
    found = reader.offsets_for_times({place: base_ms + 41_500})[place]
    assert (found.offset, found.timestamp) == (42, base_ms + 42_000), found
    assert (reader.beginning_offsets([place])[place], reader.end_offsets([place])[place]) == (0, 100)
    reader.seek(place, 90)
    assert [int(one.value) for one in read(reader, 10)] == list(range(90, 100))
    reader.pause(place)
    reader.seek(place, 0)
    assert not reader.poll(timeout_ms=500)
    reader.resume(place)
    assert int(read(reader, 1)[0].value) == 0
    reader.close()


def topics_are_made_described_enlarged_and_deleted():
    create(2)
    client = admin()
    until(lambda: TOPIC in client.list_topics(), "listed")
    [told] = client.describe_topics([TOPIC])
    assert len(told["partitions"]) == 2, told
    client.create_partitions({TOPIC: NewPartitions(3)})
    until(lambda: len(client.describe_topics([TOPIC])[0]["partitions"]) == 3, "three partitions")
    client.delete_topics([TOPIC])
    until(lambda: TOPIC not in client.list_topics(), "deleted")
    client.close()


def only_what_was_committed_is_read():
    create(1)
    client = producer(transactional_id=f"{TOPIC}-id")
    client.init_transactions()
    for round_number in range(4):
        client.begin_transaction()
        for number in range(10):
            client.send(TOPIC, b"%d %d" % (round_number, number), partition=0)
        client.flush(SECONDS_MAX)
        client.abort_transaction() if round_number % 2 else client.commit_transaction()
    client.close()
    got = [one.value for one in read_topic(20, isolation_level="read_committed")]
    assert got == [b"%d %d" % (round_number, number) for round_number in (0, 2) for number in range(10)], got


def a_restart_loses_and_repeats_nothing():
    create(1)
    client = producer(linger_ms=5)
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
    assert [int(one.value) for one in read_topic(2_000)] == list(range(2_000))


globals()[CLAIM]()
