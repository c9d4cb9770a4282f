// Transactions: what readers of decided records see, offsets that follow, fencing.
import assert from "node:assert/strict";
import {
  READ_COMMITTED, READ_UNCOMMITTED, create, group, leave, member, numbered, readTopic, says, send, texts, topic, until, withAdmin, withProducer,
} from "./session.js";

// Its defaults of 0 and 0 claim an epoch of a producer: a second one of the name would be refused.
const OPTIONS = { transactionalId: `${topic}-id`, idempotent: true, producerId: -1n, producerEpoch: -1 };
const round = (number) => Array.from({ length: 10 }, (_, at) => `${number} ${at}`);

export async function only_what_was_committed_is_read() {
  await create(1);
  // A producer for each abort: of several by one producer in one answer the client drops only the last (clients/consumer/consumer.js).
  for (const half of [0, 2]) {
    await withProducer({ ...OPTIONS, transactionalId: `${topic}-${half}` }, async (producer) => {
      for (const [number, end] of [[half, "commit"], [half + 1, "abort"]]) {
        const transaction = await producer.beginTransaction();
        await transaction.send({ messages: round(number).map((text) => ({ topic, partition: 0, value: Buffer.from(text) })) });
        await transaction[end]();
      }
    });
  }
  const committed = await readTopic(20, { mode: "earliest", isolationLevel: READ_COMMITTED });
  assert.deepEqual(texts(committed), [0, 2].flatMap(round));
  const all = await readTopic(40, { mode: "earliest", isolationLevel: READ_UNCOMMITTED });
  assert.deepEqual(texts(all), [0, 1, 2, 3].flatMap(round));
}

export async function offsets_sent_to_a_transaction_follow_it() {
  await create(1);
  await send(numbered(10));
  const reader = await member(group, undefined, { autocommit: false });
  await until("ten records", () => reader.records.length >= 10);
  const committed = async () => {
    const [told] = await withAdmin((admin) => admin.listConsumerGroupOffsets({ groups: [group], requireStable: true }));
    return told.topics.find((one) => one.name === topic)?.partitions[0].committedOffset ?? -1n;
  };
  await withProducer(OPTIONS, async (producer) => {
    for (const [end, expected] of [["abort", -1n], ["commit", 7n]]) {
      const transaction = await producer.beginTransaction();
      await transaction.addConsumer(reader.consumer);
      await transaction.addOffset(reader.records[6]);
      await transaction[end]();
      assert.equal(await committed(), expected, end);
    }
  });
  await leave(reader);
}

export async function a_second_producer_fences_the_first() {
  await create(1);
  const messages = (text) => [{ topic, partition: 0, value: Buffer.from(text) }];
  await withProducer(OPTIONS, async (first) => {
    const lost = await first.beginTransaction();
    await lost.send({ messages: messages("1") });
    await withProducer(OPTIONS, async (second) => {
      const kept = await second.beginTransaction();
      await assert.rejects(lost.commit(), says("PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"));
      await kept.send({ messages: messages("2") });
      await kept.commit();
    });
  });
  assert.deepEqual(texts(await readTopic(1, { mode: "earliest", isolationLevel: READ_COMMITTED })), ["2"]);
}
