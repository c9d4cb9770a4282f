"""The claims of harness/programs.py for aiokafka, and those of its own that admin.py does not hold."""

import asyncio
import os
import sys
import traceback

import admin
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ProducerFenced
from session import GROUP, TOPIC, WORDS, consumer, create, producer, read, read_topic, send, until

CLAIM = sys.argv[1]


async def records_of_every_kind_come_back():
    await create(1)
    codec = None if WORDS[0] == "none" else WORDS[0]
    every_byte = bytes(range(256))
    wanted = [(None, b"keyless", []), (b"k", None, [("tombstone", b"yes")]),
              (every_byte, every_byte * 100, [("a", b"1"), ("b", None), ("a", b"2")])]
    wanted += [(b"%d" % number, b"value %d " % number * 50, [("n", b"%d" % number)]) for number in range(500)]
    async with producer(compression_type=codec, linger_ms=50) as client:
        sent = [await client.send(TOPIC, value=value, key=key, headers=headers, partition=0) for key, value, headers in wanted]
        assert [(await one).offset for one in sent] == list(range(len(wanted)))
    got = [(one.key, one.value, list(one.headers)) for one in await read_topic(len(wanted))]
    for have, want in zip(got, wanted):
        assert have == want, f"{have!r:.200} is not {want!r:.200}"


class Member(ConsumerRebalanceListener):
    """A member of the group that reads and commits in a task of its own."""

    def __init__(self, **settings):
        self.client = consumer(group_id=GROUP, enable_auto_commit=False, heartbeat_interval_ms=300, **settings)
        self.client.subscribe([TOPIC], listener=self)
        self.seen, self.committed, self.revocations, self.ended = [], {}, 0, False

    def on_partitions_revoked(self, _):
        self.revocations += 1

    def on_partitions_assigned(self, _):
        pass

    async def start(self):
        await self.client.start()
        self.task = asyncio.create_task(self.run())
        return self

    async def run(self):
        while not self.ended:
            for place, batch in (await self.client.getmany(timeout_ms=100)).items():
                assert batch[0].offset >= self.committed.get(place, 0), f"{place} was committed up to {self.committed[place]}"
                self.seen.extend((one.partition, one.offset) for one in batch)
                await self.client.commit({place: batch[-1].offset + 1})
                self.committed[place] = batch[-1].offset + 1

    def has(self, partitions):
        if self.task.done():
            self.task.result()
        return len(self.client.assignment()) == partitions

    async def leave(self):
        self.ended = True
        await self.task
        await self.client.stop()


async def a_group_of_two_shares_a_topic_and_one_takes_over():
    await create(4)
    members = [await Member().start() for _ in range(2)]
    await until(lambda: all(member.has(2) for member in members), "two partitions each")
    await send(400, 4)
    await until(lambda: sum(len(member.seen) for member in members) >= 400, "all records")
    assert all(member.seen for member in members), "both read"
    await members[0].leave()
    await until(lambda: members[1].has(4), "the other takes over")
    await send(100, 4)
    await until(lambda: sum(len(member.seen) for member in members) >= 500, "the rest")
    places = [TopicPartition(TOPIC, index) for index in range(4)]
    assert sum([await members[1].client.committed(place) for place in places]) == 500
    assert len(set(members[0].seen + members[1].seen)) == 500, "each once"
    await members[1].leave()


async def a_static_member_returns_without_a_rebalance():
    await create(4)
    stays = await Member(group_instance_id="stays", session_timeout_ms=20_000).start()
    returns = await Member(group_instance_id="returns", session_timeout_ms=20_000).start()
    await until(lambda: stays.has(2) and returns.has(2), "two partitions each")
    owned, revocations = returns.client.assignment(), stays.revocations
    await returns.leave()
    returns = await Member(group_instance_id="returns", session_timeout_ms=20_000).start()
    await until(lambda: returns.has(2), "two partitions again")
    assert returns.client.assignment() == owned, f"{owned} -> {returns.client.assignment()}"
    assert stays.revocations == revocations, "the other was disturbed"
    await returns.leave()
    await stays.leave()


