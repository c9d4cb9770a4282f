"""Several members at once: rebalances, static members and what they may do meanwhile."""

import time

from harness.referee.play import scenario
from referee_cases.membership import beat, join, leave, lone_member, sync


def statically(group, instance, member="", **more):
    return join(group, member, groupInstanceId=instance, **more)


@scenario(core=True)
def a_second_member_makes_a_rebalance(play):
    group = play.name("two")
    first = lone_member(play, group)
    second = play.quiet("JoinGroup", join(group), version=5, connection="b")["memberId"]
    play.send("JoinGroup", 5, join(group, second), connection="b")
    play.call("the first hears of it", "Heartbeat", 4, beat(group, 1, first), until=lambda answer: answer["errorCode"] == 27)
    play.call("described meanwhile", "DescribeGroups", 5, {"groups": [group]})
    play.call("a sync meanwhile", "SyncGroup", 4, sync(group, 1, first))
    play.call("a commit meanwhile", "OffsetCommit", 7, commit(group, 1, first))
    play.call("the first joins", "JoinGroup", 5, join(group, first))
    play.later("the second is let in", "JoinGroup", 5, connection="b")
    play.call("a commit before the assignment", "OffsetCommit", 7, commit(group, 2, first))
    play.call("a heartbeat before the assignment", "Heartbeat", 4, beat(group, 2, first))
    play.call("described before the assignment", "DescribeGroups", 5, {"groups": [group]})
    play.send("SyncGroup", 4, sync(group, 2, second), connection="b")
    time.sleep(0.1)
    play.call("the leader assigns one", "SyncGroup", 4, sync(group, 2, first, [first]))
    play.later("the other has nothing", "SyncGroup", 4, connection="b")
    play.call("described when stable", "DescribeGroups", 5, {"groups": [group]})
    play.call("the old generation", "Heartbeat", 4, beat(group, 1, second))
    play.call("the second leaves", "LeaveGroup", 5, leave(group, second))
    play.call("the first hears of that", "Heartbeat", 4, beat(group, 2, first))


def commit(group, generation, member, **more):
    return {"groupId": group, "generationIdOrMemberEpoch": generation, "memberId": member, "topics": [
        {"name": "nowhere", "partitions": [{"partitionIndex": 0, "committedOffset": 1, "committedMetadata": ""}]}], **more}


@scenario(core=True)
def the_protocol_of_most_members_is_taken(play):
    group = play.name("votes")
    wishes = {"a": ("one", "two", "three"), "b": ("two", "three", "one"), "c": ("two", "one", "three")}
    members = {}
    for connection, protocols in wishes.items():
        members[connection] = play.quiet("JoinGroup", join(group, protocols=protocols), version=9, connection=connection)["memberId"]
        if connection == "a":
            play.call("the first alone", "JoinGroup", 9, join(group, members["a"], protocols=protocols))
        else:
            play.send("JoinGroup", 9, join(group, members[connection], protocols=protocols), connection=connection)
            time.sleep(0.05)
    play.call("a stranger to all of them", "JoinGroup", 9, join(group, protocols=("four",)), connection="d")
    play.call("the first again", "JoinGroup", 9, join(group, members["a"], protocols=wishes["a"]))
    for connection in ("b", "c"):
        play.later(f"{connection} is let in", "JoinGroup", 9, connection=connection)
    names = {"protocolType": "consumer", "protocolName": "two"}
    play.call("the leader assigns", "SyncGroup", 5, sync(group, 2, members["a"], members.values(), **names))
    for connection in ("b", "c"):
        play.call(f"{connection} is assigned", "SyncGroup", 5, sync(group, 2, members[connection], **names), connection=connection)
    play.call("described", "DescribeGroups", 6, {"groups": [group]})
    play.call("the leader leaves", "LeaveGroup", 5, leave(group, members["a"]))
    play.call("the others hear of it", "Heartbeat", 4, beat(group, 2, members["b"]), until=lambda answer: answer["errorCode"] == 27)


