"""Who the broker is and what it holds: ApiVersions, Metadata, DescribeCluster, DescribeLogDirs."""

from harness.referee.play import produce, scenario

UNKNOWN_ID = "3mVzTq6uQ8iJ0d0w4lT0Zw"


@scenario(core=True)
def versions_are_told(play):
    for version in play.versions("ApiVersions"):
        body = {"clientSoftwareName": "referee", "clientSoftwareVersion": "1.0"} if version >= 3 else {}
        play.call("all", "ApiVersions", version, body)
    for name, software, number in [("no name", "", "1"), ("no version", "x", ""), ("a name with a blank", "a b", "1"),
                                   ("a name that ends with a dash", "a-", "1"), ("a version with a slash", "a", "1/2"),
                                   ("a long name", "a" * 300, "1")]:
        play.call(name, "ApiVersions", 3, {"clientSoftwareName": software, "clientSoftwareVersion": number})


@scenario(core=True)
def versions_of_the_future_are_answered_in_the_oldest_form(play):
    for version in (5, 99, 32_767):
        play.call("unknown version", "ApiVersions", version, {"clientSoftwareName": "x", "clientSoftwareVersion": "1"}, connection=f"v{version}",
                  bodyVersion=4, answerVersion=0)


@scenario(core=True)
def metadata_of_a_topic_in_every_version(play):
    topic = play.topic("known", partitions=3)
    for version in play.versions("Metadata"):
        play.call("known", "Metadata", version, {"topics": [{"name": topic}], **no_creation(version)})
        play.call("none", "Metadata", version, {"topics": [] if version else [{"name": topic}], **no_creation(version)})
    for version in play.versions("Metadata", first=4):
        play.call("unknown", "Metadata", version, {"topics": [{"name": play.name("unknown")}], "allowAutoTopicCreation": False})
        play.call("known and unknown", "Metadata", version,
                  {"topics": [{"name": topic}, {"name": play.name("unknown")}], "allowAutoTopicCreation": False})


def no_creation(version):
    return {"allowAutoTopicCreation": False} if version >= 4 else {}


@scenario(core=True)
def metadata_refuses_names_that_no_topic_can_have(play):
    for case, name in [("empty", ""), ("dot", "."), ("dots", ".."), ("slash", "a/b"), ("blank", "a b"), ("long", "x" * 250), ("longest", "y" * 249),
                       ("umlaut", "fünf"), ("colon", "a:b")]:
        for creation in (False, True):
            if creation and case == "longest":
                continue
            play.call(f"{case}, creation {creation}", "Metadata", 12, {"topics": [{"name": name}], "allowAutoTopicCreation": creation})


@scenario(core=True)
def metadata_by_topic_id(play):
    topic = play.topic("known", partitions=2)
    topic_id = play.topic_id(topic)
    for version in play.versions("Metadata", first=12):
        play.call("known id", "Metadata", version, {"topics": [{"topicId": topic_id, "name": None}], "allowAutoTopicCreation": False})
        play.call("unknown id", "Metadata", version, {"topics": [{"topicId": UNKNOWN_ID, "name": None}], "allowAutoTopicCreation": False})
        play.call("id and name", "Metadata", version, {"topics": [{"topicId": topic_id, "name": topic}], "allowAutoTopicCreation": False})
        play.call("id and an empty name", "Metadata", version, {"topics": [{"topicId": topic_id, "name": ""}], "allowAutoTopicCreation": False})
        play.call("id of a topic and its name", "Metadata", version,
                  {"topics": [{"topicId": topic_id, "name": None}, {"name": topic}], "allowAutoTopicCreation": False})
    for version in (10, 11):
        play.call("id before ids", "Metadata", version, {"topics": [{"topicId": topic_id, "name": topic}], "allowAutoTopicCreation": False})


@scenario(core=True)
def metadata_of_all_topics(play):
    for suffix in ("one", "two"):
        play.topic(suffix)
    for version in play.versions("Metadata"):
        play.call_among("all", "Metadata", version, {"topics": None if version else [], **no_creation(version)}, "topics", "name")


@scenario(core=True)
def metadata_tells_operations_and_twice_asked_topics(play):
    topic = play.topic("known")
    asked = {"topics": [{"name": topic}], "allowAutoTopicCreation": False, "includeTopicAuthorizedOperations": True}
    for version in play.versions("Metadata", first=8):
        more = {"includeClusterAuthorizedOperations": True} if version <= 10 else {}
        play.call("operations", "Metadata", version, {**asked, **more})
    play.call("twice", "Metadata", 12, {"topics": [{"name": topic}, {"name": topic}], "allowAutoTopicCreation": False})


