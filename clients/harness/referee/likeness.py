"""Makes the answers of two brokers comparable: the one list of what must differ between any two brokers, and of lists without an order."""

import re

# Replaced by <name N>, numbered as they are first met, also inside of messages: the same value must stay the same value.
LABELLED = {
    "topicId": "topic id", "memberId": "member id", "leader": "member id", "producerId": "producer id", "clusterId": "cluster id",
    "sessionId": "session", "port": "port", "logDir": "log dir",
}
# Not compared at all: what a broker measures of itself.
MEASURED = {"throttleTimeMs", "totalBytes", "usableBytes"}
# Lists whose order means nothing (Kafka's is that of a hash table), and the field that tells their elements apart.
KEYED = {"configs": ["name"], "groups": ["groupId"], "apiKeys": ["apiKey"], "members": ["memberId"], "transactionStates": ["transactionalId"],
         "topics": ["name"], "responses": ["name"], "results": ["name", "groupId"], "configResources": ["resourceName"], "partitions": ["partitionIndex"]}
# What a text tells of this run alone.
IN_TEXTS = [(re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"), (re.compile(r"/\S*/data\b"), "<data directory>"),
            (re.compile(r"within \[-?\d+, -?\d+\]"), "within <bounds>")]
NOTHING = {"", None, -1, 0, "AAAAAAAAAAAAAAAAAAAAAA"}
CLOCK_BEFORE_MS = 10_000
CLOCK_AFTER_MS = 3_600_000
ABSENT = "<absent>"


class Likeness:
    """The values of one broker in one scenario."""

    def __init__(self, started_ms):
        self.clock = range(started_ms - CLOCK_BEFORE_MS, started_ms + CLOCK_AFTER_MS)
        self.labels = {}
        self.counts = {}

    def learn(self, value, name=""):
        if isinstance(value, dict):
            self.learn_topic(value.get("name") or value.get("topic"), value.get("topicId"))
            for key, inner in value.items():
                self.learn(inner, key)
        elif isinstance(value, list):
            for inner in value:
                self.learn(inner, name)
        elif name in LABELLED and value not in NOTHING and (name != "leader" or isinstance(value, str)):
            kind = LABELLED[name]
            if (kind, value) not in self.labels:
                self.counts[kind] = self.counts.get(kind, 0) + 1
                self.labels[kind, value] = f"<{kind} {self.counts[kind]}>"

    def learn_topic(self, name, topic_id):
        if isinstance(name, str) and topic_id not in NOTHING:
            self.labels.setdefault((LABELLED["topicId"], topic_id), f"<topic id of {name}>")

    def replaced(self, value, name=""):
        if isinstance(value, dict):
            return {key: "<measured>" if key in MEASURED else self.replaced(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.replaced(inner, name) for inner in value]
        label = self.labels.get((LABELLED.get(name), value))
        if label:
            return label
        if isinstance(value, str):
            return self.in_text(value)
        if isinstance(value, int) and value in self.clock:
            return "<now>"
        return value

    def in_text(self, text):
        for pattern, label in IN_TEXTS:
            text = pattern.sub(label, text)
        for (_, value), label in self.labels.items():
            if isinstance(value, str) and value in text:
                text = text.replace(value, label)
            elif isinstance(value, int) and value > 99 and str(value) in text:
                text = re.sub(rf"\b{value}\b", label, text)
        return text


def differences(kafka, ours, path=""):
    """(path, Kafka's value, our value) of every field that differs. Beside two errors that differ the other fields only follow."""
    if isinstance(kafka, dict) and isinstance(ours, dict):
        errors = error(kafka), error(ours)
        if None not in errors and errors[0][1] != errors[1][1]:
            key = errors[0][0]
            yield f"{path}.{key}" if path else key, *(" ".join(str(part) for part in one[1:]) for one in errors)
            return
        for key in [*kafka, *(key for key in ours if key not in kafka)]:
            yield from differences(kafka.get(key, ABSENT), ours.get(key, ABSENT), f"{path}.{key}" if path else key)
    elif isinstance(kafka, list) and isinstance(ours, list):
        keyed = by_key(path, kafka), by_key(path, ours)
        kafka, ours = keyed if None not in keyed else (dict(enumerate(kafka)), dict(enumerate(ours)))
        for key in [*kafka, *(key for key in ours if key not in kafka)]:
            yield from differences(kafka.get(key, ABSENT), ours.get(key, ABSENT), f"{path}[{key}]")
    elif kafka != ours or type(kafka) is not type(ours):
        yield path, kafka, ours


def error(fields):
    """(name of the field, code, message) of what tells an error."""
    for name in ("errorCode", "partitionErrorCode"):
        if name in fields:
            return name, fields[name], fields.get("errorMessage") or ""
    return None


def by_key(path, elements):
    """A list without an order as a table; none when its elements cannot be told apart."""
    for key in KEYED.get(path.rpartition(".")[2], []):
        if all(isinstance(element, dict) and key in element for element in elements):
            table = {element[key]: element for element in elements}
            return table if len(table) == len(elements) else None
    return None