@scenario(core=True)
def a_member_that_stays_away_is_put_out(play):
    group = play.name("two")
    first = lone_member(play, group, rebalance_ms=1_000)
    second = play.quiet("JoinGroup", join(group, rebalance_ms=1_000), version=5, connection="b")["memberId"]
    play.send("JoinGroup", 5, join(group, second, rebalance_ms=1_000), connection="b")
    play.later("alone after the time for rebalances", "JoinGroup", 5, connection="b")
    play.call("the first is out", "Heartbeat", 4, beat(group, 1, first))
    play.call("and may not sync", "SyncGroup", 4, sync(group, 2, first))


@scenario(core=True)
def a_static_member_comes_back_as_another(play):
    group = play.name("static")
    for version in play.versions("JoinGroup", first=5):
        own = f"{group}-{version}"
        member = play.call("joins", "JoinGroup", version, statically(own, "i1"))["memberId"]
        names = {"protocolType": "consumer", "protocolName": "range"}
        play.call(f"syncs after {version}", "SyncGroup", 5, sync(own, 1, member, [member], groupInstanceId="i1", **names))
        back = play.call("comes back", "JoinGroup", version, statically(own, "i1"))["memberId"]
        play.call(f"the new one syncs after {version}", "SyncGroup", 5, sync(own, 1, back, groupInstanceId="i1", **names))
        play.call(f"the old one beats after {version}", "Heartbeat", 4, beat(own, 1, member, groupInstanceId="i1"))
        play.call(f"the old one beats without its instance after {version}", "Heartbeat", 4, beat(own, 1, member))
        play.call(f"the old one syncs after {version}", "SyncGroup", 5, sync(own, 1, member, groupInstanceId="i1", **names))
        play.call("the old one joins", "JoinGroup", version, statically(own, "i1", member))
        play.call(f"the old one commits after {version}", "OffsetCommit", 9, commit(own, 1, member, groupInstanceId="i1"))
        play.call(f"the old one leaves after {version}", "LeaveGroup", 5, {"groupId": own, "members": [{"memberId": member, "groupInstanceId": "i1"}]})
        play.call(f"described after {version}", "DescribeGroups", 6, {"groups": [own]})
        play.call(f"put out by its instance after {version}", "LeaveGroup", 5, {"groupId": own, "members": [{"memberId": "", "groupInstanceId": "i1"}]})
        play.call(f"described when empty after {version}", "DescribeGroups", 6, {"groups": [own]})


@scenario(core=True)
def instances_that_do_not_fit_are_refused(play):
    group = play.name("static")
    member = play.quiet("JoinGroup", statically(group, "i1", rebalance_ms=500), version=9)["memberId"]
    play.quiet("SyncGroup", sync(group, 1, member, [member], protocolType="consumer", protocolName="range", groupInstanceId="i1"))
    play.call("unknown instance, no member", "Heartbeat", 4, beat(group, 1, "", groupInstanceId="i9"))
    play.call("unknown instance, known member", "Heartbeat", 4, beat(group, 1, member, groupInstanceId="i9"))
    play.call("known instance, unknown member", "Heartbeat", 4, beat(group, 1, "nobody", groupInstanceId="i1"))
    play.call("known instance, wrong generation", "Heartbeat", 4, beat(group, 7, member, groupInstanceId="i1"))
    play.call("unknown instance syncs", "SyncGroup", 4, sync(group, 1, member, groupInstanceId="i9"))
    play.call("unknown member joins as the instance", "JoinGroup", 9, statically(group, "i1", "nobody"))
    play.call("unknown instance joins with a member id", "JoinGroup", 9, statically(group, "i9", member))
    play.call("unknown instance commits", "OffsetCommit", 9, commit(group, 1, member, groupInstanceId="i9"))
    play.call("with another protocol", "JoinGroup", 9, statically(group, "i1", protocols=("sticky",)))
    for case, instance in [("empty", ""), ("dot", "."), ("slash", "a/b"), ("long", "x" * 250)]:
        play.call(f"instance {case}", "JoinGroup", 9, statically(play.name(f"instance-{case}"), instance))


@scenario()
def a_member_that_is_silent_is_put_out(play):
    group = play.name("silent")
    member = lone_member(play, group, session_ms=6_000)
    play.call("alive", "Heartbeat", 4, beat(group, 1, member))
    time.sleep(7)
    play.call("dead", "Heartbeat", 4, beat(group, 1, member))
    play.call("described", "DescribeGroups", 5, {"groups": [group]})
