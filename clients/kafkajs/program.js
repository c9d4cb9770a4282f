// The claims of harness/programs.py for kafkajs.
import assert from "node:assert/strict";
import kafkajs from "kafkajs";
import snappy from "kafkajs-snappy";

const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.Snappy] = snappy;

const [claim, bootstrap, topic, group, ...words] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "claims", brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, retries: 20 } });
const PATIENCE_MS = 60_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, isSo) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert(Date.now() < deadline, `after ${PATIENCE_MS} ms still not: ${what}`);
    await pause(50);
  }
}

async function withAdmin(work) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

const create = (numPartitions) => withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true }));

async function withProducer(options, work) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...options });
  await producer.connect();
  try {
    return await work(producer);
  } finally {
    await producer.disconnect();
  }
}

// A member of a group that keeps what it was given.
async function member(groupId, options = {}) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 300, rebalanceTimeout: 10_000, sessionTimeout: 10_000, maxWaitTimeInMs: 300, ...options });
  const one = { consumer, records: [], partitions: [] };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { one.partitions = payload.memberAssignment[topic] ?? []; });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ partition, message }) => { one.records.push({ partition, ...message }); } });
  return one;
}

async function readTopic(count, options) {
  const one = await member(`${group}-reader`, options);
  await until(`${count} records`, () => one.records.length >= count);
  await one.consumer.disconnect();
  return one.records;
}

const numbered = (count, partitions) => Array.from({ length: count }, (_, number) => ({ value: `${number}`, partition: number % partitions }));

const claims = {
  async records_of_every_kind_come_back() {
    await create(1);
    const compression = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }[words[0]];
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    const wanted = [
      { key: null, value: Buffer.from("keyless"), headers: {} },
      { key: Buffer.from("k"), value: null, headers: { tombstone: "yes" } },
      { key: everyByte, value: Buffer.concat(Array(100).fill(everyByte)), headers: { a: ["1", "2"] } },
    ];
    for (let number = 0; number < 500; number += 1) {
      wanted.push({ key: Buffer.from(`${number}`), value: Buffer.from(`value ${number} `.repeat(50)), headers: { n: `${number}` } });
    }
    const [sent] = await withProducer({}, (producer) => producer.send({ topic, compression, acks: -1, messages: wanted.map((one) => ({ ...one, partition: 0 })) }));
    assert.equal(sent.baseOffset, "0");
    const got = await readTopic(wanted.length);
    const text = (header) => (Array.isArray(header) ? header.map(String) : String(header));
    got.forEach((have, at) => {
      assert.equal(have.offset, `${at}`);
      assert.deepEqual([have.key, have.value], [wanted[at].key, wanted[at].value]);
      assert.deepEqual(Object.fromEntries(Object.entries(have.headers).map(([name, value]) => [name, text(value)])), wanted[at].headers);
    });
  },

  async a_group_of_two_shares_a_topic_and_one_takes_over() {
    await create(4);
    const members = [await member(group), await member(group)];
    await until("two partitions each", () => members.every((one) => one.partitions.length === 2));
    const read = () => members.reduce((sum, one) => sum + one.records.length, 0);
    await withProducer({}, (producer) => producer.send({ topic, messages: numbered(400, 4) }));
    await until("all records", () => read() >= 400);
    assert(members.every((one) => one.records.length > 0));
    await members[0].consumer.disconnect();
    await until("the other takes over", () => members[1].partitions.length === 4);
    await withProducer({}, (producer) => producer.send({ topic, messages: numbered(100, 4) }));
    await until("the rest", () => read() >= 500);
    await members[1].consumer.disconnect();
    const places = new Set(members.flatMap((one) => one.records.map(({ partition, offset }) => `${partition} ${offset}`)));
    assert.equal(places.size, 500);
    const [committed] = await withAdmin((admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }));
    assert.equal(committed.partitions.reduce((sum, one) => sum + Number(one.offset), 0), 500);
  },

  async readers_seek_pause_and_find_offsets_by_time() {
    await create(1);
    const baseMs = 1_700_000_000_000;
    const messages = numbered(100, 1).map((one, number) => ({ ...one, timestamp: `${baseMs + number * 1_000}` }));
    await withProducer({}, (producer) => producer.send({ topic, messages }));
    const found = await withAdmin((admin) => admin.fetchTopicOffsetsByTimestamp(topic, baseMs + 41_500));
    assert.equal(found[0].offset, "42");
    const [ends] = await withAdmin((admin) => admin.fetchTopicOffsets(topic));
    assert.deepEqual([ends.low, ends.high], ["0", "100"]);
    const one = await member(group);
    await until("everything", () => one.records.length >= 100);
    one.consumer.pause([{ topic }]);
    await pause(500);
    one.records.length = 0;
    await withProducer({}, (producer) => producer.send({ topic, messages: numbered(5, 1) }));
    await pause(500);
    assert.equal(one.records.length, 0, "paused");
    one.consumer.resume([{ topic }]);
    await until("the new ones", () => one.records.length >= 5);
    assert.equal(one.records[0].offset, "100");
    one.records.length = 0;
    one.consumer.seek({ topic, partition: 0, offset: "90" });
    await until("fifteen again", () => one.records.length >= 15);
    assert.equal(one.records[0].offset, "90");
    await one.consumer.disconnect();
  },

  async topics_are_made_described_enlarged_and_deleted() {
    await create(2);
    await withAdmin(async (admin) => {
      const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
      assert.equal(await partitions(), 2);
      await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
      await until("three partitions", async () => (await partitions()) === 3);
      const configs = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic }] });
      assert(configs.resources[0].configEntries.length > 20);
      await admin.deleteTopics({ topics: [topic] });
      await until("deleted", async () => !(await admin.listTopics()).includes(topic));
    });
  },

  async only_what_was_committed_is_read() {
    await create(1);
    await withProducer({ transactionalId: `${topic}-id`, maxInFlightRequests: 1, idempotent: true }, async (producer) => {
      for (let round = 0; round < 4; round += 1) {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: Array.from({ length: 10 }, (_, number) => ({ value: `${round} ${number}`, partition: 0 })) });
        await (round % 2 ? transaction.abort() : transaction.commit());
      }
    });
    const got = await readTopic(20, { readUncommitted: false });
    assert.deepEqual(got.map((one) => String(one.value)), [0, 2].flatMap((round) => Array.from({ length: 10 }, (_, number) => `${round} ${number}`)));
  },

  async a_restart_loses_and_repeats_nothing() {
    await create(1);
    await withProducer({ idempotent: true, maxInFlightRequests: 1 }, async (producer) => {
      for (let number = 0; number < 400; number += 1) {
        await producer.send({ topic, acks: -1, messages: [{ value: `${number}`, partition: 0 }] });
        if (number === 200) console.log("half");
      }
    });
    const got = await readTopic(400);
    assert.deepEqual(got.map((one) => String(one.value)), Array.from({ length: 400 }, (_, number) => `${number}`));
  },
};

claims[claim]().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
