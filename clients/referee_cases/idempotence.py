"""Producers that number their batches: InitProducerId without a transaction, sequences in Produce, DescribeProducers."""

from harness.referee.play import produce, scenario


def init(play, case=None, **body):
    body = {"transactionalId": None, "transactionTimeoutMs": 60_000, "producerId": -1, "producerEpoch": -1, **body}
    return play.call(case, "InitProducerId", 4, body) if case else play.quiet("InitProducerId", body, version=4)


@scenario(core=True)
def producer_ids_are_given_out(play):
    for version in play.versions("InitProducerId"):
        play.call("plain", "InitProducerId", version, {"transactionalId": None, "transactionTimeoutMs": 60_000})
        play.call("no timeout", "InitProducerId", version, {"transactionalId": None, "transactionTimeoutMs": 0})
        play.call("empty id", "InitProducerId", version, {"transactionalId": "", "transactionTimeoutMs": 60_000})
    for version in play.versions("InitProducerId", first=3):
        play.call("with an id", "InitProducerId", version, {"transactionalId": None, "transactionTimeoutMs": 1, "producerId": 5, "producerEpoch": 1})
        play.call("id without epoch", "InitProducerId", version, {"transactionalId": None, "transactionTimeoutMs": 1, "producerId": 5})
        play.call("epoch without id", "InitProducerId", version, {"transactionalId": None, "transactionTimeoutMs": 1, "producerEpoch": 5})


@scenario(core=True)
def sequences_are_checked(play):
    topic = play.topic(partitions=2)
    producer = init(play)["producerId"]

    def send(case, sequence, *values, epoch=0, partition=0, version=9, **more):
        batch = play.batch(*values, producerId=producer, producerEpoch=epoch, baseSequence=sequence, **more)
        play.call(case, "Produce", version, produce(topic, [batch], partition=partition))

    send("first", 0, "a", "b")
    send("first again", 0, "a", "b")
    send("next", 2, "c")
    send("a gap", 5, "d")
    send("overlap", 1, "b", "c")
    send("older duplicate", 0, "a", "b")
    send("same sequence, more records", 2, "c", "d")
    send("next after refusals", 3, "d")
    send("not from 0 in a new partition", 4, "x", partition=1)
    send("first in a new partition", 0, "x", partition=1)
    send("newer epoch, not from 0", 4, "e", epoch=1)
    send("newer epoch from 0", 0, "e", epoch=1)
    send("old epoch", 4, "f", epoch=0)
    send("old epoch in an old version", 4, "f", epoch=0, version=3)
    for number in range(1, 8):
        send(f"one of many {number}", number, f"v{number}", epoch=1)
    send("a duplicate of the fifth last", 3, "v3", epoch=1)
    send("a duplicate of the sixth last", 2, "v2", epoch=1)
    for version in play.versions("DescribeProducers"):
        play.call("state", "DescribeProducers", version, {"topics": [{"name": topic, "partitionIndexes": [0, 1]}]})


@scenario(core=True)
def sequences_wrap_around(play):
    topic = play.topic()
    producer = init(play)["producerId"]
    for case, sequence, values in [("near the end, an unknown producer", 2_147_483_646, "ab"), ("over the end", 0, "c"), ("not over the end", 7, "d")]:
        batch = play.batch(*values, producerId=producer, producerEpoch=0, baseSequence=sequence)
        play.call(case, "Produce", 9, produce(topic, [batch]))
    other = play.topic("other")
    for case, sequence, values in [("over the end in one batch", 2_147_483_647, "ab"), ("next", 1, "c")]:
        batch = play.batch(*values, producerId=producer, producerEpoch=0, baseSequence=sequence)
        play.call(case, "Produce", 9, produce(other, [batch]))


@scenario(core=True)
def strange_producers_are_judged(play):
    topic = play.topic(partitions=4)

    def send(case, partition, producer, epoch, sequence, **more):
        batch = play.batch("a", producerId=producer, producerEpoch=epoch, baseSequence=sequence, **more)
        play.call(case, "Produce", 9, produce(topic, [batch], partition=partition))

    send("an id that nobody gave out", 0, 999_999, 0, 0)
    send("such an id, not from 0", 1, 999_998, 0, 7)
    send("such an id, epoch 9", 2, 999_997, 9, 0)
    send("transactional, nobody knows it", 3, 999_996, 0, 0, transactional=True)
    send("largest epoch", 3, 999_995, 32_767, 0)


@scenario(core=True)
def states_of_producers_are_described(play):
    topic = play.topic(partitions=2)
    play.call("none", "DescribeProducers", 0, {"topics": [{"name": topic, "partitionIndexes": [0, 1]}]})
    play.call("unknown partition", "DescribeProducers", 0, {"topics": [{"name": topic, "partitionIndexes": [7, -1]}]})
    play.call("unknown topic", "DescribeProducers", 0, {"topics": [{"name": "nowhere", "partitionIndexes": [0]}]})
    play.call("impossible name", "DescribeProducers", 0, {"topics": [{"name": "a/b", "partitionIndexes": [0]}]})
    play.call("nothing", "DescribeProducers", 0, {"topics": []})
    play.call("no partitions", "DescribeProducers", 0, {"topics": [{"name": topic, "partitionIndexes": []}]})
