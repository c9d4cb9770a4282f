"""Groups of the consumer protocol: ConsumerGroupHeartbeat, ConsumerGroupDescribe, and what the older requests answer for such groups."""

from harness.referee.play import scenario
from referee_cases.commits import commit, committed
from referee_cases.membership import beat, join, leave, lone_member, subscription, sync

HEARTBEAT = "ConsumerGroupHeartbeat"
DESCRIBE = "ConsumerGroupDescribe"
JOINS, LEAVES, LEAVES_FOR_A_WHILE = 0, -1, -2


def speaks(group, member, epoch, version=1, regex=None, **more):
    body = {"groupId": group, "memberId": member, "memberEpoch": epoch, "rebalanceTimeoutMs": -1, "subscribedTopicNames": None,
            "topicPartitions": None, **more}
    return {**body, "subscribedTopicRegex": regex} if version >= 1 else body


def joins(group, member, *topics, version=1, **more):
    return speaks(group, member, JOINS, version=version,
                  **{"rebalanceTimeoutMs": 30_000, "subscribedTopicNames": list(topics), "topicPartitions": [], **more})


def owns(answer):
    """What the answer gave, in the form in which a member says that it owns it."""
    return answer["assignment"]["topicPartitions"]


def member_of(play, group, member, *topics, **more):
    answer = play.quiet(HEARTBEAT, joins(group, member, *topics, **more))
    assert answer["errorCode"] == 0, answer
    return answer


def await_described(play, *groups):
    """Kafka tells outsiders of a group once its log has it."""
    play.quiet(DESCRIBE, {"groupIds": list(groups)}, until=lambda answer: all(one["errorCode"] == 0 for one in answer["groups"]))


@scenario(core=True)
def a_consumer_lives_in_every_version(play):
    topic = play.topic(partitions=2)
    for version in play.versions(HEARTBEAT):
        group = play.name(f"v{version}")
        first = play.call("joins", HEARTBEAT, version, joins(group, "m" if version else "", topic, version=version))
        member = first["memberId"]
        play.call("lives", HEARTBEAT, version, speaks(group, member, 1, version=version))
        play.call("says what it owns", HEARTBEAT, version, speaks(group, member, 1, version=version, topicPartitions=owns(first)))
        everything = {"rebalanceTimeoutMs": 30_000, "subscribedTopicNames": [topic], "topicPartitions": owns(first)}
        play.call("says all", HEARTBEAT, version, speaks(group, member, 1, version=version, **everything))
        await_described(play, group)
        for described in play.versions(DESCRIBE):
            play.call(f"is described to {version}", DESCRIBE, described, {"groupIds": [group], "includeAuthorizedOperations": True})
        play.call("joins again", HEARTBEAT, version, joins(group, member, topic, version=version))
        play.call("leaves", HEARTBEAT, version, speaks(group, member, LEAVES, version=version))
        play.call("lives no more", HEARTBEAT, version, speaks(group, member, 1, version=version))
        play.quiet(DESCRIBE, {"groupIds": [group]}, until=lambda answer: answer["groups"][0]["groupState"] == "Empty")
        play.call("is described empty", DESCRIBE, version, {"groupIds": [group]})
        play.call("joins the empty group", HEARTBEAT, version, joins(group, member, topic, version=version))