async def readers_seek_pause_and_find_offsets_by_time():
    await create(1)
    base_ms = 1_700_000_000_000
    async with producer() as client:
        sent = [await client.send(TOPIC, b"%d" % number, partition=0, timestamp_ms=base_ms + number * 1_000) for number in range(100)]
        await asyncio.gather(*sent)
    place = TopicPartition(TOPIC, 0)
    async with consumer(group_id=None) as reader:
        reader.assign([place])
        found = (await reader.offsets_for_times({place: base_ms + 41_500}))[place]
        assert (found.offset, found.timestamp) == (42, base_ms + 42_000), found
        assert await reader.offsets_for_times({place: base_ms + 100_000}) == {place: None}
        assert (await reader.beginning_offsets([place]), await reader.end_offsets([place])) == ({place: 0}, {place: 100})
        reader.seek(place, 90)
        assert [int(one.value) for one in await read(reader, 10)] == list(range(90, 100))
        reader.pause(place)
        reader.seek(place, 0)
        assert not await reader.getmany(timeout_ms=500)
        reader.resume(place)
        assert int((await read(reader, 1))[0].value) == 0
        await reader.seek_to_end(place)
        assert await reader.position(place) == 100
        reader.seek(place, 1_000_000)
        assert (await read(reader, 1))[0].offset == 0, "out of range begins anew"


async def only_what_was_committed_is_read():
    await create(1)
    async with producer(transactional_id=f"{TOPIC}-id") as client:
        for round_number in range(4):
            await client.begin_transaction()
            for number in range(10):
                await client.send_and_wait(TOPIC, b"%d %d" % (round_number, number), partition=0)
            await (client.abort_transaction() if round_number % 2 else client.commit_transaction())
    got = [one.value for one in await read_topic(20, isolation_level="read_committed")]
    assert got == [b"%d %d" % (round_number, number) for round_number in (0, 2) for number in range(10)], got


async def offsets_sent_to_a_transaction_follow_it():
    await create(1)
    place = TopicPartition(TOPIC, 0)
    async with producer(transactional_id=f"{TOPIC}-id") as client, consumer(group_id=GROUP, enable_auto_commit=False) as reader:

        async def move(offset, is_commit):
            await client.begin_transaction()
            await client.send_and_wait(TOPIC, b"moved", partition=0)
            await client.send_offsets_to_transaction({place: offset}, GROUP)
            await (client.commit_transaction() if is_commit else client.abort_transaction())

        async def is_committed(offset):
            return await reader.committed(place) == offset

        await move(9, is_commit=False)
        assert await is_committed(None), "an aborted transaction committed offsets"
        await move(7, is_commit=True)
        # A transaction ends before the group hears of it, and this client does not ask for stable offsets.
        await until(lambda: is_committed(7), "the offset of the transaction")
        await move(9, is_commit=False)
        await move(8, is_commit=True)
        await until(lambda: is_committed(8), "the offset of the last transaction")


async def a_second_producer_fences_the_first():
    await create(1)
    first = producer(transactional_id=f"{TOPIC}-id")
    await first.start()
    await first.begin_transaction()
    await first.send_and_wait(TOPIC, b"1", partition=0)
    async with producer(transactional_id=f"{TOPIC}-id") as second:
        try:
            await first.commit_transaction()
        except ProducerFenced:
            pass
        else:
            raise AssertionError("two producers own one transactional id")
        async with second.transaction():
            await second.send_and_wait(TOPIC, b"2", partition=0)
    await first.stop()
    assert [one.value for one in await read_topic(1, isolation_level="read_committed")] == [b"2"]


async def a_restart_loses_and_repeats_nothing():
    await create(1)
    member = await Member().start()
    async with producer(enable_idempotence=True, linger_ms=5) as client:
        sent = []
        for number in range(2_000):
            sent.append(await client.send(TOPIC, b"%d" % number, partition=0))
            if number == 1_000:
                await sent[500]
                print("half", flush=True)
            await asyncio.sleep(0.001)
        await asyncio.gather(*sent)
    assert [int(one.value) for one in await read_topic(2_000)] == list(range(2_000))
    await until(lambda: member.has(1) and len(set(member.seen)) == 2_000, "the member that lived through it read all")
    await member.leave()


async def main():
    try:
        await (globals().get(CLAIM) or getattr(admin, CLAIM))()
    except BaseException:  # noqa: BLE001 - told, and the end: a member that is cancelled under way does not end
        traceback.print_exc()
        os._exit(1)


asyncio.run(main())
