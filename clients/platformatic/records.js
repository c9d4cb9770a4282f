// Records, readers and restarts.
import assert from "node:assert/strict";
import { create, group, leave, member, numbered, readTopic, send, texts, topic, until, withAdmin, withProducer, words } from "./session.js";

const EARLIEST = -2n;
const LATEST = -1n;

export async function records_of_every_kind_come_back() {
  await create(1);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
  const header = (name, value) => [Buffer.from(name), value === null ? null : Buffer.from(value)];
  const wanted = [
    { key: null, value: Buffer.from("keyless"), headers: [] },
    { key: Buffer.from("k"), value: null, headers: [header("tombstone", "yes")] },
    { key: everyByte, value: Buffer.concat(Array(100).fill(everyByte)), headers: [header("a", "1"), header("b", ""), header("a", "2")] },
  ];
  for (let number = 0; number < 500; number += 1) {
    wanted.push({ key: Buffer.from(`${number}`), value: Buffer.from(`value ${number} `.repeat(50)), headers: [header("n", `${number}`)] });
  }
  // Two headers of one name: a Map keeps both, because their names are two buffers.
  const messages = wanted.map((one) => ({ topic, partition: 0, key: one.key ?? undefined, value: one.value, headers: new Map(one.headers) }));
  const sent = await send(messages, { compression: words[0] });
  assert.deepEqual(sent.offsets, [{ topic, partition: 0, offset: 0n }]);
  const got = await readTopic(wanted.length);
  got.forEach((have, at) => {
    assert.equal(have.offset, BigInt(at));
    // What is null on the wire is told as undefined.
    assert.deepEqual({ key: have.key ?? null, value: have.value ?? null, headers: have.headerEntries }, wanted[at]);
  });
}

export async function readers_seek_pause_and_find_offsets_by_time() {
  await create(1);
  const baseMs = 1_700_000_000_000;
  await send(numbered(100).map((one, number) => ({ ...one, timestamp: BigInt(baseMs + number * 1_000) })));
  const one = await member(group);
  const at = async (timestamp) => (await one.consumer.listOffsetsWithTimestamps({ topics: [topic], timestamp })).get(topic).get(0);
  assert.deepEqual(await at(BigInt(baseMs + 41_500)), { offset: 42n, timestamp: BigInt(baseMs + 42_000) });
  assert.equal((await at(BigInt(baseMs + 99_001))).offset, -1n);
  assert.deepEqual([(await at(EARLIEST)).offset, (await at(LATEST)).offset], [0n, 100n]);
  const partitions = [{ partitionIndex: 0, timestamp: BigInt(baseMs + 1) }];
  const [listed] = await withAdmin((admin) => admin.listOffsets({ topics: [{ name: topic, partitions }] }));
  assert.equal(listed.partitions[0].offset, 1n);
  await until("everything", () => one.records.length >= 100);
  one.stream.pause();
  await send(numbered(5));
  // Another reader has seen the new ones: so could this one have, were it not paused.
  assert.equal((await readTopic(105)).length, 105);
  assert.equal(one.records.length, 100, "paused");
  one.stream.resume();
  await until("the new ones", () => one.records.length >= 105);
  assert.equal(one.records[100].offset, 100n);
  await leave(one);
  // It has no seek: a stream begins where it is told.
  const sought = await readTopic(15, { mode: "manual", offsets: [{ topic, partition: 0, offset: 90n }] });
  assert.deepEqual(sought.map((record) => record.offset), Array.from({ length: 15 }, (_, number) => BigInt(90 + number)));
}

export async function a_restart_loses_and_repeats_nothing() {
  await create(1);
  await withProducer({ idempotent: true }, async (producer) => {
    for (let number = 0; number < 400; number += 1) {
      await producer.send({ messages: [{ topic, partition: 0, value: Buffer.from(`${number}`) }] });
      if (number === 200) console.log("half");
    }
  });
  assert.deepEqual(texts(await readTopic(400)), Array.from({ length: 400 }, (_, number) => `${number}`));
}