@scenario(core=True)
def wrong_heartbeats_of_consumers_are_refused(play):
    topic = play.topic()
    group = play.name("lone")
    first = member_of(play, group, "m", topic)
    for version in play.versions(HEARTBEAT):
        def ask(case, body):
            play.call(case, HEARTBEAT, version, body)

        ask("empty group", joins("", "x", topic, version=version))
        ask("blank group", joins("  ", "x", topic, version=version))
        ask("empty instance", joins(group, "x", topic, version=version, instanceId=""))
        ask("empty rack", joins(group, "x", topic, version=version, rackId=""))
        ask("no timeout", joins(group, "x", topic, version=version, rebalanceTimeoutMs=-1))
        ask("no partitions", joins(group, "x", topic, version=version, topicPartitions=None))
        ask("owns as it joins", joins(group, "x", topic, version=version, topicPartitions=owns(first)))
        ask("no topics", joins(group, "x", version=version, subscribedTopicNames=None))
        ask("unknown assignor", joins(group, "x", topic, version=version, serverAssignor="mine"))
        ask("empty assignor", joins(group, "x", topic, version=version, serverAssignor=""))
        ask("no member lives", speaks(group, "", 1, version=version))
        ask("no member leaves", speaks(group, "", LEAVES, version=version))
        ask("leaves for a while without an instance", speaks(group, "m", LEAVES_FOR_A_WHILE, version=version))
        ask("epoch below all", speaks(group, "m", -3, version=version))
        ask("unknown group", speaks(play.name("nowhere"), "m", 1, version=version))
        ask("leaves an unknown group", speaks(play.name("nowhere"), "m", LEAVES, version=version))
        ask("unknown member", speaks(group, "nobody", 1, version=version))
        ask("unknown member leaves", speaks(group, "nobody", LEAVES, version=version))
        ask("unknown instance", speaks(group, "m", 1, version=version, instanceId="nobody"))
        ask("unknown instance leaves", speaks(group, "m", LEAVES, version=version, instanceId="nobody"))
        ask("greater epoch", speaks(group, "m", 7, version=version))
        ask("still a member", speaks(group, "m", 1, version=version))
    play.call("no member joins", HEARTBEAT, 1, joins(group, "", topic))
    play.call("wrong pattern", HEARTBEAT, 1, joins(group, "x", topic, regex="("))
    play.call("another wrong pattern", HEARTBEAT, 1, speaks(group, "m", 1, regex="[z-a]"))


@scenario(core=True)
def consumers_hand_partitions_over(play):
    topic = play.topic(partitions=4)
    group = play.name("g")
    all_of_it = play.call("first joins", HEARTBEAT, 1, joins(group, "a", topic, serverAssignor="range"))
    play.call("second joins", HEARTBEAT, 1, joins(group, "b", topic, serverAssignor="range"))
    await_described(play, group)
    play.call("in between", DESCRIBE, 1, {"groupIds": [group]})
    kept = play.call("first hears", HEARTBEAT, 1, speaks(group, "a", 1, topicPartitions=owns(all_of_it)))
    play.call("second waits", HEARTBEAT, 1, speaks(group, "b", 2, topicPartitions=[]))
    play.call("first says nothing", HEARTBEAT, 1, speaks(group, "a", 1))
    play.call("first still owns", HEARTBEAT, 1, speaks(group, "a", 1, topicPartitions=owns(all_of_it)))
    play.call("first gave up", HEARTBEAT, 1, speaks(group, "a", 1, topicPartitions=owns(kept)))
    play.call("first missed that", HEARTBEAT, 1, speaks(group, "a", 1, topicPartitions=owns(kept)))
    play.call("first is too far behind", HEARTBEAT, 1, speaks(group, "a", 1))
    got = play.call("second gets", HEARTBEAT, 1, speaks(group, "b", 2))
    play.call("second lives", HEARTBEAT, 1, speaks(group, "b", 2, topicPartitions=owns(got)))
    play.quiet(DESCRIBE, {"groupIds": [group]}, until=lambda answer: answer["groups"][0]["groupState"] == "Stable")
    play.call("at the end", DESCRIBE, 1, {"groupIds": [group]})
    play.call("first leaves", HEARTBEAT, 1, speaks(group, "a", LEAVES))
    play.call("second hears", HEARTBEAT, 1, speaks(group, "b", 2, topicPartitions=owns(got)))


@scenario(core=True)
def subscriptions_change(play):
    one, other = play.topic("one", partitions=2), play.topic("other")
    group = play.name("g")
    has = play.call("joins", HEARTBEAT, 1, joins(group, "m", one, "nowhere"))
    play.call("reads the other", HEARTBEAT, 1, speaks(group, "m", 1, subscribedTopicNames=[other], topicPartitions=owns(has)))
    play.call("gave the first up", HEARTBEAT, 1, speaks(group, "m", 1, topicPartitions=[]))
    play.call("reads nothing", HEARTBEAT, 1, speaks(group, "m", 2, subscribedTopicNames=[]))
    play.call("joins with nothing", HEARTBEAT, 1, joins(play.name("nothing"), "m"))


