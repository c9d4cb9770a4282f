"""Configurations and space through AdminClient: settings changed live, DeleteRecords, and what readers are told then."""

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, OffsetSpec

from confluent.session import WAIT_SECONDS, admin, consumer, create, numbered, read, send, until
from confluent.topics import code_of
from harness.scenarios import scenario


def described(client, context):
    resource = ConfigResource(ConfigResource.Type.TOPIC, context.topic)
    (future,) = client.describe_configs([resource]).values()
    return future.result(WAIT_SECONDS)


def altered(client, context, edits, **options):
    """The error code of an incremental change, None when it went well."""
    entries = [ConfigEntry(name, value, incremental_operation=operation) for name, value, operation in edits]
    resource = ConfigResource(ConfigResource.Type.TOPIC, context.topic, incremental_configs=entries)
    return code_of(client.incremental_alter_configs([resource], **options))


@scenario()
def topic_settings_change_live_and_say_where_they_come_from(context):
    create(context, 1)
    client, operation = admin(context), AlterConfigOpType
    before = described(client, context)["retention.ms"]
    assert before.source == ConfigSource.DEFAULT_CONFIG.value and before.is_default, before.source
    assert altered(client, context, [("retention.ms", "3600000", operation.SET)], validate_only=True) is None
    assert described(client, context)["retention.ms"].value == before.value, "validate_only changes nothing"
    assert altered(client, context, [("retention.ms", "3600000", operation.SET),
                                     ("cleanup.policy", "compact", operation.APPEND)]) is None
    until(lambda: described(client, context)["retention.ms"].value == "3600000", "the new value is there")
    after = described(client, context)
    assert after["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    assert sorted(after["cleanup.policy"].value.split(",")) == ["compact", "delete"]
    assert "retention.ms" in after["retention.ms"].synonyms, after["retention.ms"].synonyms
    assert altered(client, context, [("cleanup.policy", "compact", operation.SUBTRACT),
                                     ("retention.ms", None, operation.DELETE)]) is None
    until(lambda: described(client, context)["cleanup.policy"].value == "delete", "compact is gone")
    assert described(client, context)["retention.ms"].value == before.value
    assert altered(client, context, [("retention.ms", "soon", operation.SET)]) == KafkaError.INVALID_CONFIG
    assert altered(client, context, [("no.such.setting", "1", operation.SET)]) == KafkaError.INVALID_CONFIG
    assert altered(client, context, [("retention.ms", "1", operation.APPEND)]) == KafkaError.INVALID_CONFIG


@scenario()
def a_smaller_message_limit_acts_at_once(context):
    create(context, 1)
    client = admin(context)
    assert altered(client, context, [("max.message.bytes", "1000", AlterConfigOpType.SET)]) is None

    def is_refused():
        try:
            send(context, [(None, b"x" * 5_000, None, 0)])
            return False
        except AssertionError as refusal:
            assert "MSG_SIZE_TOO_LARGE" in str(refusal), refusal
            return True

    until(is_refused, "a large record is refused")
    send(context, [(None, b"small", None, 0)])


def low_watermark(client, context, offset):
    """What deleting up to an offset answers: the new start, or an error code."""
    (future,) = client.delete_records([TopicPartition(context.topic, 0, offset)]).values()
    try:
        return future.result(WAIT_SECONDS).low_watermark
    except KafkaException as error:
        return error.args[0]


@scenario()
def deleted_records_are_gone_for_every_reader(context):
    send(context, numbered(100))
    client = admin(context)
    assert low_watermark(client, context, 40) == 40
    assert low_watermark(client, context, 10) == 40, "the start never falls"
    assert low_watermark(client, context, 101).code() == KafkaError.OFFSET_OUT_OF_RANGE
    (future,) = client.list_offsets({TopicPartition(context.topic, 0): OffsetSpec.earliest()}).values()
    assert future.result(WAIT_SECONDS).offset == 40
    reader = consumer(context)
    reader.assign([TopicPartition(context.topic, 0, OFFSET_BEGINNING)])
    assert read(reader, 60)[0].offset() == 40
    # In the middle of what was deleted: told, and reset as its policy says.
    reader.seek(TopicPartition(context.topic, 0, 5))
    assert read(reader, 1)[0].offset() == 40
    assert low_watermark(client, context, -1) == 100, "-1 is everything"
    delivered = send(context, numbered(1))
    assert delivered[0].offset() == 100
    reader.seek(TopicPartition(context.topic, 0, 50))
    assert read(reader, 1)[0].offset() == 100
    reader.close()


@scenario()
def records_of_a_compacted_topic_are_not_deleted_by_offset(context):
    create(context, 1)
    client = admin(context)
    assert altered(client, context, [("cleanup.policy", "compact", AlterConfigOpType.SET)]) is None
    until(lambda: described(client, context)["cleanup.policy"].value == "compact", "the policy is compact")
    error = until(lambda: (got := low_watermark(client, context, 0)) != 0 and got, "it is refused")
    assert error.code() == KafkaError.POLICY_VIOLATION, error


@scenario(restarts=True, only="posthaste")
def settings_and_log_starts_survive_a_kill(context):
    # Kafka writes its log starts down once a minute, and may forget one when it is killed.
    send(context, numbered(20))
    client = admin(context)
    assert altered(client, context, [("retention.ms", "7200000", AlterConfigOpType.SET)]) is None
    assert low_watermark(client, context, 7) == 7
    context.broker.kill()
    context.broker.start()
    client = admin(context)
    assert described(client, context)["retention.ms"].value == "7200000"
    reader = consumer(context)
    assert reader.get_watermark_offsets(TopicPartition(context.topic, 0), timeout=WAIT_SECONDS) == (7, 20)
    reader.close()
