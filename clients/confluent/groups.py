"""Consumer groups: rebalances of every assignor, static members, committed restarts."""

from confluent_kafka import KafkaError, KafkaException

from confluent.session import consumer, create, numbered, read, send, until
from harness.scenarios import scenario


class Member:
    """A group member that records what it owns; it must be polled to take part."""

    def __init__(self, context, **settings):
        self.owned, self.revocations = set(), 0
        cooperative = settings.get("partition_assignment_strategy") == "cooperative-sticky"
        self.client = consumer(context, **settings)

        def on_assign(_client, partitions):
            listed = {one.partition for one in partitions}
            self.owned = self.owned | listed if cooperative else listed

        def on_revoke(_client, partitions):
            self.revocations += 1
            self.owned -= {one.partition for one in partitions}

        self.client.subscribe([context.topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)

    def poll(self):
        message = self.client.poll(0.05)
        return message if message is not None and message.error() is None else None


def until_owned(members, counts):
    def settled():
        for member in members:
            member.poll()
        return [len(member.owned) for member in members] == counts

    until(settled, lambda: f"partitions {counts}, but {[member.owned for member in members]}")


@scenario(each=["range", "roundrobin", "cooperative-sticky"])
def a_second_member_shares_the_partitions_and_gives_them_back(context, strategy):
    create(context, 4)
    first = Member(context, partition_assignment_strategy=strategy)
    until_owned([first], [4])
    second = Member(context, partition_assignment_strategy=strategy)
    until_owned([first, second], [2, 2])
    assert first.owned | second.owned == {0, 1, 2, 3}
    second.client.close()
    until_owned([first], [4])
    first.client.close()


@scenario()
def a_cooperative_member_keeps_what_it_may_keep(context):
    create(context, 4)
    first = Member(context, partition_assignment_strategy="cooperative-sticky")
    until_owned([first], [4])
    before = set(first.owned)
    second = Member(context, partition_assignment_strategy="cooperative-sticky")
    until_owned([first, second], [2, 2])
    assert first.owned < before and first.revocations == 1, f"{before} -> {first.owned}, {first.revocations}"
    second.client.close()
    first.client.close()


@scenario()
def a_static_member_returns_without_a_rebalance(context):
    create(context, 4)
    stays = Member(context, group_instance_id="stays")
    returns = Member(context, group_instance_id="returns")
    until_owned([stays, returns], [2, 2])
    owned, revocations = set(returns.owned), stays.revocations
    returns.client.close()
    returns = Member(context, group_instance_id="returns")
    until_owned([stays, returns], [2, 2])
    assert returns.owned == owned, f"{owned} -> {returns.owned}"
    assert stays.revocations == revocations, "the other member was disturbed"
    returns.client.close()
    stays.client.close()


@scenario()
def a_second_owner_of_an_instance_id_fences_the_first(context):
    create(context, 1)
    first = Member(context, group_instance_id="only-one")
    until_owned([first], [1])
    second = Member(context, group_instance_id="only-one")
    until_owned([second], [1])

    def fenced():
        second.poll()
        try:
            message = first.client.poll(0.1)
        except KafkaException as error:
            return error.args[0].code() in FENCED
        return message is not None and message.error() is not None and message.error().code() in FENCED

    until(fenced, "FENCED_INSTANCE_ID at the first")
    second.client.close()
    first.client.close()


FENCED = {KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL}  # noqa: SLF001 - librdkafka wraps fatal errors


def commit_part_way(context, count, stop_at):
    send(context, numbered(count))
    first = consumer(context)
    first.subscribe([context.topic])
    messages = read(first, stop_at)
    assert [int(message.value()) for message in messages] == list(range(stop_at))
    committed = first.commit(asynchronous=False)
    assert [(one.error, one.offset) for one in committed] == [(None, stop_at)], committed
    first.close()


def expect_the_rest(context, count, start_at):
    second = consumer(context)
    second.subscribe([context.topic])
    assert [int(message.value()) for message in read(second, count - start_at)] == list(range(start_at, count))
    second.close()


@scenario()
def a_consumer_goes_on_at_its_committed_offset(context):
    commit_part_way(context, 1_000, 400)
    expect_the_rest(context, 1_000, 400)


@scenario(restarts=True, each=["sigterm", "sigkill"])
def a_consumer_goes_on_at_its_committed_offset_after_a_broker(context, signal):
    commit_part_way(context, 1_000, 400)
    if signal == "sigterm":
        context.broker.stop()
    else:
        context.broker.kill()
    context.broker.start()
    expect_the_rest(context, 1_000, 400)


@scenario(restarts=True)
def a_live_group_survives_a_broker_restart(context):
    send(context, numbered(100))
    member = Member(context)
    until_owned([member], [1])
    seen = []

    def drain(count):
        def enough():
            if message := member.poll():
                seen.append(int(message.value()))
            return len(seen) >= count

        until(enough, lambda: f"{len(seen)} of {count}", 60)

    drain(100)
    member.client.commit(asynchronous=False)
    context.broker.restart()
    send(context, [(None, b"100", None, 0)])
    drain(101)
    assert seen == list(range(101)), seen
    member.client.close()
