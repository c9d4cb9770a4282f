"""One repeat with an unmodified client: confluent-kafka produces as fast as it can for the stated time.

The interpreter calls produce once a record, so that at 100 bytes the client is the limit; the result says so.
"""

import time
import uuid

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_SECONDS = 60


def produce(broker, case, plan):
    """Acknowledged records and bytes of a measured window, the broker's CPU seconds in it and its largest memory."""
    topic = f"compare-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.create_topics([NewTopic(topic, case.partitions, 1)]).values():
        future.result(WAIT_SECONDS)
    try:
        return measure(broker, case, plan, topic)
    finally:
        for future in admin.delete_topics([topic]).values():
            future.result(WAIT_SECONDS)


def measure(broker, case, plan, topic):
    acknowledged, failures = [0], []

    def on_delivery(error, _message):
        if error is None:
            acknowledged[0] += 1
        else:
            failures.append(str(error))

    client = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all", "linger.ms": plan["linger_ms"],
                       "queue.buffering.max.kbytes": 65_536, "queue.buffering.max.messages": 200_000})
    value, number = bytes(index * 31 % 251 for index in range(case.record_bytes)), 0

    def load(seconds):
        nonlocal number
        rss_max, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _ in range(1_000):
                try:
                    client.produce(topic, value, partition=number % case.partitions, on_delivery=on_delivery)
                    number += 1
                except BufferError:
                    client.poll(0.01)
            client.poll(0)
            rss_max = max(rss_max, broker.rss_bytes())
        return rss_max

    load(plan["case_warmup_seconds"])
    before, cpu_before, started = acknowledged[0], broker.cpu_seconds(), time.monotonic()
    rss_max = load(plan["duration_seconds"])
    seconds = time.monotonic() - started
    records, cpu = acknowledged[0] - before, broker.cpu_seconds() - cpu_before
    unanswered = client.flush(WAIT_SECONDS)
    assert not failures and not unanswered, f"{len(failures)} failed, {unanswered} unanswered: {failures[:1]}"
    payload = records * case.record_bytes
    return {"client": "confluent-kafka", "seconds": seconds, "records": records, "bytes": payload,
            "records_per_s": records / seconds, "bytes_per_s": payload / seconds, "broker_cpu_secs": cpu,
            "broker_cpu_s_per_gb": cpu / (payload / 1e9) if payload else None, "broker_rss_max_bytes": rss_max}
