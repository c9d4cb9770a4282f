"""Offsets of groups are kept: OffsetCommit, OffsetFetch, OffsetDelete."""

from harness.referee.play import scenario
from referee_cases.membership import leave, lone_member, subscription


def commit(group, topic, *offsets, generation=-1, member="", metadata="note", **more):
    partitions = [{"partitionIndex": index, "committedOffset": offset, "committedMetadata": metadata} for index, offset in offsets]
    return {"groupId": group, "generationIdOrMemberEpoch": generation, "memberId": member, "topics": [{"name": topic, "partitions": partitions}], **more}


def committed(version, group, topic, *indexes, **more):
    topics = None if topic is None else [{"name": topic, "partitionIndexes": list(indexes)}]
    if version >= 8:
        return {"groups": [{"groupId": group, "topics": topics}], **more}
    return {"groupId": group, "topics": topics, **more}


@scenario(core=True)
def offsets_are_kept_in_every_version(play):
    topic = play.topic(partitions=3)
    for version in play.versions("OffsetCommit"):
        group = play.name(f"v{version}")
        more = {"committedLeaderEpoch": 0} if version >= 6 else {}
        body = commit(group, topic, (0, 5), (2, 7))
        for one in body["topics"][0]["partitions"]:
            one.update(more)
        play.call("simple", "OffsetCommit", version, body)
        play.call("unknown topic", "OffsetCommit", version, commit(group, "nowhere", (0, 5)))
        play.call("unknown partition", "OffsetCommit", version, commit(group, topic, (9, 5), (0, 6)))
        play.call("negative partition", "OffsetCommit", version, commit(group, topic, (-1, 5)))
        play.call("negative offset", "OffsetCommit", version, commit(group, topic, (1, -5)))
        play.call("empty group", "OffsetCommit", version, commit("", topic, (0, 5)))
        play.call("a generation of an unknown group", "OffsetCommit", version, commit(play.name("x"), topic, (0, 5), generation=3, member="m"))
        play.call("a member of no generation", "OffsetCommit", version, commit(play.name("y"), topic, (0, 5), member="m"))
        play.call("long note", "OffsetCommit", version, commit(group, topic, (0, 5), metadata="x" * 4_097))
        play.call("longest note", "OffsetCommit", version, commit(group, topic, (1, 5), metadata="x" * 4_096))
        play.call("no note", "OffsetCommit", version, commit(group, topic, (0, 8), metadata=None))
        play.call("nothing", "OffsetCommit", version, {"groupId": group, "generationIdOrMemberEpoch": -1, "topics": []})
    group = play.name(f"v{play.last('OffsetCommit')}")
    for version in play.versions("OffsetFetch"):
        play.call("some", "OffsetFetch", version, committed(version, group, topic, 0, 1, 2))
        play.call("unknown partition", "OffsetFetch", version, committed(version, group, topic, 9))
        play.call("unknown topic", "OffsetFetch", version, committed(version, group, "nowhere", 0))
        play.call("unknown group", "OffsetFetch", version, committed(version, "nowhere", topic, 0))
        play.call("empty group", "OffsetFetch", version, committed(version, "", topic, 0))
        play.call("no partitions", "OffsetFetch", version, committed(version, group, topic))
    for version in play.versions("OffsetFetch", first=2):
        play.call("all", "OffsetFetch", version, committed(version, group, None))
        play.call("all of an unknown group", "OffsetFetch", version, committed(version, "nowhere", None))
    for version in play.versions("OffsetFetch", first=7):
        play.call("stable", "OffsetFetch", version, committed(version, group, topic, 0, requireStable=True))


@scenario(core=True)
def several_groups_are_asked_at_once(play):
    topic = play.topic()
    for suffix in ("one", "two"):
        play.quiet("OffsetCommit", commit(play.name(suffix), topic, (0, 3)))
    for version in play.versions("OffsetFetch", first=8):
        asked = [{"groupId": play.name(suffix), "topics": topics} for suffix, topics in [
            ("two", None), ("one", [{"name": topic, "partitionIndexes": [0]}]), ("none", None)]]
        play.call("three", "OffsetFetch", version, {"groups": asked})
        play.call("none", "OffsetFetch", version, {"groups": []})
        play.call("one twice", "OffsetFetch", version, {"groups": [asked[1], asked[1]]})
    for epoch, member in [(-1, "nobody"), (3, "nobody"), (0, "")]:
        play.call(f"as member {member!r} of epoch {epoch}", "OffsetFetch", 9, {"groups": [
            {"groupId": play.name("one"), "memberId": member, "memberEpoch": epoch, "topics": None}]})


