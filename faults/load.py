"""Producers of every acks class and a committer of group offsets, that go on while the broker dies and comes back."""

import threading
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from ledger import QUIET, sender, value

GROUPS = 3
# Between two looks at the answers: some thousand records a second of each topic, which a check reads in moments.
RECORDS_PER_STEP = 10


@dataclass(frozen=True)
class Topic:
    """A topic, what its producer asks for, and what that survives."""

    name: str
    acks: str
    partitions: int = 4
    exactly_once: bool = False
    # Old records go: what is below the log start is gone for a reason.
    trimmed: bool = False
    # What an acknowledgement survives: "power", "kill" or nothing.
    survives: str = "power"
    config: tuple = ()


TOPICS = [
    Topic("all", "all", exactly_once=True),
    Topic("rolling", "all", exactly_once=True, trimmed=True, config=(("retention.bytes", "3000000"),)),
    Topic("written", "all", exactly_once=True, survives="kill", config=(("posthaste.durability", "written"),)),
    Topic("one", "1", survives="kill"),
    Topic("none", "0", survives="nothing"),
]


def promised(survived):
    """Names of the topics whose acknowledgements survive a power cut, or a kill."""
    wanted = {"power": ("power",), "kill": ("power", "kill")}[survived]
    return {topic.name for topic in TOPICS if topic.survives in wanted}


def create_topics(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": QUIET})
    new = [NewTopic(topic.name, topic.partitions, config=dict(topic.config)) for topic in TOPICS]
    for future in admin.create_topics(new).values():
        future.result(60)


class Load:
    """Runs until it is stopped. `failure` holds what the load itself found wrong."""

    def __init__(self, bootstrap, ledger, random):
        self.bootstrap, self.ledger, self.failure = bootstrap, ledger, None
        self.ending, self.is_abandoned = threading.Event(), False
        seeds = [random.getrandbits(32) for _ in TOPICS]
        self.threads = [threading.Thread(target=self.guarded, args=(self.produce, topic, seed), daemon=True)
                        for topic, seed in zip(TOPICS, seeds)]
        self.threads.append(threading.Thread(target=self.guarded, args=(self.commit,), daemon=True))

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        """Ends the load; the broker must be up, so that what is on its way is answered."""
        self.ending.set()
        for thread in self.threads:
            thread.join(180)
            assert not thread.is_alive(), "the load does not end"
        self.check()

    def abandon(self):
        """Ends the load of a broker that does not come back."""
        self.is_abandoned = True
        self.ending.set()

    def check(self):
        if self.failure is not None:
            raise self.failure

    def guarded(self, work, *arguments):
        try:
            work(*arguments)
        except BaseException as failure:  # noqa: BLE001 - told to the main thread, which raises it
            self.failure = failure

    def produce(self, topic, seed):
        config = {"bootstrap.servers": self.bootstrap, "acks": topic.acks, "linger.ms": 2, "log_level": QUIET,
                  "reconnect.backoff.max.ms": 200, "batch.num.messages": 200, "message.timeout.ms": 170_000}
        if topic.exactly_once:
            config["enable.idempotence"] = True
        else:
            # A retry could store a record twice, which nobody promises against.
            config["message.send.max.retries"] = 0
        producer = Producer(config)

        def on_delivery(error, message):
            # An exception must not cross the client's own code.
            try:
                # Without acks nobody knows the offset.
                if error is None and message.offset() is not None:
                    self.ledger.note(topic.name, message.partition(), message.offset(), sender(message.value()))
                elif error is not None and topic.exactly_once and not self.is_abandoned:
                    self.failure = AssertionError(f"{topic.name}: an idempotent record was given up: {error}")
            except AssertionError as broken:
                self.failure = broken

        sequence = 0
        while not self.ending.is_set():
            for _ in range(RECORDS_PER_STEP):
                padding = (sequence * 7919 + seed) % 900
                try:
                    producer.produce(topic.name, value(topic.name, sequence, padding), partition=sequence % topic.partitions,
                                     on_delivery=on_delivery)
                except BufferError:
                    break
                sequence += 1
            producer.poll(0.01)
        if self.is_abandoned:
            producer.purge()
        assert producer.flush(170) == 0, f"{topic.name}: records without an answer"

    def commit(self):
        """Groups commit ever higher offsets, one after the other."""
        config = {"bootstrap.servers": self.bootstrap, "enable.auto.commit": False, "log_level": QUIET,
                  "reconnect.backoff.max.ms": 200}
        consumers = {f"group-{at}": Consumer({**config, "group.id": f"group-{at}"}) for at in range(GROUPS)}
        offset = 0
        while not self.ending.is_set():
            offset += 1
            for group, consumer in consumers.items():
                try:
                    consumer.commit(offsets=[TopicPartition(TOPICS[0].name, 0, offset)], asynchronous=False)
                except KafkaException as refused:
                    # A broker that is down answers nothing; the commit may be there or not.
                    if refused.args[0].code() == KafkaError.OFFSET_OUT_OF_RANGE:
                        raise
                    time.sleep(0.01)
                    continue
                self.ledger.note_commit(group, offset)
            time.sleep(0.005)
        for consumer in consumers.values():
            consumer.close()


def watch_high_watermarks(bootstrap, ledger):
    """Notes what readers are shown now; a broker that dies meanwhile shows nothing."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "faults-watch", "log_level": QUIET})
    try:
        for topic in TOPICS:
            for index in range(topic.partitions):
                _low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, index), timeout=10)
                ledger.note_high_watermark(topic.name, index, high)
    except KafkaException:
        pass
    finally:
        consumer.close()
