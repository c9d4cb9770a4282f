"""Transactions: InitProducerId with an id, AddPartitionsToTxn, EndTxn, ListTransactions, DescribeTransactions."""

from harness.referee.play import produce, scenario

FINAL = 2


def init(transactional_id, producer=-1, epoch=-1, timeout_ms=60_000):
    return {"transactionalId": transactional_id, "transactionTimeoutMs": timeout_ms, "producerId": producer, "producerEpoch": epoch}


def add(transactional_id, producer, epoch, *topics):
    return {"v3AndBelowTransactionalId": transactional_id, "v3AndBelowProducerId": producer, "v3AndBelowProducerEpoch": epoch,
            "v3AndBelowTopics": [{"name": name, "partitions": partitions} for name, partitions in topics]}


def end(transactional_id, producer, epoch, committed=True):
    return {"transactionalId": transactional_id, "producerId": producer, "producerEpoch": epoch, "committed": committed}


class Writer:
    """A transactional producer of a scenario: an id, an epoch and the next sequence by partition."""

    def __init__(self, play, suffix="writer", timeout_ms=60_000):
        self.play = play
        self.id = play.name(suffix)
        answer = play.quiet("InitProducerId", init(self.id, timeout_ms=timeout_ms), version=4, until=lambda answer: answer["errorCode"] == 0)
        self.producer, self.epoch = answer["producerId"], answer["producerEpoch"]
        self.sequences = {}

    @property
    def who(self):
        return self.id, self.producer, self.epoch

    def add(self, topic, *partitions):
        self.play.quiet("AddPartitionsToTxn", add(*self.who, (topic, list(partitions))), version=3,
                        until=lambda answer: answer["resultsByTopicV3AndBelow"][0]["resultsByPartition"][0]["partitionErrorCode"] == 0)

    def write(self, topic, *values, partition=0):
        sequence = self.sequences.get((topic, partition), 0)
        self.sequences[topic, partition] = sequence + len(values)
        batch = self.play.batch(*values, producerId=self.producer, producerEpoch=self.epoch, baseSequence=sequence, transactional=True)
        answer = self.play.quiet("Produce", produce(topic, [batch], partition=partition, transactional_id=self.id), version=9)
        assert answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0, answer

    def end(self, committed=True):
        answer = self.play.quiet("EndTxn", end(*self.who, committed), version=3, until=lambda answer: answer["errorCode"] != 51)
        assert answer["errorCode"] == 0, answer
        self.await_end()

    def await_end(self):
        """Markers are written after the answer."""
        self.play.quiet("DescribeTransactions", {"transactionalIds": [self.id]}, until=lambda answer: answer["transactionStates"][0][
            "transactionState"] in ("CompleteCommit", "CompleteAbort", "Empty"))


@scenario(core=True)
def transactional_ids_get_producers(play):
    for version in play.versions("InitProducerId"):
        for turn in ("first", "second"):
            play.call(f"{turn} time", "InitProducerId", version, {"transactionalId": play.name(f"v{version}"), "transactionTimeoutMs": 60_000})
        for timeout_ms in (0, -1, 900_001):
            play.call(f"timeout {timeout_ms}", "InitProducerId", version, {"transactionalId": play.name("t"), "transactionTimeoutMs": timeout_ms})
    own = play.name("own")
    answer = play.call("new", "InitProducerId", 4, init(own))
    producer = answer["producerId"]
    for version in (3, 4):
        play.call("right id and epoch", "InitProducerId", version, init(own, producer, version - 3))
        play.call("old epoch", "InitProducerId", version, init(own, producer, 0 if version == 4 else 9))
        play.call("wrong id", "InitProducerId", version, init(own, producer + 1_000_000, 0))
        play.call("id without epoch", "InitProducerId", version, init(own, producer))
        play.call("epoch without id", "InitProducerId", version, init(own, -1, 4))
    play.call("an id with its first request", "InitProducerId", 4, init(play.name("other"), 77, 0))


@scenario(core=True)
def partitions_join_a_transaction_in_every_version(play):
    topic = play.topic(partitions=2)
    for version in play.versions("AddPartitionsToTxn"):
        writer = Writer(play, f"w{version}")
        name, producer, epoch = writer.who
        play.call("two", "AddPartitionsToTxn", version, add(name, producer, epoch, (topic, [0, 1])))
        play.call("again", "AddPartitionsToTxn", version, add(name, producer, epoch, (topic, [0])))
        play.call("unknown topic", "AddPartitionsToTxn", version, add(name, producer, epoch, ("nowhere", [0])))
        play.call("known and unknown", "AddPartitionsToTxn", version, add(name, producer, epoch, ("nowhere", [0]), (topic, [0])))
        play.call("unknown partition", "AddPartitionsToTxn", version, add(name, producer, epoch, (topic, [7])))
        play.call("old epoch", "AddPartitionsToTxn", version, add(name, producer, epoch - 1, (topic, [0])))
        play.call("new epoch", "AddPartitionsToTxn", version, add(name, producer, epoch + 1, (topic, [0])))
        play.call("wrong producer", "AddPartitionsToTxn", version, add(name, producer + 1_000_000, epoch, (topic, [0])))
        play.call("unknown id", "AddPartitionsToTxn", version, add("nobody", producer, epoch, (topic, [0])))
        play.call("empty id", "AddPartitionsToTxn", version, add("", producer, epoch, (topic, [0])))
        play.call("nothing", "AddPartitionsToTxn", version, add(name, producer, epoch))
        play.call(f"described after {version}", "DescribeTransactions", 0, {"transactionalIds": [name]})


