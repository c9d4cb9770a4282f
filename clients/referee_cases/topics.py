"""Topics are made and deleted: CreateTopics, DeleteTopics."""

from harness.referee.play import scenario

UNKNOWN_ID = "3mVzTq6uQ8iJ0d0w4lT0Zw"


def create(*topics, **options):
    return {"topics": list(topics), "timeoutMs": 10_000, **options}


def one(name, partitions=1, replicas=1, **more):
    return {"name": name, "numPartitions": partitions, "replicationFactor": replicas, **more}


def config(name, value):
    return {"configs": [{"name": name, "value": value}]}


@scenario(core=True)
def a_topic_is_made_in_every_version(play):
    for version in play.versions("CreateTopics"):
        play.call("new", "CreateTopics", version, create(one(play.name(f"new-{version}"), 2, **config("retention.ms", "1000"))))
        play.call("again", "CreateTopics", version, create(one(play.name(f"new-{version}"), 2)))
        play.call("only checked", "CreateTopics", version, create(one(play.name("unmade"), 3), validateOnly=True))
        play.call("nothing", "CreateTopics", version, create())
    for version in play.versions("CreateTopics", first=4):
        play.call("defaults", "CreateTopics", version, create(one(play.name(f"defaults-{version}"), -1, -1)))


@scenario(core=True)
def names_that_no_topic_can_have_are_refused(play):
    for case, name in [("empty", ""), ("dot", "."), ("dots", ".."), ("slash", "a/b"), ("blank", "a b"), ("too long", "x" * 250), ("umlaut", "fünf"),
                       ("colon", "a:b"), ("line", "a\nb")]:
        play.call(case, "CreateTopics", play.last("CreateTopics"), create(one(name)))
    play.call("internal", "CreateTopics", 7, create(one("__consumer_offsets")))
    play.call("longest", "CreateTopics", 7, create(one("y" * 249)))


@scenario(core=True)
def dots_and_underscores_collide(play):
    play.call("with a dot", "CreateTopics", 7, create(one(play.name("a.b"))))
    play.call("with an underscore", "CreateTopics", 7, create(one(play.name("a_b"))))


@scenario(core=True)
def numbers_of_partitions_and_replicas_are_checked(play):
    for partitions in (0, -2):
        play.call(f"{partitions} partitions", "CreateTopics", 7, create(one(play.name("p"), partitions), validateOnly=True))
    for replicas in (0, -2, 2, 32_767):
        play.call(f"{replicas} replicas", "CreateTopics", 7, create(one(play.name("r"), 1, replicas)))
    play.call("both wrong", "CreateTopics", 7, create(one(play.name("b"), 0, 0)))
    play.call("defaults before defaults", "CreateTopics", 3, create(one(play.name("d"), -1, -1), validateOnly=True))


@scenario(core=True)
def assignments_are_checked(play):
    def assigned(case, lists, partitions=-1, replicas=-1):
        assignments = [{"partitionIndex": index, "brokerIds": brokers} for index, brokers in lists]
        play.call(case, "CreateTopics", 7, create(one(play.name(case.replace(" ", "-")), partitions, replicas, assignments=assignments)))

    assigned("right", [(0, [1]), (1, [1])])
    assigned("count too", [(0, [1])], partitions=1)
    assigned("factor too", [(0, [1])], replicas=1)
    assigned("both too", [(0, [1])], 1, 1)
    assigned("unknown broker", [(0, [99])])
    assigned("known and unknown", [(0, [1, 99])])
    assigned("same broker twice", [(0, [1, 1])])
    assigned("no brokers", [(0, [])])
    assigned("a gap", [(0, [1]), (2, [1])])
    assigned("not from 0", [(1, [1])])
    assigned("same partition twice", [(0, [1]), (0, [1])])
    assigned("negative partition", [(-1, [1])])
    assigned("negative broker", [(0, [-1])])


