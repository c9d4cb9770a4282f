"""Short forms of aiokafka for its claims: clients of the broker under test, send, read, wait."""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

_, BOOTSTRAP, TOPIC, GROUP, *WORDS = sys.argv[1:]
SECONDS_MAX = 60


def producer(**settings):
    return AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **({"acks": "all"} | settings))


def consumer(*topics, **settings):
    return AIOKafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", **settings)


class Admin:
    """An admin client, open as long as the block: aiokafka gives it no such form."""

    async def __aenter__(self):
        self.client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        await self.client.start()
        return self.client

    async def __aexit__(self, *_):
        await self.client.close()


async def create(partitions):
    async with Admin() as client:
        expect_codes(await client.create_topics([NewTopic(TOPIC, partitions, 1)]), 0)


def expect_codes(answer, code):
    """The error code of every topic of an answer: the admin client raises for few of them."""
    topics = answer.topic_errors if hasattr(answer, "topic_errors") else answer.topic_error_codes
    assert [one[1] for one in topics] == [code], answer


async def until(condition, what):
    """Polls until the condition, which may have to be awaited, gives something true; that is the answer."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        outcome = condition()
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        if outcome:
            return outcome
        assert time.monotonic() < deadline, f"after {SECONDS_MAX} s still not: {what}"
        await asyncio.sleep(0.05)


async def send(count, partitions):
    async with producer() as client:
        await asyncio.gather(*[await client.send(TOPIC, b"%d" % number, partition=number % partitions) for number in range(count)])


async def read(client, count):
    records = []

    async def enough():
        for batch in (await client.getmany(timeout_ms=200)).values():
            records.extend(batch)
        return len(records) >= count

    await until(enough, f"{count} records")
    return records


async def read_topic(count, **settings):
    async with consumer(**settings) as client:
        client.assign([TopicPartition(TOPIC, 0)])
        return await read(client, count)
