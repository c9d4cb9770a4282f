"""The claims of aiokafka's admin client: every call of it."""

from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidPartitionsError, OffsetOutOfRangeError
from session import GROUP, TOPIC, Admin, consumer, create, expect_codes, read, send, until

TOPIC_ALREADY_EXISTS, INVALID_CONFIG = 36, 40
DYNAMIC_TOPIC_CONFIG, DEFAULT_CONFIG = 1, 5


async def topics_are_made_described_enlarged_and_deleted():
    async with Admin() as client:
        expect_codes(await client.create_topics([NewTopic(TOPIC, 2, 1)], validate_only=True), 0)
        assert TOPIC not in await client.list_topics(), "only validated"
        await create(2)
        expect_codes(await client.create_topics([NewTopic(TOPIC, 2, 1)]), TOPIC_ALREADY_EXISTS)

        async def partitions():
            [told] = await client.describe_topics([TOPIC])
            return len(told["partitions"])

        async def has(count):
            return await partitions() == count

        await until(lambda: has(2), "two partitions")
        await client.create_partitions({TOPIC: NewPartitions(3)})
        await until(lambda: has(3), "three partitions")
        try:
            await client.create_partitions({TOPIC: NewPartitions(1)})
        except InvalidPartitionsError:
            pass
        else:
            raise AssertionError("a topic became smaller")
        expect_codes(await client.delete_topics([TOPIC]), 0)

        async def is_gone():
            return TOPIC not in await client.list_topics()

        await until(is_gone, "deleted")


async def groups_are_listed_and_described():
    await create(2)
    place = TopicPartition(TOPIC, 0)
    async with Admin() as client:
        cluster = await client.describe_cluster()
        nodes = [broker["node_id"] for broker in cluster["brokers"]]
        assert cluster["cluster_id"] and cluster["controller_id"] in nodes, cluster
        async with consumer(TOPIC, group_id=GROUP, enable_auto_commit=False) as reader:
            await until(lambda: len(reader.assignment()) == 2, "both partitions")
            await reader.commit({place: (7, "a note")})
            assert await client.find_coordinator(GROUP) in nodes
            assert (GROUP, "consumer") in [one[:2] for one in await client.list_consumer_groups()]
            [answer] = await client.describe_consumer_groups([GROUP])
            [(code, group, state, kind, assignor, members, *_)] = answer.groups
            assert (code, group, state, kind, assignor, len(members)) == (0, GROUP, "Stable", "consumer", "roundrobin", 1), answer
            found = await client.list_consumer_group_offsets(GROUP)
            assert {where: tuple(offset) for where, offset in found.items()} == {place: (7, "a note")}, found

        async def is_empty():
            [answer] = await client.describe_consumer_groups([GROUP])
            return answer.groups[0][2] == "Empty"

        await until(is_empty, "nobody is left")


async def topic_settings_change_live_and_say_where_they_come_from():
    await create(1)

    def topic(configs=None):
        return [ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs)]

    async with Admin() as client:

        async def told(resources=None):
            [answer] = await client.describe_configs(resources or topic())
            [(code, _, _, _, entries)] = answer.resources
            assert code == 0, answer
            return {name: (value, source) for name, value, _, source, *_ in entries}

        async def altered(configs):
            [answer] = await client.alter_configs(topic(configs))
            return answer.resources[0][0]

        async def is_set(name, value):
            return (await told())[name] == (value, DYNAMIC_TOPIC_CONFIG)

        before = await told()
        assert len(before) > 20 and before["retention.ms"] == ("604800000", DEFAULT_CONFIG), before
        assert await altered({"retention.ms": "3600000", "cleanup.policy": "compact"}) == 0
        await until(lambda: is_set("retention.ms", "3600000"), "the new value")
        # What an alteration of this kind does not name goes back to its default.
        assert await altered({"retention.ms": "7200000"}) == 0
        await until(lambda: is_set("retention.ms", "7200000"), "the newer value")
        assert (await told())["cleanup.policy"] == ("delete", DEFAULT_CONFIG)
        assert await altered({"retention.ms": "soon"}) == INVALID_CONFIG
        node = (await client.describe_cluster())["controller_id"]
        assert "log.retention.ms" in await told([ConfigResource(ConfigResourceType.BROKER, str(node))])


async def deleted_records_are_gone_for_every_reader():
    await create(1)
    await send(100, 1)
    place = TopicPartition(TOPIC, 0)
    async with Admin() as client:
        assert await client.delete_records({place: RecordsToDelete(before_offset=40)}) == {place: 40}
        try:
            await client.delete_records({place: RecordsToDelete(before_offset=101)})
        except OffsetOutOfRangeError:
            pass
        else:
            raise AssertionError("records were deleted that are not there")
    async with consumer(group_id=None) as reader:
        reader.assign([place])
        assert await reader.beginning_offsets([place]) == {place: 40}
        assert (await read(reader, 60))[0].offset == 40
