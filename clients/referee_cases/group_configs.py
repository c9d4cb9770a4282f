"""Settings of groups: described, changed one by one and as a whole, listed, and what members are told because of them."""

from harness.referee.play import scenario
from referee_cases.configs import APPEND, DELETE, GROUP, SET, SUBTRACT, TOPIC, change, describe, has, replace

SESSION, INTERVAL = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
SOURCE_GROUP, SOURCE_DEFAULT = 8, 5


def listed(play, case, version=1, types=(GROUP,)):
    """The groups of this scenario alone: others have theirs."""
    play.call_among(case, "ListConfigResources", version, {"resourceTypes": list(types)}, "configResources", "resourceName")


def is_default(key):
    return lambda answer: any(one["name"] == key and one["configSource"] == SOURCE_DEFAULT for one in answer["results"][0]["configs"])


def settle(play, group, key, until):
    play.quiet("DescribeConfigs", describe(GROUP, group, [key]), 4, until=until)


@scenario(core=True)
def settings_of_groups_are_described(play):
    group = play.name("nobody")
    for version in play.versions("DescribeConfigs"):
        play.call("all", "DescribeConfigs", version, describe(GROUP, group, includeSynonyms=True))
        play.call("without synonyms", "DescribeConfigs", version, describe(GROUP, group))
        play.call("some keys", "DescribeConfigs", version, describe(GROUP, group, ["no.such", SESSION, "retention.ms"]))
        play.call("no keys", "DescribeConfigs", version, describe(GROUP, group, []))
        play.call("no name", "DescribeConfigs", version, describe(GROUP, ""))
    for name in (" ", "a/b", "x" * 300):
        play.call(f"name {name[:9]!r}", "DescribeConfigs", 4, describe(GROUP, name, [SESSION]))


@scenario(core=True)
def settings_of_groups_are_changed_one_by_one(play):
    group = play.name("group")
    for version in play.versions("IncrementalAlterConfigs"):
        value = str(46_000 + version)
        play.call("only checked", "IncrementalAlterConfigs", version, change(GROUP, group, (SESSION, SET, "47000"), validateOnly=True))
        play.call("set", "IncrementalAlterConfigs", version, change(GROUP, group, (SESSION, SET, value)))
        play.call(f"then {version}", "DescribeConfigs", 4, describe(GROUP, group, includeSynonyms=True), until=has(SESSION, value, SOURCE_GROUP))
        play.call("no edits", "IncrementalAlterConfigs", version, change(GROUP, group))
    play.call("another", "IncrementalAlterConfigs", 1, change(GROUP, group, (INTERVAL, SET, " 6000 ")))
    play.call("both are told", "DescribeConfigs", 4, describe(GROUP, group, [SESSION, INTERVAL], includeSynonyms=True),
              until=has(INTERVAL, "6000", SOURCE_GROUP))
    play.call("the default is set", "IncrementalAlterConfigs", 1, change(GROUP, group, (SESSION, SET, "45000")))
    play.call("the default is told as set", "DescribeConfigs", 4, describe(GROUP, group, [SESSION]), until=has(SESSION, "45000", SOURCE_GROUP))
    play.call("delete one", "IncrementalAlterConfigs", 1, change(GROUP, group, (INTERVAL, DELETE, None)))
    play.call("delete", "IncrementalAlterConfigs", 1, change(GROUP, group, (SESSION, DELETE, None)))
    play.call("deleted", "DescribeConfigs", 4, describe(GROUP, group, [SESSION, INTERVAL], includeSynonyms=True),
              until=is_default(SESSION))
    play.call("delete again", "IncrementalAlterConfigs", 1, change(GROUP, group, (SESSION, DELETE, None)))
    play.call("delete with a value", "IncrementalAlterConfigs", 1, change(GROUP, group, (INTERVAL, DELETE, "7000")))
    for name, value in (("share.session.timeout.ms", "46000"), ("share.heartbeat.interval.ms", "6000"), ("share.record.lock.duration.ms", "20000"),
                        ("share.auto.offset.reset", "earliest"), ("share.isolation.level", "read_committed"),
                        ("streams.session.timeout.ms", "46000"), ("streams.heartbeat.interval.ms", "6000"), ("streams.num.standby.replicas", "1")):
        play.call(f"{name} set", "IncrementalAlterConfigs", 1, change(GROUP, group, (name, SET, value)))
        play.call(f"{name} told", "DescribeConfigs", 4, describe(GROUP, group, [name], includeSynonyms=True), until=has(name, value, SOURCE_GROUP))


