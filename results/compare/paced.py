"""An unmodified librdkafka at a fixed rate: bootstrap, topic, records/s, seconds, record bytes, linger ms, batch bytes. Prints figures as JSON.

Latency is librdkafka's own: from produce() to the delivery report. The first third is warm-up. Records go to partitions as its sticky partitioner likes.
"""

import json
import sys
import time

from confluent_kafka import Producer


def main():
    bootstrap, topic = sys.argv[1:3]
    rate, seconds, record_bytes, linger_ms, batch_bytes = map(int, sys.argv[3:])
    latencies, window = [], [0.0, 0.0]
    statistics, totals = {}, []

    def on_delivery(error, message):
        assert error is None, error
        if time.monotonic() >= window[0]:
            latencies.append(message.latency())

    def on_statistics(text):
        # The window of the statistics is their interval; the last one inside the run is a warm one.
        told = json.loads(text)
        topics = told["topics"].values()
        statistics.update(records_per_batch=max((one["batchcnt"]["avg"] for one in topics), default=None),
                          batch_bytes=max((one["batchsize"]["avg"] for one in topics), default=None))
        # A request of librdkafka's has one batch; the totals say so without taking it on trust.
        requests = sum(broker["req"].get("Produce", 0) for broker in told["brokers"].values())
        totals.append((told["txmsgs"], requests))

    client = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": linger_ms, "batch.size": batch_bytes,
                       "statistics.interval.ms": 1_000, "stats_cb": on_statistics})
    value = bytes(index * 31 % 251 for index in range(record_bytes))
    started = time.monotonic()
    window[:] = [started + seconds / 3, started + seconds]
    sent = 0
    while (now := time.monotonic()) < window[1]:
        due = int((now - started) * rate)
        while sent < due:
            client.produce(topic, value, on_delivery=on_delivery)
            sent += 1
            if sent % 64 == 0:
                client.poll(0)
        client.poll(0.0005)
    measured = len(latencies)
    (records_before, requests_before), (records, requests) = totals[0], totals[-1]
    client.flush(30)
    latencies.sort()
    print(json.dumps({
        "records_per_s": measured / (seconds - seconds / 3),
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "records_per_batch": statistics.get("records_per_batch"),
        "records_per_request": (records - records_before) / (requests - requests_before) if requests > requests_before else None,
        "batch_bytes": statistics.get("batch_bytes"),
    }))


if __name__ == "__main__":
    main()