@scenario(core=True)
def static_consumers_come_back(play):
    topic = play.topic(partitions=2)
    group = play.name("g")
    member_of(play, group, "a", topic, instanceId="i")
    play.call("another takes its name", HEARTBEAT, 1, joins(group, "b", topic, instanceId="i"))
    play.call("another speaks for it", HEARTBEAT, 1, speaks(group, "b", 1, instanceId="i"))
    play.call("another leaves for it", HEARTBEAT, 1, speaks(group, "b", LEAVES, instanceId="i"))
    play.call("lives", HEARTBEAT, 1, speaks(group, "a", 1, instanceId="i"))
    play.call("leaves for a while", HEARTBEAT, 1, speaks(group, "a", LEAVES_FOR_A_WHILE, instanceId="i"))
    play.call("lives no more", HEARTBEAT, 1, speaks(group, "a", 1, instanceId="i"))
    play.quiet(DESCRIBE, {"groupIds": [group]}, until=lambda answer: answer["groups"][0]["members"][0]["memberEpoch"] == -2)
    play.call("is away", DESCRIBE, 1, {"groupIds": [group]})
    play.call("comes back as another", HEARTBEAT, 1, joins(group, "b", topic, instanceId="i"))
    play.call("the old one speaks", HEARTBEAT, 1, speaks(group, "a", 1, instanceId="i"))
    play.call("leaves for good", HEARTBEAT, 1, speaks(group, "b", LEAVES, instanceId="i"))


@scenario(core=True)
def consumers_commit_in_their_epoch(play):
    topic = play.topic()
    group = play.name("g")
    member_of(play, group, "m", topic)
    for version in play.versions("OffsetCommit", first=2):
        play.call("in its epoch", "OffsetCommit", version, commit(group, topic, (0, 5), generation=1, member="m"))
        play.call("in another epoch", "OffsetCommit", version, commit(group, topic, (0, 5), generation=0, member="m"))
        play.call("in a greater epoch", "OffsetCommit", version, commit(group, topic, (0, 5), generation=3, member="m"))
        play.call("another member", "OffsetCommit", version, commit(group, topic, (0, 5), generation=1, member="nobody"))
        play.call("nobody", "OffsetCommit", version, commit(group, topic, (0, 5)))
    for case, member, epoch in [("nobody", None, -1), ("in its epoch", "m", 1), ("in another epoch", "m", 0), ("in a greater epoch", "m", 3),
                                ("another member", "nobody", 1), ("a member in no epoch", "m", -1)]:
        body = committed(9, group, topic, 0)
        body["groups"][0].update(memberId=member, memberEpoch=epoch)
        play.call(case, "OffsetFetch", 9, body)
        body["groups"][0]["groupId"] = play.name("nowhere")
        play.call(f"{case} of an unknown group", "OffsetFetch", 9, body)
    play.quiet("OffsetCommit", commit(play.name("simple"), topic, (0, 5)))
    body = committed(9, play.name("simple"), topic, 0)
    body["groups"][0].update(memberId="m", memberEpoch=1)
    play.call("a member of a classic group", "OffsetFetch", 9, body)
    play.quiet(HEARTBEAT, speaks(group, "m", LEAVES))
    play.call("nobody in the empty group", "OffsetCommit", 9, commit(group, topic, (0, 6)))
    play.call("who has left", "OffsetCommit", 9, commit(group, topic, (0, 6), generation=1, member="m"))


