"""One scenario against one broker: requests in order, and the answers that are to be compared."""

import time
from dataclasses import dataclass
from typing import Callable

ANSWER_MS_MAX = 15_000
UNTIL_SECONDS_MAX = 10
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FIRST_CONNECTION = "a"

REGISTRY: list["Scenario"] = []


@dataclass(frozen=True)
class Scenario:
    """A name that says what is asked, and the function that asks it."""

    name: str
    run: Callable
    core: bool


def scenario(core=False):
    """Registers a function of (play); `core` ones are fast and belong to every gate."""

    def register(function):
        assert all(one.name != function.__name__ for one in REGISTRY), f"two scenarios are called {function.__name__}"
        REGISTRY.append(Scenario(function.__name__, function, core))
        return function

    return register


@dataclass
class Case:
    """One request and what became of it."""

    name: str
    api: str
    version: int
    outcome: dict


class Play:
    """Names are the same at both brokers: each has its own topics and groups, called after the scenario."""

    def __init__(self, speaker, port, name, versions, started_ms):
        self.speaker = speaker
        self.port = port
        self.scenario = name
        self.all_versions = versions
        # Timestamps of records: far enough from the present to be told from those that the broker makes.
        self.then_ms = started_ms - HOUR_MS
        self.cases: list[Case] = []
        # Every outcome in the order of the requests, those that only prepared included.
        self.seen = []
        self.connections = set()

    def versions(self, api, first=0, last=99):
        """The versions of an API that both brokers serve."""
        return [version for version in self.all_versions[api] if first <= version <= last]

    def last(self, api):
        return self.all_versions[api][-1]

    def name(self, suffix=""):
        return f"{self.scenario}-{suffix}" if suffix else self.scenario

    def call(self, case, api, version, body=None, connection=FIRST_CONNECTION, until=None, **options):
        """Sends, waits, and keeps the answer for the comparison. `until` asks again until the answer is so: Kafka tells its brokers of a
        change a moment after it answered."""
        deadline = time.monotonic() + UNTIL_SECONDS_MAX
        while True:
            outcome = self.outcome(api, version, body, connection, **options)
            if until is None or "answer" not in outcome or until(outcome["answer"]) or time.monotonic() > deadline:
                return self.keep(case, api, version, outcome)
            time.sleep(0.02)

    def quiet(self, api, body=None, version=None, connection=FIRST_CONNECTION, until=None):
        """A request that only prepares; its answer is no case, but there must be one."""
        version = self.last(api) if version is None else version
        deadline = time.monotonic() + UNTIL_SECONDS_MAX
        while True:
            outcome = self.outcome(api, version, body, connection)
            assert "answer" in outcome, f"{api} {body}: {outcome}"
            if until is None or until(outcome["answer"]):
                return outcome["answer"]
            assert time.monotonic() < deadline, f"{api} {body} still answers {outcome}"
            time.sleep(0.02)

    def outcome(self, api, version, body, connection, **options):
        timeout_ms = options.pop("timeout_ms", ANSWER_MS_MAX)
        self.send(api, version, body, connection, **options)
        return self.receive(connection, timeout_ms)

    def send(self, api, version, body=None, connection=FIRST_CONNECTION, **options):
        self.open(connection)
        self.speaker.ask(do="send", connection=self.own(connection), api=api, version=version, body=body or {}, **options)

    def receive(self, connection=FIRST_CONNECTION, timeout_ms=ANSWER_MS_MAX):
        outcome = self.speaker.ask(do="receive", connection=self.own(connection), timeoutMs=timeout_ms)
        self.seen.append(outcome)
        if "closed" in outcome or "silent" in outcome:
            self.close(connection)
        return outcome

    def later(self, case, api, version, connection=FIRST_CONNECTION, timeout_ms=ANSWER_MS_MAX):
        """Keeps the answer to a request that was sent before."""
        return self.keep(case, api, version, self.receive(connection, timeout_ms))

    def call_among(self, case, api, version, body, elements, name):
        """Like `call`, of an answer that tells of other scenarios too: only the elements whose name is one of ours are kept."""
        outcome = self.outcome(api, version, body, FIRST_CONNECTION)
        answer = outcome.get("answer", {})
        if elements in answer:
            answer[elements] = [one for one in answer[elements] if one[name].startswith(self.scenario)]
        return self.keep(case, api, version, outcome)

    def raw(self, case, hex_bytes, api="", version=0, timeout_ms=ANSWER_MS_MAX):
        """Bytes as they are on a connection of their own; an answer is read as one to this API, when it is told."""
        self.open(case)
        self.speaker.ask(do="send", connection=self.own(case), hex=hex_bytes, api=api, version=version)
        outcome = self.receive(case, timeout_ms)
        self.close(case)
        return self.keep(case, api or "bytes", version, outcome)

    def keep(self, case, api, version, outcome):
        known = {(one.name, one.api, one.version) for one in self.cases}
        assert (case, api, version) not in known, f"two cases are called {case} ({api} {version})"
        self.cases.append(Case(case, api, version, outcome))
        return outcome.get("answer", {})

    def open(self, connection):
        if connection not in self.connections:
            self.speaker.ask(do="open", connection=self.own(connection), port=self.port)
            self.connections.add(connection)

    def close(self, connection):
        if connection in self.connections:
            self.speaker.ask(do="close", connection=self.own(connection))
            self.connections.remove(connection)

    def own(self, connection):
        return f"{self.scenario}/{connection}"

    def end(self):
        for connection in list(self.connections):
            self.close(connection)

    def topic(self, suffix="", partitions=1, **configs):
        """A fresh topic, once its leaders are known."""
        name = self.name(suffix)
        settings = [{"name": key.replace("_", "."), "value": str(value)} for key, value in configs.items()]
        answer = self.quiet("CreateTopics", {"topics": [{"name": name, "numPartitions": partitions, "replicationFactor": 1, "configs": settings}],
                                             "timeoutMs": 10_000})
        assert answer["topics"][0]["errorCode"] == 0, answer
        self.await_topic(name, partitions)
        self.await_leaders(name, partitions)
        return name

    def await_topic(self, name, partitions=1):
        def led(answer):
            (topic,) = answer["topics"]
            return topic["errorCode"] == 0 and sum(one["errorCode"] == 0 for one in topic["partitions"]) == partitions

        return self.quiet("Metadata", {"topics": [{"name": name}], "allowAutoTopicCreation": False}, version=12, until=led)["topics"][0]

    def await_leaders(self, name, partitions):
        """A broker that tells it leads a partition may not have begun with it."""
        asked = [{"partitionIndex": index, "timestamp": -1} for index in range(partitions)]
        self.quiet("ListOffsets", {"replicaId": -1, "topics": [{"name": name, "partitions": asked}]}, version=7, until=lambda answer: all(
            one["errorCode"] == 0 for one in answer["topics"][0]["partitions"]))

    def topic_id(self, name):
        return self.quiet("Metadata", {"topics": [{"name": name}], "allowAutoTopicCreation": False}, version=12)["topics"][0]["topicId"]

    def batch(self, *values, at=0, key="k", **options):
        """A batch of these values; their timestamps are `at` milliseconds and more after a moment in the past."""
        records = [{"key": key, "value": value, "timestamp": self.then_ms + at + index} for index, value in enumerate(values)]
        return {"records": records, **options}

    def fill(self, topic, *batches, partition=0):
        """Stores batches, one request each."""
        for batch in batches:
            answer = self.quiet("Produce", produce(topic, [batch], partition=partition), version=9)
            assert answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0, answer


def produce(topic, records, partition=0, acks=-1, transactional_id=None):
    """The body of a Produce request of one partition."""
    return {"transactionalId": transactional_id, "acks": acks, "timeoutMs": 10_000,
            "topicData": [{"name": topic, "partitionData": [{"index": partition, "records": records}]}]}
