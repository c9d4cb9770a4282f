// Groups of both protocols, and what an administrator does to them.
import assert from "node:assert/strict";
import confluent from "@confluentinc/kafka-javascript";
import { create, group, leave, member, numbered, partitionsOf, send, topic, until, withAdmin } from "./session.js";

const { PartitionAssigners } = confluent.KafkaJS;
const { ConsumerGroupStates } = confluent;

async function twoShareAndOneTakesOver(options, settings) {
  await create(4);
  const members = [await member(group, options, settings), await member(group, options, settings)];
  await until("two partitions each", () => members.every((one) => partitionsOf(one).length === 2));
  const read = () => members.reduce((sum, one) => sum + one.records.length, 0);
  await send(numbered(400, 4));
  await until("all records", () => read() >= 400);
  assert(members.every((one) => one.records.length > 0));
  await leave(members[0]);
  await until("the other takes over", () => partitionsOf(members[1]).length === 4);
  await send(numbered(100, 4));
  await until("the rest", () => read() >= 500);
  await leave(members[1]);
  const places = members.flatMap((one) => one.records.map(({ partition, offset }) => `${partition} ${offset}`));
  assert.equal(places.length, 500);
  assert.equal(new Set(places).size, 500);
  const [committed] = await withAdmin((admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }));
  assert.deepEqual(committed.partitions.map((one) => one.offset), ["125", "125", "125", "125"]);
}

export const a_group_of_two_shares_a_topic_and_one_takes_over = () => twoShareAndOneTakesOver();

export const a_cooperative_group_shares_a_topic_and_one_takes_over = () => twoShareAndOneTakesOver({
  sessionTimeout: 10_000, heartbeatInterval: 300, partitionAssigners: [PartitionAssigners.cooperativeSticky],
});

// KIP-848: the broker assigns, and tells how often it wants to hear from the members.
export const a_group_of_the_consumer_protocol_shares_a_topic_and_one_takes_over = () => twoShareAndOneTakesOver({}, { "group.protocol": "consumer" });

export async function groups_are_listed_described_and_deleted() {
  await create(2);
  const one = await member(group);
  await until("both partitions", () => partitionsOf(one).length === 2);
  await withAdmin(async (admin) => {
    const state = async () => (await admin.listGroups()).groups.find((listed) => listed.groupId === group)?.state;
    await until("stable", async () => (await state()) === ConsumerGroupStates.STABLE);
    const { groups: [told] } = await admin.describeGroups([group]);
    assert.equal(told.state, ConsumerGroupStates.STABLE);
    assert.equal(told.members.length, 1);
    const places = told.members[0].assignment.topicPartitions ?? told.members[0].assignment;
    assert.deepEqual(places.map((place) => place.partition).sort(), [0, 1]);
    await leave(one);
    await until("empty", async () => (await state()) === ConsumerGroupStates.EMPTY);
    const [deleted] = await admin.deleteGroups([group]);
    assert.deepEqual([deleted.groupId, deleted.error ?? null], [group, null]);
    assert.equal(await state(), undefined);
  });
}
