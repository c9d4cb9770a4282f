"""Fetch sessions: what a broker remembers of a reader, and what it leaves out of its answers."""

from harness.referee.play import scenario
from referee_cases.fetch import UNKNOWN_ID, fetch, named, partition

# Asked for instead of a session that was not given.
NO_SESSION = 987_654_321


class Session:
    """A reader that asks for what is new."""

    def __init__(self, play, version, topic, *partitions):
        self.play, self.version = play, version
        self.by = named(play, version, topic)
        self.name = {"topicId": self.by["topic_id"]} if self.by else {"topic": topic}
        answer = play.call("opened", "Fetch", version, fetch(topic, *partitions, sessionEpoch=0, **self.by))
        self.id = answer.get("sessionId") or NO_SESSION

    def ask(self, case, epoch, *partitions, version=None, forgotten=(), topics=None, **more):
        if topics is None:
            topics = [{**self.name, "partitions": list(partitions)}] if partitions else []
        forgotten = [{**self.name, "partitions": list(forgotten)}] if forgotten else []
        return self.play.call(case, "Fetch", version or self.version, {
            "maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "sessionId": self.id, "sessionEpoch": epoch, "topics": topics,
            "forgottenTopicsData": forgotten, **more})


@scenario(core=True)
def sessions_are_asked_for(play):
    topic = play.topic(partitions=2)
    play.fill(topic, play.batch("a"))
    for version in play.versions("Fetch", first=7):
        by = named(play, version, topic)
        play.call("a new one", "Fetch", version, fetch(topic, partition(), partition(index=1), sessionEpoch=0, **by))
        play.call("none", "Fetch", version, fetch(topic, partition(), sessionEpoch=-1, **by))
        play.call("an unknown one", "Fetch", version, fetch(topic, partition(), sessionId=NO_SESSION, sessionEpoch=1, **by))
        play.call("an unknown one, nothing named", "Fetch", version, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 1_000, "sessionId": 5, "sessionEpoch": 2, "topics": []})
        play.call("an epoch without one", "Fetch", version, fetch(topic, partition(), sessionEpoch=5, **by))
        play.call("an unknown one is closed", "Fetch", version, fetch(topic, partition(), sessionId=NO_SESSION, sessionEpoch=-1, **by))
        play.call("a new one instead of an unknown one", "Fetch", version, fetch(topic, partition(), sessionId=NO_SESSION, sessionEpoch=0, **by))


@scenario(core=True)
def sessions_leave_out_what_is_not_new(play):
    for version in play.versions("Fetch", first=7):
        topic = play.topic(f"v{version}", partitions=3)
        play.fill(topic, play.batch("a"))
        session = Session(play, version, topic, *(partition(index=index) for index in range(3)))
        session.ask("not moved on: the same again", 1)
        session.ask("moved on", 2, partition(1))
        session.ask("nothing new", 3)
        for index in (1, 2):
            play.fill(topic, play.batch("b"), partition=index)
        session.ask("news of two", 4)
        session.ask("again, the others first", 5)
        session.ask("all read", 6, partition(1, 1), partition(1, 2))
        play.quiet("DeleteRecords", {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": 1}]}], "timeoutMs": 10_000})
        session.ask("a log begins later", 7)
        session.ask("it was told", 8)
        session.ask("out of range", 9, partition(99, 2))
        session.ask("out of range again", 10)
        session.ask("back in range", 11, partition(1, 2))


@scenario(core=True)
def sessions_are_counted_closed_and_renewed(play):
    topic = play.topic(partitions=2)
    play.fill(topic, play.batch("a"))
    for version in (7, 12, 13, 17):
        session = Session(play, version, topic, partition(), partition(index=1))
        session.ask("epoch 1", 1)
        session.ask("epoch 1 again", 1)
        session.ask("epoch 9", 9)
        session.ask("epoch -2", -2)
        session.ask("epoch 2 after all", 2)
        old = session.id
        renewed = session.ask("renewed", 0, partition())
        session.ask("the old one", 3)
        session.id = renewed.get("sessionId") or NO_SESSION
        session.ask("the new one", 1)
        session.ask("closed, and read in full", -1, partition())
        session.ask("after that", 2)
        assert old, "no id was even made up"


@scenario(core=True)
def partitions_come_to_sessions_and_go(play):
    for version in (7, 11, 12, 13, 17):
        topic = play.topic(f"v{version}", partitions=3)
        for index in range(3):
            play.fill(topic, play.batch("a"), partition=index)
        session = Session(play, version, topic, partition())
        session.ask("one more", 1, partition(index=1))
        session.ask("one fewer", 2, forgotten=[0])
        session.ask("what is left", 3)
        session.ask("one that was never there is forgotten", 4, forgotten=[2])
        session.ask("one is forgotten and asked for", 5, partition(index=1), forgotten=[1])
        session.ask("a partition that does not exist", 6, partition(index=8))
        session.ask("it stays", 7)
        session.ask("it is forgotten", 8, forgotten=[8])
        stranger = {"topicId": UNKNOWN_ID} if version >= 13 else {"topic": "nowhere"}
        session.ask("a topic that does not exist", 9, topics=[{**stranger, "partitions": [partition()]}])
        session.ask("that stays too", 10)
        session.ask("all is forgotten", 11, forgotten=[0, 1, 2])


@scenario(core=True)
def sessions_by_name_and_by_id_do_not_mix(play):
    topic = play.topic()
    topic_id = play.topic_id(topic)
    play.fill(topic, play.batch("a"))
    by_id = Session(play, 13, topic, partition())
    by_id.ask("by name", 1, version=12, topics=[{"topic": topic, "partitions": [partition()]}])
    by_id.ask("by id after that", 1)
    by_name = Session(play, 12, topic, partition())
    by_name.ask("by id", 1, version=13, topics=[{"topicId": topic_id, "partitions": [partition()]}])
    by_name.ask("by name after that", 1)


@scenario()
def sessions_outlive_their_topics(play):
    for version in (12, 13):
        topic = play.topic(f"v{version}")
        play.fill(topic, play.batch("a"))
        session = Session(play, version, topic, partition(1))
        play.quiet("DeleteTopics", {"topics": [{"name": topic}], "timeoutMs": 10_000})
        play.quiet("Metadata", {"topics": [{"name": topic}], "allowAutoTopicCreation": False}, version=12,
                   until=lambda answer: answer["topics"][0]["errorCode"] == 3)
        session.ask("deleted", 1)
        again = play.topic(f"v{version}")
        play.fill(again, play.batch("b"))
        session.ask("made again", 2)
        session.ask("made again, from its start", 3, partition())
