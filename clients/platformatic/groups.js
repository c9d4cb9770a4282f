// Groups of both protocols, and what an administrator does to them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { FindCoordinatorKeyTypes, cooperativeStickyAssigner } from "@platformatic/kafka";
import { create, group, leave, member, numbered, partitionsOf, send, topic, until, withAdmin } from "./session.js";

// The offsets that the group has committed, by partition.
async function committed() {
  const [told] = await withAdmin((admin) => admin.listConsumerGroupOffsets({ groups: [group] }));
  const partitions = told.topics.find((one) => one.name === topic)?.partitions ?? [];
  return new Map(partitions.filter((one) => one.committedOffset >= 0n).map((one) => [one.partitionIndex, one.committedOffset]));
}

// A member that leaves while it commits loses the commit that would have followed: wait for both.
const untilCommitted = (offsets) => until(`committed: ${offsets}`, async () => {
  const found = await committed();
  return offsets.every((offset, partition) => found.get(partition) === offset);
});

// A fetch that was under way in a rebalance still brings what it asked for, of partitions that the member has no longer: wait for its end.
async function settled(members, partitions) {
  await until(`${partitions} partitions each`, () => members.every((one) => partitionsOf(one).length === partitions));
  await Promise.all(members.map((one) => once(one.stream, "fetch")));
}

async function twoShareAndOneTakesOver(options) {
  await create(4);
  const members = [await member(group, options), await member(group, options)];
  await settled(members, 2);
  const read = () => members.reduce((sum, one) => sum + one.records.length, 0);
  await send(numbered(400, 4));
  await until("all records", () => read() >= 400);
  assert(members.every((one) => one.records.length > 0));
  await untilCommitted([100n, 100n, 100n, 100n]);
  await leave(members[0]);
  await settled([members[1]], 4);
  await send(numbered(100, 4));
  await until("the rest", () => read() >= 500);
  await untilCommitted([125n, 125n, 125n, 125n]);
  await leave(members[1]);
  const places = members.flatMap((one) => one.records.map(({ partition, offset }) => `${partition} ${offset}`));
  assert.equal(places.length, 500);
  assert.equal(new Set(places).size, 500);
}

export const a_group_of_two_shares_a_topic_and_one_takes_over = () => twoShareAndOneTakesOver();

export const a_cooperative_group_shares_a_topic_and_one_takes_over = () => twoShareAndOneTakesOver({
  sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 300,
  protocols: [{ name: "cooperative-sticky", version: 1 }], partitionAssigner: cooperativeStickyAssigner,
});

// KIP-848: the broker assigns, and tells how often it wants to hear from the members.
export const a_group_of_the_consumer_protocol_shares_a_topic_and_one_takes_over = () => twoShareAndOneTakesOver({ groupProtocol: "consumer" });

export async function groups_are_listed_described_moved_and_deleted() {
  await create(2);
  const one = await member(group);
  await until("both partitions", () => partitionsOf(one).length === 2);
  await send(numbered(20, 2));
  await untilCommitted([10n, 10n]);
  await withAdmin(async (admin) => {
    const state = async () => (await admin.listGroups()).get(group)?.state;
    await until("stable", async () => (await state()) === "Stable");
    const told = (await admin.describeGroups({ groups: [group] })).get(group);
    assert.equal(told.state, "Stable");
    assert.deepEqual([...told.members.keys()], [one.consumer.memberId]);
    const [described] = told.members.values();
    assert.deepEqual(described.assignments.get(topic).partitions.toSorted(), [0, 1]);
    const [coordinator] = await admin.findCoordinator({ keyType: FindCoordinatorKeyTypes.GROUP, keys: [group] });
    assert.equal(coordinator.key, group);
    const before = one.consumer.memberId;
    await admin.removeMembersFromConsumerGroup({ groupId: group, members: [{ memberId: before }] });
    await until("it joins again as another member", async () => one.consumer.memberId !== before && partitionsOf(one).length === 2);
    await until("stable again", async () => (await state()) === "Stable");
    await leave(one);
    await until("empty", async () => (await state()) === "Empty");
    assert.deepEqual(await committed(), new Map([[0, 10n], [1, 10n]]));
    const partitionOffsets = [{ partition: 0, offset: 3n }, { partition: 1, offset: 4n }];
    await admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets }] });
    assert.deepEqual(await committed(), new Map([[0, 3n], [1, 4n]]));
    await admin.deleteConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionIndexes: [0] }] });
    assert.deepEqual(await committed(), new Map([[1, 4n]]));
    await admin.deleteGroups({ groups: [group] });
    assert.equal(await state(), undefined);
  });
}
