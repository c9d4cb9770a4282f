// Records, readers and restarts.
import assert from "node:assert/strict";
import { create, group, leave, member, numbered, readTopic, send, texts, topic, until, withAdmin, withProducer, words } from "./session.js";

export async function records_of_every_kind_come_back() {
  await create(1);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
  const wanted = [
    { key: null, value: Buffer.from("keyless"), headers: {} },
    { key: Buffer.from("k"), value: null, headers: { tombstone: "yes" } },
    { key: everyByte, value: Buffer.concat(Array(100).fill(everyByte)), headers: { a: ["1", "2"], b: "" } },
  ];
  for (let number = 0; number < 500; number += 1) {
    wanted.push({ key: Buffer.from(`${number}`), value: Buffer.from(`value ${number} `.repeat(50)), headers: { n: `${number}` } });
  }
  const [sent] = await send(wanted.map((one) => ({ ...one, partition: 0 })), { compression: words[0] });
  assert.deepEqual([sent.partition, sent.baseOffset], [0, "0"]);
  const got = await readTopic(wanted.length);
  const text = (header) => (Array.isArray(header) ? header.map(String) : String(header));
  got.forEach((have, at) => {
    assert.equal(have.offset, `${at}`);
    assert.deepEqual([have.key, have.value], [wanted[at].key, wanted[at].value]);
    assert.deepEqual(Object.fromEntries(Object.entries(have.headers ?? {}).map(([name, value]) => [name, text(value)])), wanted[at].headers);
  });
}

export async function readers_seek_pause_and_find_offsets_by_time() {
  await create(1);
  const baseMs = 1_700_000_000_000;
  await send(numbered(100).map((one, number) => ({ ...one, timestamp: `${baseMs + number * 1_000}` })));
  await withAdmin(async (admin) => {
    const [found] = await admin.fetchTopicOffsetsByTimestamp(topic, baseMs + 41_500);
    assert.equal(found.offset, "42");
    const [ends] = await admin.fetchTopicOffsets(topic);
    assert.deepEqual([ends.low, ends.high], ["0", "100"]);
  });
  const one = await member(group);
  await until("everything", () => one.records.length >= 100);
  assert.equal(one.records[42].timestamp, `${baseMs + 42_000}`);
  one.consumer.pause([{ topic }]);
  await send(numbered(5));
  // Another reader has seen the new ones: so could this one have, were it not paused.
  assert.equal((await readTopic(105)).length, 105);
  assert.equal(one.records.length, 100, "paused");
  one.consumer.resume([{ topic }]);
  await until("the new ones", () => one.records.length >= 105);
  assert.equal(one.records[100].offset, "100");
  one.records.length = 0;
  one.consumer.seek({ topic, partition: 0, offset: "90" });
  await until("fifteen again", () => one.records.length >= 15);
  assert.deepEqual(one.records.map((record) => record.offset), Array.from({ length: 15 }, (_, number) => `${90 + number}`));
  await leave(one);
}

export async function a_restart_loses_and_repeats_nothing() {
  await create(1);
  await withProducer({ idempotent: true }, async (producer) => {
    for (let number = 0; number < 400; number += 1) {
      await producer.send({ topic, messages: [{ value: `${number}`, partition: 0 }] });
      if (number === 200) console.log("half");
    }
  });
  assert.deepEqual(texts(await readTopic(400)), Array.from({ length: 400 }, (_, number) => `${number}`));
}