@scenario(core=True)
def transactions_end_in_every_version(play):
    topic = play.topic()
    for version in play.versions("EndTxn"):
        for committed in (True, False):
            writer = Writer(play, f"w{version}-{committed}")
            name, producer, epoch = writer.who
            play.call(f"nothing to end, commit {committed}", "EndTxn", version, end(name, producer, epoch, committed))
            writer.add(topic, 0)
            writer.write(topic, f"v{version} {committed}")
            play.call(f"old epoch, commit {committed}", "EndTxn", version, end(name, producer, epoch - 1, committed))
            play.call(f"new epoch, commit {committed}", "EndTxn", version, end(name, producer, epoch + 1, committed))
            play.call(f"wrong producer, commit {committed}", "EndTxn", version, end(name, producer + 1_000_000, epoch, committed))
            play.call(f"unknown id, commit {committed}", "EndTxn", version, end("nobody", producer, epoch, committed))
            play.call(f"commit {committed}", "EndTxn", version, end(name, producer, epoch, committed))
            writer.await_end()
            play.call(f"again, commit {committed}", "EndTxn", version, end(name, producer, epoch, committed))
            play.call(f"the other way, commit {not committed}", "EndTxn", version, end(name, producer, epoch, not committed))
    play.call("what was stored", "Fetch", 12, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "isolationLevel": 1, "topics": [
        {"topic": topic, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 8 << 20}]}]})


@scenario(core=True)
def readers_of_committed_records_wait(play):
    topic = play.topic()
    play.fill(topic, play.batch("before"))
    writer = Writer(play)
    writer.add(topic, 0)
    writer.write(topic, "a", "b")
    play.fill(topic, play.batch("after"))

    def read(case):
        for version in (4, 12):
            for isolation in (0, 1):
                for offset in (0, 1, 4):
                    play.call(f"{case}, isolation {isolation} from {offset}", "Fetch", version, {
                        "maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "isolationLevel": isolation,
                        "topics": [{"topic": topic, "partitions": [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 8 << 20}]}]})
        for isolation in (0, 1):
            for timestamp in (-1, -2, -3, play.then_ms):
                play.call(f"{case}, isolation {isolation}, {'time' if timestamp > 0 else timestamp}", "ListOffsets", 8, {
                    "replicaId": -1, "isolationLevel": isolation, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": timestamp}]}]})
        play.call(f"{case}, producers", "DescribeProducers", 0, {"topics": [{"name": topic, "partitionIndexes": [0]}]})

    read("open")
    writer.end(committed=False)
    read("aborted")
    writer.add(topic, 0)
    writer.write(topic, "c")
    writer.end()
    read("committed")


@scenario(core=True)
def aborted_transactions_are_named_to_readers(play):
    topic = play.topic()
    first, second, third = (Writer(play, suffix) for suffix in ("first", "second", "third"))
    for writer in (first, second, third):
        writer.add(topic, 0)
    for writer, value in ((first, "a"), (second, "b"), (first, "c"), (third, "d"), (second, "e")):
        writer.write(topic, value)
    first.end(committed=False)
    play.fill(topic, play.batch("plain"))
    third.end()
    second.end(committed=False)
    for version in (4, 11, 12):
        for offset in range(10):
            play.call(f"committed from {offset}", "Fetch", version, {
                "maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "isolationLevel": 1,
                "topics": [{"topic": topic, "partitions": [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 8 << 20}]}]})
    small = {"topic": topic, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 100}]}
    play.call("a part of it", "Fetch", 12, {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "isolationLevel": 1, "topics": [small]})