WRONG = [
    ("unknown key", [("no.such", SET, "1")]), ("key of a topic", [("retention.ms", SET, "1")]), ("empty key", [("", SET, "1")]),
    ("delete an unknown key", [("no.such", DELETE, None)]), ("no number", [(SESSION, SET, "x")]), ("empty", [(SESSION, SET, "")]),
    ("no value", [(SESSION, SET, None)]), ("zero", [(SESSION, SET, "0")]), ("negative", [(INTERVAL, SET, "-1")]), ("too long", [(SESSION, SET, "2147483648")]),
    ("session below the least", [(SESSION, SET, "44999")]), ("session above the most", [(SESSION, SET, "60001")]), ("session at the most", [(SESSION, SET, "60000")]),
    ("interval below the least", [(INTERVAL, SET, "4999")]), ("interval above the most", [(INTERVAL, SET, "15001")]),
    ("interval at the most", [(INTERVAL, SET, "15000")]), ("both wrong", [(SESSION, SET, "1"), (INTERVAL, SET, "1")]),
    ("right and wrong", [(SESSION, SET, "50000"), (INTERVAL, SET, "1")]), ("right and unknown", [(SESSION, SET, "50000"), ("no.such", SET, "1")]),
    ("append", [(SESSION, APPEND, "50000")]), ("subtract", [(SESSION, SUBTRACT, "50000")]), ("append to an unknown key", [("no.such", APPEND, "1")]),
    ("append nothing", [(SESSION, APPEND, None)]), ("twice", [(SESSION, SET, "50000"), (SESSION, SET, "51000")]),
    ("set and delete", [(SESSION, SET, "50000"), (SESSION, DELETE, None)]),
    ("share session below", [("share.session.timeout.ms", SET, "44999")]), ("share session above", [("share.session.timeout.ms", SET, "60001")]),
    ("share interval below", [("share.heartbeat.interval.ms", SET, "4999")]), ("share interval above", [("share.heartbeat.interval.ms", SET, "15001")]),
    ("share lock below the type", [("share.record.lock.duration.ms", SET, "999")]), ("share lock below", [("share.record.lock.duration.ms", SET, "14999")]),
    ("share lock above", [("share.record.lock.duration.ms", SET, "60001")]), ("share reset", [("share.auto.offset.reset", SET, "never")]),
    ("share reset in capitals", [("share.auto.offset.reset", SET, "EARLIEST")]), ("share reset by duration", [("share.auto.offset.reset", SET, "by_duration:PT1H")]),
    ("share reset by no duration", [("share.auto.offset.reset", SET, "by_duration:soon")]),
    ("share reset by a negative duration", [("share.auto.offset.reset", SET, "by_duration:-PT1H")]),
    ("share isolation", [("share.isolation.level", SET, "none")]), ("share isolation in capitals", [("share.isolation.level", SET, "READ_COMMITTED")]),
    ("streams session below", [("streams.session.timeout.ms", SET, "44999")]), ("streams session above", [("streams.session.timeout.ms", SET, "60001")]),
    ("streams interval below", [("streams.heartbeat.interval.ms", SET, "4999")]), ("streams interval above", [("streams.heartbeat.interval.ms", SET, "15001")]),
    ("streams replicas below", [("streams.num.standby.replicas", SET, "-1")]), ("streams replicas above", [("streams.num.standby.replicas", SET, "3")]),
]


@scenario(core=True)
def wrong_settings_of_groups_are_refused(play):
    group = play.name("group")
    for case, edits in WRONG:
        play.call(case, "IncrementalAlterConfigs", 1, change(GROUP, group, *edits, validateOnly=True))
    play.call("no name", "IncrementalAlterConfigs", 1, change(GROUP, "", (SESSION, SET, "50000")))
    play.call("no name, no edits", "IncrementalAlterConfigs", 1, change(GROUP, ""))
    play.call("no name, whole", "AlterConfigs", 2, replace(GROUP, "", (SESSION, "50000")))
    play.call("twice the same", "IncrementalAlterConfigs", 1, {"resources": [
        {"resourceType": GROUP, "resourceName": group, "configs": [{"name": SESSION, "configOperation": SET, "value": value}]} for value in ("50000", "51000")]})
    play.call("right and wrong, not only checked", "IncrementalAlterConfigs", 1, change(GROUP, group, (SESSION, SET, "50000"), (INTERVAL, SET, "1")))
    play.call("nothing was changed", "DescribeConfigs", 4, describe(GROUP, group))
    topic = play.topic()
    play.call("a group and a topic of one name", "IncrementalAlterConfigs", 1, {"resources": [
        {"resourceType": kind, "resourceName": topic, "configs": [{"name": name, "configOperation": SET, "value": "50000"}]}
        for kind, name in ((TOPIC, "retention.ms"), (GROUP, SESSION))]})


