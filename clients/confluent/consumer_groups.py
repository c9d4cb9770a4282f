"""Groups of the consumer protocol (KIP-848): the broker assigns. Rebalances, static members, patterns, commits, and classic groups on the way."""

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from confluent.session import WAIT_SECONDS, admin, consumer, create, numbered, read, send, until
from harness.scenarios import scenario

CONSUMER = "consumer"


class Member:
    """A member that records what it owns; it must be polled to take part. But for classic eager assignors both protocols hand over what changes and
    nothing else."""

    def __init__(self, context, topics=None, protocol=CONSUMER, strategy="cooperative-sticky", **settings):
        self.owned, self.lost, self.seen = set(), [], []
        if protocol == CONSUMER:
            # The broker says how often a member speaks.
            self.client = consumer(context, without=["heartbeat.interval.ms"], group_protocol=protocol, **settings)
        else:
            self.client = consumer(context, partition_assignment_strategy=strategy, **settings)
        self.client.subscribe(topics or [context.topic], on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_revoke)

    def on_assign(self, _client, partitions):
        self.owned |= {(one.topic, one.partition) for one in partitions}

    def on_revoke(self, _client, partitions):
        self.lost.append({(one.topic, one.partition) for one in partitions})
        self.owned -= self.lost[-1]

    def poll(self):
        message = self.client.poll(0.02)
        if message is not None and message.error() is None:
            self.seen.append(message.value())


def until_owned(members, counts):
    """Until the members own so many partitions each; several ways to share may be right."""
    ways = counts if isinstance(counts, tuple) else (counts,)

    def settled():
        for member in members:
            member.poll()
        owned = [one for member in members for one in member.owned]
        assert len(owned) == len(set(owned)), f"two owners: {[member.owned for member in members]}"
        return [len(member.owned) for member in members] in ways

    until(settled, lambda: f"partitions {counts}, but {[member.owned for member in members]}")


def close(*members):
    for member in members:
        member.client.close()


@scenario(each=["uniform", "range"])
def a_second_consumer_shares_the_partitions_and_gives_them_back(context, assignor):
    create(context, 4)
    first = Member(context, group_remote_assignor=assignor)
    until_owned([first], [4])
    second = Member(context, group_remote_assignor=assignor)
    until_owned([first, second], [2, 2])
    close(second)
    until_owned([first], [4])
    close(first)


@scenario()
def a_consumer_keeps_what_it_may_keep_in_a_hand_over(context):
    create(context, 4)
    first = Member(context)
    until_owned([first], [4])
    second = Member(context)
    until_owned([first, second], [2, 2])
    assert [len(lost) for lost in first.lost] == [2], f"one revocation, of what it gives up: {first.lost}"
    assert not second.lost, second.lost
    close(second, first)


@scenario(tier=2)
def a_silent_consumer_is_dropped_and_others_take_over(context):
    create(context, 2)
    stays = Member(context)
    leaves = Member(context, group_instance_id="leaves")
    until_owned([stays, leaves], [1, 1])
    # A static member says that it will be back, and is not.
    close(leaves)
    until_owned([stays], [2])
    close(stays)


@scenario()
def a_static_consumer_returns_to_what_it_had(context):
    create(context, 4)
    stays = Member(context, group_instance_id="stays")
    returns = Member(context, group_instance_id="returns")
    until_owned([stays, returns], [2, 2])
    owned, lost = set(returns.owned), len(stays.lost)
    close(returns)
    returns = Member(context, group_instance_id="returns")
    until_owned([stays, returns], [2, 2])
    assert returns.owned == owned, f"{owned} -> {returns.owned}"
    assert len(stays.lost) == lost, "the other member was disturbed"
    close(returns, stays)