@scenario(core=True)
def commits_of_members_are_checked(play):
    topic = play.topic()
    group = play.name("group")
    member = lone_member(play, group)
    for version in play.versions("OffsetCommit"):
        play.call("right", "OffsetCommit", version, commit(group, topic, (0, version), generation=1, member=member))
        play.call("wrong generation", "OffsetCommit", version, commit(group, topic, (0, 5), generation=2, member=member))
        play.call("older generation", "OffsetCommit", version, commit(group, topic, (0, 5), generation=0, member=member))
        play.call("unknown member", "OffsetCommit", version, commit(group, topic, (0, 5), generation=1, member="nobody"))
        play.call("no member", "OffsetCommit", version, commit(group, topic, (0, 5), generation=1))
        play.call("simple, to a group that is not empty", "OffsetCommit", version, commit(group, topic, (0, 5)))
        play.call("no generation", "OffsetCommit", version, commit(group, topic, (0, 5), member=member))
    play.quiet("LeaveGroup", leave(group, member))
    play.call("after leaving", "OffsetCommit", 8, commit(group, topic, (0, 5), generation=1, member=member))
    play.call("simple, after leaving", "OffsetCommit", 8, commit(group, topic, (0, 55)))
    play.call("what is kept", "OffsetFetch", 7, committed(7, group, None))


def delete(group, topic, *indexes):
    return {"groupId": group, "topics": [{"name": topic, "partitions": [{"partitionIndex": index} for index in indexes]}]}


@scenario(core=True)
def committed_offsets_are_deleted(play):
    topic = play.topic(partitions=2)
    group = play.name("simple")
    play.quiet("OffsetCommit", commit(group, topic, (0, 3), (1, 4)))
    play.call("one", "OffsetDelete", 0, delete(group, topic, 0))
    play.call("again", "OffsetDelete", 0, delete(group, topic, 0))
    play.call("what is left", "OffsetFetch", 7, committed(7, group, None))
    play.call("unknown partition", "OffsetDelete", 0, delete(group, topic, 7))
    play.call("unknown topic", "OffsetDelete", 0, delete(group, "nowhere", 0))
    play.call("unknown group", "OffsetDelete", 0, delete("nowhere", topic, 0))
    play.call("empty group", "OffsetDelete", 0, delete("", topic, 0))
    play.call("nothing", "OffsetDelete", 0, {"groupId": group, "topics": []})
    play.call("no partitions", "OffsetDelete", 0, delete(group, topic))
    play.call("the last", "OffsetDelete", 0, delete(group, topic, 1))
    play.call("described", "DescribeGroups", 6, {"groups": [group]})


@scenario(core=True)
def offsets_of_a_live_group_are_protected(play):
    topic, other = play.topic("topic"), play.topic("other")
    group, workers, mute = play.name("group"), play.name("workers"), play.name("mute")
    member = lone_member(play, group, metadata=subscription(topic))
    for one in (topic, other):
        play.quiet("OffsetCommit", commit(group, one, (0, 3), generation=1, member=member))
        play.call(f"subscribed, {one}", "OffsetDelete", 0, delete(group, one, 0))
    mute_member = lone_member(play, mute, metadata="AAEC")
    play.quiet("OffsetCommit", commit(mute, topic, (0, 3), generation=1, member=mute_member))
    play.call("a subscription that nobody can read", "OffsetDelete", 0, delete(mute, topic, 0))
    worker = lone_member(play, workers, kind="connect")
    play.quiet("OffsetCommit", commit(workers, topic, (0, 3), generation=1, member=worker))
    play.call("no consumers", "OffsetDelete", 0, delete(workers, topic, 0))
    play.call("no consumers, a topic without offsets", "OffsetDelete", 0, delete(workers, other, 0))
    play.quiet("LeaveGroup", leave(workers, worker))
    play.call("no consumers, empty", "OffsetDelete", 0, delete(workers, topic, 0))


@scenario()
def offsets_go_with_their_topic(play):
    topic = play.topic("mortal")
    group = play.name("group")
    play.quiet("OffsetCommit", commit(group, topic, (0, 3)))
    play.quiet("DeleteTopics", {"topics": [{"name": topic}], "timeoutMs": 10_000})
    play.call("kept no more", "OffsetFetch", 7, committed(7, group, topic, 0),
              until=lambda answer: answer["topics"][0]["partitions"][0]["committedOffset"] == -1)