@scenario(core=True)
def settings_of_groups_are_replaced_as_a_whole(play):
    group = play.name("group")
    for version in play.versions("AlterConfigs"):
        play.call("only checked", "AlterConfigs", version, replace(GROUP, group, (SESSION, "50000"), validateOnly=True))
        play.call("replace", "AlterConfigs", version, replace(GROUP, group, (SESSION, f"5{version}000"), (INTERVAL, "7000")))
        play.call(f"then {version}", "DescribeConfigs", 4, describe(GROUP, group, [SESSION, INTERVAL], includeSynonyms=True),
                  until=has(SESSION, f"5{version}000", SOURCE_GROUP))
        play.call("unknown key", "AlterConfigs", version, replace(GROUP, group, ("no.such", "1")))
        play.call("wrong value", "AlterConfigs", version, replace(GROUP, group, (SESSION, "x")))
        play.call("out of range", "AlterConfigs", version, replace(GROUP, group, (SESSION, "1")))
        play.call("no value", "AlterConfigs", version, replace(GROUP, group, (SESSION, None)))
        play.call("twice", "AlterConfigs", version, replace(GROUP, group, (SESSION, "50000"), (SESSION, "51000"), validateOnly=True))
    play.call("one alone", "AlterConfigs", 2, replace(GROUP, group, (SESSION, "58000")))
    play.call("the other has its default", "DescribeConfigs", 4, describe(GROUP, group, [SESSION, INTERVAL], includeSynonyms=True),
              until=has(SESSION, "58000", SOURCE_GROUP))
    play.call("nothing", "AlterConfigs", 2, replace(GROUP, group))
    play.call("both have their defaults", "DescribeConfigs", 4, describe(GROUP, group, [SESSION, INTERVAL], includeSynonyms=True),
              until=is_default(SESSION))


@scenario(core=True)
def groups_with_settings_are_listed(play):
    first, second = play.name("a"), play.name("b")
    listed(play, "none")
    for group in (first, second):
        play.quiet("IncrementalAlterConfigs", change(GROUP, group, (SESSION, SET, "50000")), 1)
        settle(play, group, SESSION, has(SESSION, "50000", SOURCE_GROUP))
    listed(play, "both")
    listed(play, "among all kinds", types=())
    listed(play, "not among topics", types=(TOPIC,))
    play.quiet("IncrementalAlterConfigs", change(GROUP, first, (SESSION, DELETE, None)), 1)
    settle(play, first, SESSION, is_default(SESSION))
    listed(play, "one")


@scenario(core=True)
def members_are_told_the_interval_of_their_group(play):
    topic, group = play.topic(), play.name("group")

    def beat(case, epoch, **news):
        request = {"groupId": group, "memberId": "m", "memberEpoch": epoch, "rebalanceTimeoutMs": 60_000, "subscribedTopicNames": [topic],
                   "topicPartitions": [], **news}
        play.call(case, "ConsumerGroupHeartbeat", 1, request)

    play.quiet("IncrementalAlterConfigs", change(GROUP, group, (SESSION, SET, "50000"), (INTERVAL, SET, "6000")), 1)
    settle(play, group, INTERVAL, has(INTERVAL, "6000", SOURCE_GROUP))
    beat("joins", 0)
    play.quiet("IncrementalAlterConfigs", change(GROUP, group, (INTERVAL, SET, "9000")), 1)
    settle(play, group, INTERVAL, has(INTERVAL, "9000", SOURCE_GROUP))
    beat("lives", 1, topicPartitions=None, subscribedTopicNames=None, rebalanceTimeoutMs=-1)
    play.quiet("IncrementalAlterConfigs", change(GROUP, group, (SESSION, DELETE, None), (INTERVAL, DELETE, None)), 1)
    settle(play, group, INTERVAL, is_default(INTERVAL))
    beat("lives on", 1, topicPartitions=None, subscribedTopicNames=None, rebalanceTimeoutMs=-1)
