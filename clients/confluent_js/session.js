// Short forms of @confluentinc/kafka-javascript for the claims: clients of the broker under test, send, read, wait.
import assert from "node:assert/strict";
import confluent from "@confluentinc/kafka-javascript";

const { KafkaJS, AdminClient } = confluent;
export const { ErrorCodes } = KafkaJS;
export const [claim, bootstrap, topic, group, ...words] = process.argv.slice(2);
const PATIENCE_MS = 60_000;
const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [bootstrap], clientId: "claims", logLevel: KafkaJS.logLevel.NOTHING } });

export async function until(what, isSo) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert(Date.now() < deadline, `after ${PATIENCE_MS} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function connected(client, work) {
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.disconnect();
  }
}

export const withAdmin = (work) => connected(kafka.admin(), work);
export const withProducer = (kafkaJS, work) => connected(kafka.producer({ kafkaJS: { acks: -1, allowAutoTopicCreation: false, ...kafkaJS } }), work);

export const create = (numPartitions) => withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] }));
export const send = (messages, options = {}) => withProducer(options, (producer) => producer.send({ topic, messages }));
export const numbered = (count, partitions = 1) => Array.from({ length: count }, (_, number) => ({ value: `${number}`, partition: number % partitions }));

// The promised admin cannot enlarge a topic; the one of callbacks, which the package has from node-rdkafka, can.
export async function enlarge(partitions) {
  const admin = AdminClient.create({ "bootstrap.servers": bootstrap });
  try {
    await new Promise((done, fail) => admin.createPartitions(topic, partitions, 10_000, (error) => (error ? fail(error) : done())));
  } finally {
    admin.disconnect();
  }
}

// Members of a classic group that notice a rebalance soon.
const CLASSIC = { sessionTimeout: 10_000, heartbeatInterval: 300 };

// A member of a group that keeps what it was given; it reads from its committed offsets on, and commits as it reads.
export async function member(groupId, options = CLASSIC, settings = {}) {
  const kafkaJS = { groupId, fromBeginning: true, autoCommit: true, autoCommitInterval: 200, maxWaitTimeInMs: 300, ...options };
  const consumer = kafka.consumer({ kafkaJS, ...settings });
  const one = { consumer, records: [] };
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async ({ partition, message }) => { one.records.push({ partition, ...message }); } });
  return one;
}

export const partitionsOf = (one) => one.consumer.assignment().filter((place) => place.topic === topic).map((place) => place.partition);
export const leave = (one) => one.consumer.disconnect();

// So many records of the topic, by a reader in a group of its own.
let readers = 0;
export async function readTopic(count, options = {}) {
  readers += 1;
  const one = await member(`${group}-reader-${readers}`, { ...CLASSIC, ...options });
  await until(`${count} records`, () => one.records.length >= count);
  await leave(one);
  return one.records;
}

export const texts = (records) => records.map((record) => String(record.value));
