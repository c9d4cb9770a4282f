"""Members of groups one by one: JoinGroup, SyncGroup, Heartbeat and LeaveGroup with wrong and right arguments."""

import base64
import struct

from harness.referee.play import scenario

def subscription(*topics):
    """What a consumer says of itself, in the first version of its protocol."""
    names = b"".join(struct.pack(">h", len(topic)) + topic.encode() for topic in topics)
    return base64.b64encode(struct.pack(">hi", 0, len(topics)) + names + struct.pack(">i", -1)).decode()


METADATA = subscription("t")


def join(group, member="", protocols=("range",), session_ms=30_000, rebalance_ms=3_000, kind="consumer", metadata=METADATA, **more):
    return {"groupId": group, "memberId": member, "sessionTimeoutMs": session_ms, "rebalanceTimeoutMs": rebalance_ms, "protocolType": kind,
            "protocols": [{"name": name, "metadata": metadata} for name in protocols], **more}


def sync(group, generation, member, assignments=(), **more):
    return {"groupId": group, "generationId": generation, "memberId": member,
            "assignments": [{"memberId": one, "assignment": "AAECAw=="} for one in assignments], **more}


def beat(group, generation, member, **more):
    return {"groupId": group, "generationId": generation, "memberId": member, **more}


def leave(group, *members, version=5):
    if version < 3:
        return {"groupId": group, "memberId": members[0]}
    return {"groupId": group, "members": [{"memberId": member, "groupInstanceId": None} for member in members]}


def lone_member(play, group, protocols=("range",), **more):
    """A group with one member that has its assignment: its id, generation 1."""
    asked = play.quiet("JoinGroup", join(group, protocols=protocols, **more), version=5)
    member = asked["memberId"]
    if asked["errorCode"]:
        asked = play.quiet("JoinGroup", join(group, member, protocols=protocols, **more), version=5)
    assert asked["errorCode"] == 0, asked
    answer = play.quiet("SyncGroup", sync(group, asked["generationId"], member, [member]), version=4)
    assert answer["errorCode"] == 0, answer
    return member


@scenario(core=True)
def a_member_lives_in_every_version(play):
    for version in play.versions("JoinGroup"):
        group = play.name(f"v{version}")
        first = play.call("joins", "JoinGroup", version, join(group))
        member = first["memberId"]
        if version >= 4:
            play.call("joins with its id", "JoinGroup", version, join(group, member))
        in_turn = min(version, play.last("SyncGroup"))
        names = {"protocolType": "consumer", "protocolName": "range"} if in_turn >= 5 else {}
        play.call(f"syncs after {version}", "SyncGroup", in_turn, sync(group, 1, member, [member], **names))
        play.call(f"beats after {version}", "Heartbeat", min(version, play.last("Heartbeat")), beat(group, 1, member))
        in_turn = min(version, play.last("LeaveGroup"))
        play.call(f"leaves after {version}", "LeaveGroup", in_turn, leave(group, member, version=in_turn))
        play.call(f"beats no more after {version}", "Heartbeat", min(version, play.last("Heartbeat")), beat(group, 1, member))


@scenario(core=True)
def wrong_joins_are_refused(play):
    for version in (0, 1, 4, 5, 9):
        play.call("empty group", "JoinGroup", version, join(""))
        play.call("session too short", "JoinGroup", version, join(play.name("s"), session_ms=1))
        play.call("session too long", "JoinGroup", version, join(play.name("s"), session_ms=2_000_000_000))
        play.call("negative session", "JoinGroup", version, join(play.name("s"), session_ms=-1))
        play.call("unknown member of no group", "JoinGroup", version, join(play.name("s"), member="nobody"))
        play.call("no protocols", "JoinGroup", version, join(play.name(f"n{version}"), protocols=()))
        play.call("no kind", "JoinGroup", version, join(play.name(f"k{version}"), kind=""))
    group = play.name("lone")
    member = lone_member(play, group)
    for version in (2, 5, 9):
        play.call("unknown member of a group", "JoinGroup", version, join(group, member="nobody"))
        play.call("another protocol", "JoinGroup", version, join(group, protocols=("sticky",)))
        play.call("another kind", "JoinGroup", version, join(group, kind="connect"))
        play.call("another protocol of a member", "JoinGroup", version, join(group, member, protocols=("sticky",)))
        play.call("no protocols to a group", "JoinGroup", version, join(group, protocols=()))
    play.call("still a member", "Heartbeat", 4, beat(group, 1, member))