@scenario(core=True)
def configurations_of_new_topics_are_checked(play):
    for name, value in [("no.such.config", "1"), ("", "1"), ("retention.ms", "abc"), ("retention.ms", "-2"), ("retention.ms", ""), ("retention.ms", None),
                        ("cleanup.policy", "shred"), ("cleanup.policy", ""), ("cleanup.policy", "delete,compact"), ("cleanup.policy", "compact,compact"),
                        ("compression.type", "brotli"), ("max.message.bytes", "-1"), ("min.insync.replicas", "0"), ("segment.bytes", "1"),
                        ("message.timestamp.type", "Never"), ("unclean.leader.election.enable", "perhaps"), ("segment.ms", "0"),
                        ("flush.messages", "0"), ("min.cleanable.dirty.ratio", "1.5"), ("min.cleanable.dirty.ratio", "x"), ("remote.storage.enable", "true"),
                        ("segment.jitter.ms", "-1"), ("index.interval.bytes", "-1"), ("compression.gzip.level", "10"), ("compression.zstd.level", "99"),
                        ("compression.lz4.level", "0"), ("retention.bytes", "9223372036854775808"), ("leader.replication.throttled.replicas", "x"),
                        ("leader.replication.throttled.replicas", "0:1"), ("message.timestamp.after.max.ms", "-1"), ("local.retention.ms", "5"),
                        ("preallocate", "TRUE"), ("max.compaction.lag.ms", "0"), ("message.format.version", "3.0")]:
        play.call(f"{name}={value}", "CreateTopics", 7, create(one(play.name("x"), **config(name, value)), validateOnly=True))
    play.call("lag below lag", "CreateTopics", 7, create(one(play.name("x"), configs=[
        {"name": "min.compaction.lag.ms", "value": "100"}, {"name": "max.compaction.lag.ms", "value": "50"}]), validateOnly=True))
    play.call("twice", "CreateTopics", 7, create(one(play.name("twice"), configs=[
        {"name": "retention.ms", "value": "1"}, {"name": "retention.ms", "value": "2"}])))
    play.call("two wrong", "CreateTopics", 7, create(one(play.name("x"), configs=[
        {"name": "retention.ms", "value": "a"}, {"name": "segment.bytes", "value": "b"}]), validateOnly=True))


@scenario(core=True)
def a_new_topic_tells_its_configurations(play):
    answer = play.call("plain", "CreateTopics", 7, create(one(play.name("plain"), 2)))
    assert answer["topics"][0]["errorCode"] == 0, answer
    play.call("changed", "CreateTopics", 7, create(one(play.name("changed"), configs=[
        {"name": "cleanup.policy", "value": "compact"}, {"name": "retention.ms", "value": " 5000 "}, {"name": "max.message.bytes", "value": "2000"}])))
    play.call("only checked", "CreateTopics", 7, create(one(play.name("checked"), 3, **config("segment.ms", "777")), validateOnly=True))
    for version in (5, 6):
        play.call("before ids", "CreateTopics", version, create(one(play.name(f"v{version}"))))


@scenario(core=True)
def several_topics_of_one_request(play):
    first, second, third = play.name("first"), play.name("second"), play.name("third")
    play.call("same name twice", "CreateTopics", 7, create(one(first), one(first, 2)))
    play.call("same name twice and another", "CreateTopics", 7, create(one(first), one(second), one(first)))
    play.call("right and wrong", "CreateTopics", 7, create(one(third), one("a/b"), one(third + "-x", 0)))
    play.call("what was made", "Metadata", 12, {"topics": [{"name": name} for name in (first, second, third)], "allowAutoTopicCreation": False},
              until=lambda answer: any(topic["errorCode"] == 0 for topic in answer["topics"]))


def delete(*names):
    return {"topics": [{"name": name} for name in names], "timeoutMs": 10_000}


@scenario(core=True)
def topics_are_deleted_by_name_in_every_version(play):
    for version in play.versions("DeleteTopics"):
        topic = play.topic(f"v{version}")
        body = delete if version >= 6 else lambda *names: {"topicNames": list(names), "timeoutMs": 10_000}
        play.call("known", "DeleteTopics", version, body(topic))
        play.call("again", "DeleteTopics", version, body(topic))
        play.call("unknown", "DeleteTopics", version, body(play.name("unknown")))
        play.call("nothing", "DeleteTopics", version, body())
        play.call("impossible names", "DeleteTopics", version, body("", "a/b"))


@scenario(core=True)
def topics_are_deleted_by_id(play):
    topic = play.topic("known")
    topic_id = play.topic_id(topic)

    def by(case, *topics):
        play.call(case, "DeleteTopics", 6, {"topics": list(topics), "timeoutMs": 10_000})

    by("unknown id", {"name": None, "topicId": UNKNOWN_ID})
    by("neither", {"name": None})
    by("both", {"name": topic, "topicId": topic_id})
    by("id twice", {"name": None, "topicId": topic_id}, {"name": None, "topicId": topic_id})
    by("name twice", {"name": topic}, {"name": topic})
    by("name and id of one topic", {"name": topic}, {"name": None, "topicId": topic_id})
    by("known id", {"name": None, "topicId": topic_id})
    by("known id again", {"name": None, "topicId": topic_id})


@scenario()
def several_topics_are_deleted_at_once(play):
    names = [play.topic(suffix) for suffix in ("one", "two", "three")]
    play.call("known and unknown", "DeleteTopics", 6, delete(names[0], play.name("unknown"), names[1]))
    play.call("no time", "DeleteTopics", 6, {**delete(names[2]), "timeoutMs": 0})
