"""What Kafka itself trips over: its handler fails, and the client gets UNKNOWN_SERVER_ERROR or waits in vain. Ours answers."""

from harness.referee.play import produce, scenario
from referee_cases.configs import TOPIC, change
from referee_cases.fetch import fetch, partition
from referee_cases.membership import join
from referee_cases.offsets import at, listed
from referee_cases.partitions import grow

PATIENCE_MS = 1_500


@scenario()
def kafka_answers_nothing(play):
    topic = play.topic()
    play.call("null instead of records", "Produce", 9, produce(topic, None), timeout_ms=PATIENCE_MS)
    play.call("the same topic twice", "AlterConfigs", 2, {"resources": [
        {"resourceType": TOPIC, "resourceName": topic, "configs": [{"name": "retention.ms", "value": str(value)}]} for value in (1, 2)]},
              timeout_ms=PATIENCE_MS)
    member = play.quiet("JoinGroup", join(play.name("twice")), version=9)["memberId"]
    play.call("the same protocol twice", "JoinGroup", 9, join(play.name("twice"), member, protocols=("range", "range")), timeout_ms=PATIENCE_MS)


@scenario()
def kafka_fails(play):
    topic = play.topic()
    for operation in (9, -1):
        play.call(f"operation {operation}", "IncrementalAlterConfigs", 1, change(TOPIC, topic, ("retention.ms", operation, "1"), validateOnly=True))
    for version in play.versions("Metadata", first=12):
        play.call("a topic without name and id", "Metadata", version, {"topics": [{"name": None}], "allowAutoTopicCreation": False})
    filled = play.topic("filled")
    play.fill(filled, play.batch("a"))
    for case, body in [("a partition of -1 bytes", fetch(filled, partition(bytes_max=-1))), ("a request of -1 bytes", fetch(filled, partition(), bytes_max=-1)),
                       ("an unknown isolation", fetch(filled, partition(), isolationLevel=7))]:
        play.call(case, "Fetch", 12, body)
    play.call("offsets in an unknown isolation", "ListOffsets", 7, listed(filled, at(-1), isolation=5))
    for attributes in (5, 6, 7):
        play.call(f"codec {attributes}", "Produce", 9, produce(filled, [play.batch("a", set={"attributes": attributes})]))
    play.call("a thousand million partitions", "CreatePartitions", 3, grow(topic, 1_000_000_000, validateOnly=True))
    play.call("a new topic of so many", "CreateTopics", 7, {"topics": [{"name": play.name("many"), "numPartitions": 1_000_000_000, "replicationFactor": 1}],
                                                           "timeoutMs": 10_000, "validateOnly": True})


@scenario()
def kafka_keeps_the_last_of_two_batches_for_a_partition(play):
    topic = play.topic()
    both = produce(topic, [play.batch("a")])
    both["topicData"] = [*both["topicData"], *produce(topic, [play.batch("b")])["topicData"]]
    play.call("a topic twice", "Produce", 9, both)
    play.call("what was stored", "Fetch", 12, fetch(topic, partition()))