@scenario()
def consumers_read_topics_of_a_pattern_and_those_that_come_later(context):
    client = admin(context)
    topics = [f"{context.topic}-orders-{number}" for number in range(3)]
    made = client.create_topics([NewTopic(name, 1, 1) for name in [*topics[:2], f"{context.topic}-notes"]])
    for future in made.values():
        future.result(WAIT_SECONDS)
    member = Member(context, topics=[f"^{context.topic}-orders-.*"])
    until_owned([member], [2])
    for future in client.create_topics([NewTopic(topics[2], 1, 1)]).values():
        future.result(WAIT_SECONDS)
    until_owned([member], [3])
    assert {topic for topic, _ in member.owned} == set(topics), member.owned
    close(member)


def commit_part_way(context, count, stop_at):
    send(context, numbered(count))
    member = Member(context)
    messages = read(member.client, stop_at)
    assert [int(message.value()) for message in messages] == list(range(stop_at))
    committed = member.client.commit(asynchronous=False)
    assert [(one.error, one.offset) for one in committed] == [(None, stop_at)], committed
    return member


def expect_the_rest(context, count, start_at):
    member = Member(context)
    assert [int(message.value()) for message in read(member.client, count - start_at)] == list(range(start_at, count))
    close(member)


@scenario()
def a_consumer_of_the_new_protocol_goes_on_at_its_committed_offset(context):
    close(commit_part_way(context, 1_000, 400))
    expect_the_rest(context, 1_000, 400)


@scenario()
def a_commit_from_outside_a_live_group_is_refused(context):
    create(context, 1)
    member = Member(context)
    until_owned([member], [1])
    outside = consumer(context)
    try:
        outside.commit(offsets=[TopicPartition(context.topic, 0, 7)], asynchronous=False)
        raise AssertionError("the commit was taken")
    except KafkaException:
        pass
    outside.close()
    close(member)


@scenario(tier=2, restarts=True, each=["sigterm", "sigkill"])
def a_live_group_of_consumers_goes_on_after_a_broker(context, signal):
    create(context, 4)
    members = [Member(context), Member(context)]
    until_owned(members, [2, 2])
    # What was read and not committed before a hand-over would be read again.
    send(context, [(None, b"%d" % number, None, number % 4) for number in range(100)])
    owned = [set(member.owned) for member in members]

    def until_seen(count):
        def enough():
            for member in members:
                member.poll()
            return sum(len(member.seen) for member in members) >= count

        until(enough, lambda: f"{[len(member.seen) for member in members]} of {count}", 60)

    until_seen(100)
    for member in members:
        member.client.commit(asynchronous=False)
    if signal == "sigterm":
        context.broker.stop()
    else:
        context.broker.kill()
    context.broker.start()
    send(context, [(None, b"%d" % number, None, number % 4) for number in range(100, 140)])
    until_seen(140)
    seen = sorted(int(value) for member in members for value in member.seen)
    assert seen == list(range(140)), f"lost or repeated: {seen}"
    assert [member.owned for member in members] == owned, "a restart is no rebalance"
    close(*members)


@scenario(tier=2)
def a_classic_group_is_upgraded_and_downgraded_online(context):
    create(context, 4)
    send(context, [(None, b"%d" % number, None, number % 4) for number in range(40)])
    old = Member(context, protocol="classic")
    until_owned([old], [4])
    new = Member(context)
    until_owned([old, new], [2, 2])
    more = Member(context, protocol="classic")
    until_owned([old, new, more], ([2, 1, 1], [1, 2, 1], [1, 1, 2]))
    close(more)
    until_owned([old, new], [2, 2])
    old.client.commit(asynchronous=False)
    close(new)
    until_owned([old], [4])
    close(old)


@scenario()
def every_member_of_a_classic_group_can_be_replaced_by_one_of_the_new_protocol(context):
    create(context, 4)
    # librdkafka's sticky assignor tells members something of its own beside their partitions, and Kafka upgrades no group where that would be lost.
    old = [Member(context, protocol="classic", strategy="range") for _ in range(2)]
    until_owned(old, [2, 2])
    new = Member(context)
    close(old.pop())
    until_owned([*old, new], [2, 2])
    close(old.pop())
    until_owned([new], [4])
    close(new)