@scenario(core=True)
def wrong_syncs_are_refused(play):
    group = play.name("lone")
    member = lone_member(play, group)
    for version in play.versions("SyncGroup"):
        names = {"protocolType": "consumer", "protocolName": "range"} if version >= 5 else {}
        play.call("again", "SyncGroup", version, sync(group, 1, member, **names))
        play.call("wrong generation", "SyncGroup", version, sync(group, 2, member, **names))
        play.call("negative generation", "SyncGroup", version, sync(group, -1, member, **names))
        play.call("unknown member", "SyncGroup", version, sync(group, 1, "nobody", **names))
        play.call("no member", "SyncGroup", version, sync(group, 1, "", **names))
        play.call("unknown group", "SyncGroup", version, sync("nowhere", 1, member, **names))
        play.call("empty group", "SyncGroup", version, sync("", 1, member, **names))
    for case, kind, name in [("no names", None, None), ("wrong kind", "connect", "range"), ("wrong name", "consumer", "sticky"),
                             ("no kind", None, "range"), ("no name", "consumer", None)]:
        play.call(case, "SyncGroup", 5, sync(group, 1, member, protocolType=kind, protocolName=name))


@scenario(core=True)
def wrong_heartbeats_are_refused(play):
    group = play.name("lone")
    member = lone_member(play, group)
    for version in play.versions("Heartbeat"):
        play.call("right", "Heartbeat", version, beat(group, 1, member))
        play.call("wrong generation", "Heartbeat", version, beat(group, 2, member))
        play.call("negative generation", "Heartbeat", version, beat(group, -1, member))
        play.call("unknown member", "Heartbeat", version, beat(group, 1, "nobody"))
        play.call("no member", "Heartbeat", version, beat(group, 1, ""))
        play.call("unknown group", "Heartbeat", version, beat("nowhere", 1, member))
        play.call("empty group", "Heartbeat", version, beat("", 1, member))
    for version in play.versions("Heartbeat", first=3):
        play.call("unknown instance", "Heartbeat", version, beat(group, 1, member, groupInstanceId="x"))


@scenario(core=True)
def wrong_farewells_are_refused(play):
    group = play.name("lone")
    member = lone_member(play, group)
    for version in play.versions("LeaveGroup"):
        play.call("unknown member", "LeaveGroup", version, leave(group, "nobody", version=version))
        play.call("no member", "LeaveGroup", version, leave(group, "", version=version))
        play.call("unknown group", "LeaveGroup", version, leave("nowhere", member, version=version))
        play.call("empty group", "LeaveGroup", version, leave("", member, version=version))
    for version in play.versions("LeaveGroup", first=3):
        play.call("nobody", "LeaveGroup", version, leave(group, version=version))
        play.call("unknown instance", "LeaveGroup", version, {"groupId": group, "members": [{"memberId": "", "groupInstanceId": "x"}]})
        play.call("instance of another", "LeaveGroup", version, {"groupId": group, "members": [{"memberId": member, "groupInstanceId": "x"}]})
    play.call("several", "LeaveGroup", 5, leave(group, "nobody", member, member))
    play.call("gone", "Heartbeat", 4, beat(group, 1, member))


@scenario(core=True)
def a_pending_member_may_do_nothing(play):
    group = play.name("pending")
    member = play.call("first join", "JoinGroup", 4, join(group))["memberId"]
    play.call("beats", "Heartbeat", 4, beat(group, -1, member))
    play.call("beats, generation 1", "Heartbeat", 4, beat(group, 1, member))
    play.call("syncs", "SyncGroup", 4, sync(group, 0, member))
    play.call("described", "DescribeGroups", 5, {"groups": [group]}, until=lambda answer: answer["groups"][0]["groupState"] != "Dead")
    play.call("leaves", "LeaveGroup", 5, leave(group, member))
    play.call("joins after that", "JoinGroup", 5, join(group, member))


@scenario(core=True)
def protocols_of_a_member_are_told(play):
    group = play.name("many")
    member = play.quiet("JoinGroup", join(group), version=9)["memberId"]
    play.call("several protocols", "JoinGroup", 9, join(group, member, protocols=("sticky", "range"), reason="because"))
    play.call("syncs", "SyncGroup", 5, sync(group, 1, member, [member], protocolType="consumer", protocolName="sticky"))
    play.call("joins again", "JoinGroup", 9, join(group, member, protocols=("sticky", "range")))
    play.call("beats the old generation", "Heartbeat", 4, beat(group, 1, member))
    play.call("beats the new generation", "Heartbeat", 4, beat(group, 2, member))
    play.call("assigns a stranger too", "SyncGroup", 5, sync(group, 2, member, ["stranger", member], protocolType="consumer", protocolName="sticky"))