@scenario()
def metadata_creates_a_topic_when_it_may(play):
    for version in (1, 4, 9, 12):
        name = play.name(f"made-{version}")
        play.call("first answer", "Metadata", version, {"topics": [{"name": name}]})
        play.await_topic(name)
        play.call("then", "Metadata", version, {"topics": [{"name": name}]})


@scenario(core=True)
def the_cluster_is_described(play):
    for version in play.versions("DescribeCluster"):
        play.call("plain", "DescribeCluster", version)
        play.call("operations", "DescribeCluster", version, {"includeClusterAuthorizedOperations": True})
    for version in play.versions("DescribeCluster", first=1):
        for endpoint in (0, 2, 3):
            play.call(f"endpoint type {endpoint}", "DescribeCluster", version, {"endpointType": endpoint})
    play.call("fenced too", "DescribeCluster", 2, {"includeFencedBrokers": True})


@scenario(core=True)
def log_directories_are_described(play):
    topic = play.topic("known", partitions=2)
    play.fill(topic, play.batch("one", "two"))
    for version in play.versions("DescribeLogDirs"):
        play.call("a topic", "DescribeLogDirs", version, {"topics": [{"topic": topic, "partitions": [0, 1]}]})
        play.call("one partition", "DescribeLogDirs", version, {"topics": [{"topic": topic, "partitions": [0]}]})
        play.call("unknown topic", "DescribeLogDirs", version, {"topics": [{"topic": "nowhere", "partitions": [0]}]})
        play.call("unknown partition", "DescribeLogDirs", version, {"topics": [{"topic": topic, "partitions": [7]}]})
        play.call("no topics", "DescribeLogDirs", version, {"topics": []})
        answer = play.outcome("DescribeLogDirs", version, {"topics": None}, "a")["answer"]
        (directory,) = answer["results"]
        directory["topics"] = [one for one in directory["topics"] if one["name"] == topic]
        play.keep("all", "DescribeLogDirs", version, {"answer": answer})


@scenario(core=True)
def internal_topics_are_told(play):
    for topic in ("__consumer_offsets", "__transaction_state"):
        play.call(f"{topic} described", "Metadata", 12, {"topics": [{"name": topic}], "allowAutoTopicCreation": False})
        play.call(f"{topic} configurations", "DescribeConfigs", 4, {"resources": [{"resourceType": 2, "resourceName": topic, "configurationKeys": None}]})
        play.call(f"{topic} grows", "CreatePartitions", 3, {"topics": [{"name": topic, "count": 51, "assignments": None}], "timeoutMs": 10_000,
                                                           "validateOnly": True})
        play.call(f"{topic} is changed", "IncrementalAlterConfigs", 1, {"resources": [{"resourceType": 2, "resourceName": topic, "configs": [
            {"name": "retention.ms", "configOperation": 0, "value": "5"}]}], "validateOnly": True})
        play.call(f"{topic} is shortened", "DeleteRecords", 2, {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 0}]}],
                                                               "timeoutMs": 10_000})
        play.call(f"{topic} begins", "ListOffsets", 7, {"replicaId": -1, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -2}]}]})
        play.call(f"{topic} is made", "CreateTopics", 7, {"topics": [{"name": topic, "numPartitions": 1, "replicationFactor": 1}], "timeoutMs": 10_000,
                                                         "validateOnly": True})


@scenario()
def metadata_follows_a_topic_through_its_life(play):
    topic = play.topic("mortal")
    play.fill(topic, play.batch("one"))
    old_id = play.topic_id(topic)
    play.quiet("DeleteTopics", {"topics": [{"name": topic}], "timeoutMs": 10_000})
    play.call("deleted", "Metadata", 12, {"topics": [{"name": topic}], "allowAutoTopicCreation": False},
              until=lambda answer: answer["topics"][0]["errorCode"] != 0)
    play.call("produce to deleted", "Produce", 9, produce(topic, [play.batch("two")]))
    again = play.topic("mortal", partitions=2)
    play.call("made again", "Metadata", 12, {"topics": [{"name": again}], "allowAutoTopicCreation": False})
    play.call("the old id", "Metadata", 12, {"topics": [{"topicId": old_id, "name": None}], "allowAutoTopicCreation": False})
    play.call("the old id is read", "Fetch", 13, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 1_000, "topics": [
        {"topicId": old_id, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1_000}]}]})
    play.call("the old id is deleted", "DeleteTopics", 6, {"topics": [{"name": None, "topicId": old_id}], "timeoutMs": 10_000})
    play.call("the new one is empty", "Fetch", 12, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 1_000, "topics": [
        {"topic": again, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1_000}]}]})
