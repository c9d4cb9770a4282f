"""Groups from outside: ListGroups, DescribeGroups, DeleteGroups."""

from harness.referee.play import scenario
from referee_cases.commits import commit
from referee_cases.membership import join, leave, lone_member


def await_described(play, *suffixes):
    """Kafka tells outsiders of a group once its log has it."""
    groups = [play.name(suffix) for suffix in suffixes]
    play.quiet("DescribeGroups", {"groups": groups}, until=lambda answer: all(one["errorCode"] == 0 for one in answer["groups"]))


def listed(play, case, version, **filters):
    play.call_among(case, "ListGroups", version, filters, "groups", "groupId")


@scenario(core=True)
def groups_are_listed(play):
    topic = play.topic()
    play.quiet("OffsetCommit", commit(play.name("simple"), topic, (0, 1)))
    lone_member(play, play.name("stable"))
    lone_member(play, play.name("connect"), kind="connect")
    left = lone_member(play, play.name("left"))
    play.quiet("LeaveGroup", leave(play.name("left"), left))
    play.quiet("JoinGroup", join(play.name("pending")), version=9)
    waiting = play.quiet("JoinGroup", join(play.name("assigning")), version=9)["memberId"]
    play.quiet("JoinGroup", join(play.name("assigning"), waiting), version=9)
    await_described(play, "simple", "stable", "connect", "left", "pending", "assigning")
    for version in play.versions("ListGroups"):
        listed(play, "all", version)
    for version in play.versions("ListGroups", first=4):
        for states in (["Stable"], ["Empty"], ["stable"], ["Dead"], ["CompletingRebalance"], ["PreparingRebalance", "Stable"], ["Nonsense"], [""]):
            listed(play, f"states {states}", version, statesFilter=states)
    for types in (["classic"], ["Classic"], ["consumer"], ["share"], ["nonsense"], ["classic", "consumer"]):
        listed(play, f"types {types}", 5, typesFilter=types)
    listed(play, "state and type", 5, statesFilter=["Empty"], typesFilter=["classic"])


@scenario(core=True)
def groups_are_described(play):
    topic = play.topic()
    simple, stable, left, pending, assigning = (play.name(suffix) for suffix in ("simple", "stable", "left", "pending", "assigning"))
    play.quiet("OffsetCommit", commit(simple, topic, (0, 1)))
    lone_member(play, stable, protocols=("sticky", "range"))
    play.quiet("LeaveGroup", leave(left, lone_member(play, left)))
    play.quiet("JoinGroup", join(pending), version=9)
    play.quiet("JoinGroup", join(assigning, play.quiet("JoinGroup", join(assigning), version=9)["memberId"]), version=9)
    await_described(play, "pending", "assigning")
    for version in play.versions("DescribeGroups"):
        for group in (simple, stable, left, pending, assigning, "nowhere", ""):
            play.call(f"group {group}", "DescribeGroups", version, {"groups": [group]})
        play.call("several", "DescribeGroups", version, {"groups": [stable, "nowhere", simple]})
        play.call("one twice", "DescribeGroups", version, {"groups": [simple, simple]})
        play.call("none", "DescribeGroups", version, {"groups": []})
    for version in play.versions("DescribeGroups", first=3):
        play.call("operations", "DescribeGroups", version, {"groups": [simple, "nowhere"], "includeAuthorizedOperations": True})


@scenario(core=True)
def groups_are_deleted(play):
    topic = play.topic()
    stable, left = play.name("stable"), play.name("left")
    member = lone_member(play, stable)
    for version in play.versions("DeleteGroups"):
        simple = play.name(f"v{version}")
        play.quiet("OffsetCommit", commit(simple, topic, (0, 1)))
        play.quiet("LeaveGroup", leave(left, lone_member(play, left)))
        play.call("simple", "DeleteGroups", version, {"groupsNames": [simple]})
        play.call("again", "DeleteGroups", version, {"groupsNames": [simple]})
        play.call("empty", "DeleteGroups", version, {"groupsNames": [left]})
        play.call("not empty", "DeleteGroups", version, {"groupsNames": [stable]})
        play.call("unknown", "DeleteGroups", version, {"groupsNames": ["nowhere"]})
        play.call("no name", "DeleteGroups", version, {"groupsNames": [""]})
        play.call("several", "DeleteGroups", version, {"groupsNames": ["nowhere", stable]})
        play.call("one twice", "DeleteGroups", version, {"groupsNames": ["nowhere", "nowhere"]})
        play.call("none", "DeleteGroups", version, {"groupsNames": []})
        play.call(f"described after {version}", "DescribeGroups", 6, {"groups": [simple]})
    play.quiet("LeaveGroup", leave(stable, member))
    play.call("empty at last", "DeleteGroups", 2, {"groupsNames": [stable]})
