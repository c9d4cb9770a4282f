"""Offsets inside of transactions: AddOffsetsToTxn, TxnOffsetCommit, and who sees them."""

from harness.referee.play import scenario
from referee_cases.commits import committed
from referee_cases.membership import lone_member
from referee_cases.transactions import Writer


def add(writer, group, **more):
    return {"transactionalId": writer.id, "producerId": writer.producer, "producerEpoch": writer.epoch, "groupId": group, **more}


def commit(writer, group, topic, *offsets, version=3, **more):
    partitions = [{"partitionIndex": index, "committedOffset": offset, "committedMetadata": "note"} for index, offset in offsets]
    member = {"generationId": -1, "memberId": ""} if version >= 3 else {}
    return {"transactionalId": writer.id, "groupId": group, "producerId": writer.producer, "producerEpoch": writer.epoch, **member,
            "topics": [{"name": topic, "partitions": partitions}], **more}


@scenario(core=True)
def offsets_join_a_transaction_in_every_version(play):
    for version in play.versions("AddOffsetsToTxn"):
        writer = Writer(play, f"w{version}")
        group = play.name("group")
        play.call("right", "AddOffsetsToTxn", version, add(writer, group))
        play.call("again", "AddOffsetsToTxn", version, add(writer, group))
        play.call("another group", "AddOffsetsToTxn", version, add(writer, group + "-2"))
        play.call("empty group", "AddOffsetsToTxn", version, add(writer, ""))
        play.call("old epoch", "AddOffsetsToTxn", version, add(writer, group, producerEpoch=writer.epoch - 1))
        play.call("new epoch", "AddOffsetsToTxn", version, add(writer, group, producerEpoch=writer.epoch + 1))
        play.call("wrong producer", "AddOffsetsToTxn", version, add(writer, group, producerId=writer.producer + 1_000_000))
        play.call("unknown id", "AddOffsetsToTxn", version, add(writer, group, transactionalId="nobody"))
        play.call("empty id", "AddOffsetsToTxn", version, add(writer, group, transactionalId=""))


@scenario(core=True)
def offsets_are_committed_with_the_transaction(play):
    topic = play.topic(partitions=3)
    for version in play.versions("TxnOffsetCommit"):
        for outcome in (True, False):
            case = f"commit {outcome}"
            group = play.name(f"g{version}-{outcome}")
            writer = Writer(play, f"w{version}-{outcome}")
            play.quiet("AddOffsetsToTxn", add(writer, group))
            play.call(case, "TxnOffsetCommit", version, commit(writer, group, topic, (0, 5), (1, 6), version=version))
            play.call(f"{case}: seen meanwhile, version {version}", "OffsetFetch", 7, committed(7, group, topic, 0, 1, 2))
            play.call(f"{case}: stable meanwhile, version {version}", "OffsetFetch", 7, committed(7, group, topic, 0, 2, requireStable=True))
            play.call(f"{case}: stable, all, version {version}", "OffsetFetch", 8, committed(8, group, None, requireStable=True))
            writer.end(outcome)
            play.call(f"{case}: seen then, version {version}", "OffsetFetch", 7, committed(7, group, topic, 0, 1, 2, requireStable=True),
                      until=lambda answer: answer["topics"][0]["partitions"][0]["errorCode"] == 0)
            play.call(f"{case}: described, version {version}", "DescribeGroups", 6, {"groups": [group]})


@scenario(core=True)
def wrong_offsets_in_transactions_are_refused(play):
    topic = play.topic()
    group, taken = play.name("group"), play.name("taken")
    writer = Writer(play)
    play.quiet("AddOffsetsToTxn", add(writer, group))
    for version in play.versions("TxnOffsetCommit"):
        def send(case, to=group, where=topic, partition=0, version=version, **more):
            play.call(case, "TxnOffsetCommit", version, commit(writer, to, where, (partition, 5), version=version, **more))

        send("old epoch", producerEpoch=writer.epoch - 1)
        send("unknown topic", where="nowhere")
        send("unknown partition", partition=7)
        send("empty group", to="")
        send("group that was not added", to=play.name("not-added"))
        send("unknown transactional id", transactionalId="nobody")
        send("wrong producer", producerId=writer.producer + 1_000_000)
        play.call("nothing", "TxnOffsetCommit", version, {**commit(writer, group, topic, version=version), "topics": []})
        long_note = commit(writer, group, topic, (0, 5), version=version)
        long_note["topics"][0]["partitions"][0]["committedMetadata"] = "x" * 4_097
        play.call("long note", "TxnOffsetCommit", version, long_note)
    member = lone_member(play, taken)
    play.quiet("AddOffsetsToTxn", add(writer, taken))
    for case, generation, who in [("right member", 1, member), ("wrong generation", 5, member), ("unknown member", 1, "nobody"),
                                  ("no member", -1, ""), ("generation without member", 1, "")]:
        for version in play.versions("TxnOffsetCommit", first=3):
            play.call(case, "TxnOffsetCommit", version, commit(writer, taken, topic, (0, 5), generationId=generation, memberId=who))
    for version in play.versions("TxnOffsetCommit", first=3):
        play.call("unknown instance", "TxnOffsetCommit", version, commit(writer, taken, topic, (0, 5), generationId=1, memberId=member, groupInstanceId="x"))


@scenario(core=True)
def pending_offsets_protect_their_group(play):
    topic = play.topic()
    group = play.name("group")
    writer = Writer(play)
    play.quiet("AddOffsetsToTxn", add(writer, group))
    play.quiet("TxnOffsetCommit", commit(writer, group, topic, (0, 5)), version=3)
    play.call("the group is deleted", "DeleteGroups", 2, {"groupsNames": [group]})
    play.call("its offset is deleted", "OffsetDelete", 0, {"groupId": group, "topics": [{"name": topic, "partitions": [{"partitionIndex": 0}]}]})
    play.call("described", "DescribeGroups", 6, {"groups": [group]})
    play.call("described transaction", "DescribeTransactions", 0, {"transactionalIds": [writer.id]})
    writer.end(False)
    play.call("described after the abort", "DescribeGroups", 6, {"groups": [group]})