@scenario(core=True)
def records_are_deleted_below_an_open_transaction(play):
    topic = play.topic()
    play.fill(topic, play.batch("a"))
    writer = Writer(play)
    writer.add(topic, 0)
    writer.write(topic, "b", "c")
    for offset in (1, 2, -1):
        play.call(f"to {offset}", "DeleteRecords", 2, {"topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "offset": offset}]}], "timeoutMs": 10_000})
        for isolation in (0, 1):
            for timestamp in (-1, -2):
                play.call(f"to {offset}, isolation {isolation}, {timestamp}", "ListOffsets", 8, {
                    "replicaId": -1, "isolationLevel": isolation, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": timestamp}]}]})
    writer.end(committed=False)


@scenario(core=True)
def writes_outside_of_a_transaction_are_refused(play):
    topic = play.topic(partitions=2)
    # The second to come has an epoch before its own.
    Writer(play)
    writer = Writer(play)

    def send(case, sequence, partition=0, transactional=True, epoch=writer.epoch, transactional_id=writer.id, version=9):
        batch = play.batch("a", producerId=writer.producer, producerEpoch=0, baseSequence=sequence, transactional=transactional,
                           set={"producerEpoch": epoch})
        play.call(case, "Produce", version, produce(topic, [batch], partition=partition, transactional_id=transactional_id))

    for version in (3, 9, 11):
        send("not added", 0, version=version)
    writer.add(topic, 0)
    send("added", 0)
    send("not transactional meanwhile", 1, transactional=False)
    send("another partition", 0, partition=1)
    send("old epoch", 1, epoch=writer.epoch - 1)
    send("new epoch", 0, epoch=writer.epoch + 1)
    send("no id in the request", 1, transactional_id=None)
    send("another id in the request", 2, transactional_id="somebody")
    writer.end()
    send("after the end", 1)
    play.call("state", "DescribeProducers", 0, {"topics": [{"name": topic, "partitionIndexes": [0, 1]}]})


@scenario(core=True)
def a_fenced_producer_is_told(play):
    topic = play.topic()
    first = Writer(play, "same")
    first.add(topic, 0)
    first.write(topic, "a")
    play.call("a second takes over", "InitProducerId", 4, init(first.id))
    second = Writer(play, "same")
    assert second.producer == first.producer, "another producer id"
    for version in play.versions("AddPartitionsToTxn"):
        play.call("the first adds", "AddPartitionsToTxn", version, add(*first.who, (topic, [0])))
    for version in play.versions("EndTxn"):
        play.call("the first ends", "EndTxn", version, end(*first.who))
    for version in (3, 4, 5):
        play.call("the first asks for an epoch", "InitProducerId", version, init(*first.who))
    batch = play.batch("b", producerId=first.producer, producerEpoch=first.epoch, baseSequence=1, transactional=True)
    for version in (3, 9):
        play.call("the first writes", "Produce", version, produce(topic, [batch], transactional_id=first.id))


@scenario(core=True)
def transactions_are_listed_and_described(play):
    topic = play.topic(partitions=2)
    idle, opened, committed, aborted = (Writer(play, suffix) for suffix in ("idle", "opened", "committed", "aborted"))
    for writer in (opened, committed, aborted):
        writer.add(topic, 0, 1)
        writer.write(topic, "a")
    committed.end()
    aborted.end(committed=False)

    def listed(case, version=0, **filters):
        play.call_among(case, "ListTransactions", version, filters, "transactionStates", "transactionalId")

    for version in play.versions("ListTransactions"):
        listed("all", version)
        for states in (["Ongoing"], ["Empty"], ["CompleteCommit", "CompleteAbort"], ["Nonsense"], ["ongoing"], ["Ongoing", "Nonsense"], [""]):
            listed(f"states {states}", version, stateFilters=states)
        listed("a producer", version, producerIdFilters=[opened.producer])
        listed("an unknown producer", version, producerIdFilters=[999_999])
    for duration in (0, 1, -1, 3_600_000):
        listed(f"longer than {duration}", 1, durationFilter=duration)
    for case, ids in [("all", [one.id for one in (idle, opened, committed, aborted)]), ("unknown", ["nobody"]), ("empty", [""]), ("none", []),
                      ("one twice", [idle.id, idle.id]), ("known and unknown", [idle.id, "nobody"])]:
        play.call(case, "DescribeTransactions", 0, {"transactionalIds": ids})


@scenario()
def a_transaction_that_takes_too_long_is_aborted(play):
    topic = play.topic()
    writer = Writer(play, timeout_ms=1_000)
    writer.add(topic, 0)
    writer.write(topic, "a")
    play.call("described", "DescribeTransactions", 0, {"transactionalIds": [writer.id]},
              until=lambda answer: answer["transactionStates"][0]["transactionState"] == "CompleteAbort")
    for version in play.versions("EndTxn"):
        play.call("ends too late", "EndTxn", version, end(*writer.who))
    batch = play.batch("b", producerId=writer.producer, producerEpoch=writer.epoch, baseSequence=1, transactional=True)
    play.call("writes too late", "Produce", 9, produce(topic, [batch], transactional_id=writer.id))
    play.call("starts anew", "InitProducerId", 4, init(*writer.who))
