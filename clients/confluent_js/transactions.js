// Transactions: what readers of decided records see, offsets that follow, fencing.
import assert from "node:assert/strict";
import { ErrorCodes, create, group, leave, member, numbered, readTopic, send, texts, topic, until, withAdmin, withProducer } from "./session.js";

const OPTIONS = { transactionalId: `${topic}-id` };
const round = (number) => Array.from({ length: 10 }, (_, at) => `${number} ${at}`);

export async function only_what_was_committed_is_read() {
  await create(1);
  await withProducer(OPTIONS, async (producer) => {
    for (let number = 0; number < 4; number += 1) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: round(number).map((value) => ({ value, partition: 0 })) });
      await (number % 2 ? transaction.abort() : transaction.commit());
    }
  });
  assert.deepEqual(texts(await readTopic(20, { readUncommitted: false })), [0, 2].flatMap(round));
  assert.deepEqual(texts(await readTopic(40, { readUncommitted: true })), [0, 1, 2, 3].flatMap(round));
}

export async function offsets_sent_to_a_transaction_follow_it() {
  await create(1);
  await send(numbered(10));
  const reader = await member(group, { autoCommit: false });
  await until("ten records", () => reader.records.length >= 10);
  const committed = async () => {
    const [told] = await withAdmin((admin) => admin.fetchOffsets({ groupId: group, topics: [topic], requireStableOffsets: true }));
    return told?.partitions[0]?.offset ?? "none";
  };
  const before = await committed();
  await withProducer(OPTIONS, async (producer) => {
    for (const [end, expected] of [["abort", before], ["commit", "7"]]) {
      const transaction = await producer.transaction();
      await transaction.sendOffsets({ consumer: reader.consumer, topics: [{ topic, partitions: [{ partition: 0, offset: "7" }] }] });
      await transaction[end]();
      assert.equal(await committed(), expected, end);
    }
  });
  assert.notEqual(before, "7");
  await leave(reader);
}

export async function a_second_producer_fences_the_first() {
  await create(1);
  await withProducer(OPTIONS, async (first) => {
    const lost = await first.transaction();
    await lost.send({ topic, messages: [{ value: "1", partition: 0 }] });
    await withProducer(OPTIONS, async (second) => {
      const fenced = [ErrorCodes.ERR__FENCED, ErrorCodes.ERR_PRODUCER_FENCED];
      await assert.rejects(lost.commit(), (error) => fenced.includes(error.code));
      const kept = await second.transaction();
      await kept.send({ topic, messages: [{ value: "2", partition: 0 }] });
      await kept.commit();
    });
  });
  assert.deepEqual(texts(await readTopic(1)), ["2"]);
}