@scenario(core=True)
def consumers_are_seen_from_outside(play):
    topic, other = play.topic(), play.topic("other")
    group, classic = play.name("consumers"), play.name("classic")
    member_of(play, group, "m", topic)
    lone_member(play, classic)
    await_described(play, group)
    for version in play.versions("DescribeGroups"):
        play.call("the old way", "DescribeGroups", version, {"groups": [group, play.name("nowhere")]})
    for version in play.versions(DESCRIBE):
        play.call("classic", DESCRIBE, version, {"groupIds": [classic]})
        play.call("unknown", DESCRIBE, version, {"groupIds": [play.name("nowhere")]})
        play.call("several", DESCRIBE, version, {"groupIds": [group, play.name("nowhere")]})
        play.call("none", DESCRIBE, version, {"groupIds": []})
    for version in play.versions("ListGroups"):
        play.call_among("all", "ListGroups", version, {}, "groups", "groupId")
    for types in (["consumer"], ["Consumer"], ["classic"]):
        play.call_among(f"types {types}", "ListGroups", 5, {"typesFilter": types}, "groups", "groupId")
    for states in (["Stable"], ["Assigning"], ["reconciling"], ["Empty"]):
        play.call_among(f"states {states}", "ListGroups", 5, {"statesFilter": states}, "groups", "groupId")
    play.call("a group with members", "DeleteGroups", 2, {"groupsNames": [group]})
    play.quiet("OffsetCommit", commit(group, topic, (0, 5), generation=1, member="m"))
    doomed = [{"name": name, "partitions": [{"partitionIndex": 0}]} for name in (topic, other)]
    play.call("offsets that are read", "OffsetDelete", 0, {"groupId": group, "topics": doomed})
    play.call("sync", "SyncGroup", 5, sync(group, 1, "m"))
    play.call("beat", "Heartbeat", 4, beat(group, 1, "m"))
    play.call("an unknown member leaves", "LeaveGroup", 5, leave(group, "nobody"))
    play.call("join without a subscription", "JoinGroup", 9, join(group, "x", kind="connect"))
    play.call("leave", "LeaveGroup", 5, leave(group, "m"))
    play.quiet(DESCRIBE, {"groupIds": [group]}, until=lambda answer: answer["groups"][0]["groupState"] == "Empty")
    play.call("an empty group", "DeleteGroups", 2, {"groupsNames": [group]})
    play.call("a deleted group", DESCRIBE, 1, {"groupIds": [group]})


@scenario(core=True)
def a_classic_group_goes_on_with_consumers(play):
    topic = play.topic(partitions=2)
    group = play.name("g")
    metadata = subscription(topic)
    asked = play.quiet("JoinGroup", join(group, metadata=metadata), version=5)
    old = asked["memberId"]
    play.quiet("JoinGroup", join(group, old, metadata=metadata), version=5)
    body = {"groupId": group, "generationId": 1, "memberId": old, "assignments": []}
    play.quiet("SyncGroup", body, version=3)
    play.call("a consumer joins", HEARTBEAT, 1, joins(group, "new", topic, serverAssignor="range"))
    play.call("the old one beats", "Heartbeat", 4, beat(group, 1, old))
    play.call("the old one commits in the old generation", "OffsetCommit", 8, commit(group, topic, (0, 5), generation=1, member=old))
    play.call("the old one joins again", "JoinGroup", 9, join(group, old, metadata=metadata))
    play.call("the old one syncs", "SyncGroup", 5, {**body, "generationId": 2, "protocolType": "consumer", "protocolName": "range"})
    play.call("the old one beats again", "Heartbeat", 4, beat(group, 2, old))
    play.call("another protocol", "JoinGroup", 9, join(group, protocols=("sticky",), metadata=metadata))
    play.call("another kind", "JoinGroup", 9, join(group, kind="connect", metadata=metadata))
    play.call("the new one speaks the old protocol", "Heartbeat", 4, beat(group, 2, "new"))
    await_described(play, group)
    play.call("is described", DESCRIBE, 1, {"groupIds": [group]})
    play.call("the new one leaves", HEARTBEAT, 1, speaks(group, "new", LEAVES))
    play.call("the old one must join again", "Heartbeat", 4, beat(group, 2, old))
    play.call("and does", "JoinGroup", 9, join(group, old, metadata=metadata))


@scenario(core=True)
def classic_groups_that_cannot_go_on_with_consumers(play):
    topic = play.topic()
    lone_member(play, play.name("connect"), kind="connect")
    play.call("another kind", HEARTBEAT, 1, joins(play.name("connect"), "m", topic))
    lone_member(play, play.name("live"))
    for case, epoch in [("lives", 1), ("leaves", LEAVES)]:
        play.call(f"{case} in a classic group", HEARTBEAT, 1, speaks(play.name("live"), "m", epoch))
