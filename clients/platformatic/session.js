// Short forms of @platformatic/kafka for the claims: clients of the broker under test, send, read, wait.
import assert from "node:assert/strict";
import { Admin, Consumer, Producer, findErrorBy } from "@platformatic/kafka";

export const [claim, bootstrap, topic, group, ...words] = process.argv.slice(2);
export const READ_UNCOMMITTED = 0;
export const READ_COMMITTED = 1;
const PATIENCE_MS = 60_000;
// Patient enough for a broker that is started again.
const base = { clientId: "claims", bootstrapBrokers: [bootstrap], retries: 300, retryDelay: 200 };

export async function until(what, isSo) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert(Date.now() < deadline, `after ${PATIENCE_MS} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export async function withAdmin(work) {
  const admin = new Admin(base);
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

export async function withProducer(options, work) {
  const producer = new Producer({ ...base, ...options });
  try {
    return await work(producer);
  } finally {
    await producer.close(true);
  }
}

export const create = (partitions) => withAdmin((admin) => admin.createTopics({ topics: [topic], partitions, replicas: 1 }));
// Acknowledged by all: the producer's own option of that name counts for nothing in this client.
export const send = (messages, options = {}) => withProducer(options, (producer) => producer.send({ messages, acks: -1 }));

export function numbered(count, partitions = 1) {
  return Array.from({ length: count }, (_, number) => ({ topic, partition: number % partitions, value: Buffer.from(`${number}`) }));
}

export const newConsumer = (groupId, options = {}) => new Consumer({ ...base, groupId, maxWaitTime: 300, ...options });
// Members of a classic group that notice a rebalance soon.
const CLASSIC = { sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 300 };

// A member of a group that keeps what it was given; it reads from its committed offsets on, and commits as it reads.
export async function member(groupId, options = CLASSIC, reading = {}) {
  const consumer = newConsumer(groupId, options);
  const stream = await consumer.consume({ topics: [topic], mode: "committed", fallbackMode: "earliest", ...reading });
  const one = { consumer, stream, records: [] };
  stream.on("data", (record) => one.records.push(record));
  return one;
}

export const partitionsOf = (one) => one.consumer.assignments?.find((assignment) => assignment.topic === topic)?.partitions ?? [];
export const leave = (one) => one.consumer.close(true);

// So many records of the topic, by a reader in a group of its own.
let readers = 0;
export async function readTopic(count, reading = { mode: "earliest" }) {
  readers += 1;
  const one = await member(`${group}-reader-${readers}`, CLASSIC, reading);
  await until(`${count} records, not ${one.records.length}`, () => one.records.length >= count);
  await leave(one);
  return one.records;
}

export const texts = (records) => records.map((record) => String(record.value));

// Whether an error that the client throws holds one of these of Kafka.
export const says = (...ids) => (error) => ids.some((id) => findErrorBy(error, "apiId", id) !== null);
