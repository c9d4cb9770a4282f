// What an administrator does to topics.
import assert from "node:assert/strict";
import { create, enlarge, numbered, readTopic, send, topic, until, withAdmin } from "./session.js";

export async function topics_are_made_described_enlarged_and_deleted() {
  await create(2);
  await withAdmin(async (admin) => {
    const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] }))[0].partitions.length;
    await until("two partitions", async () => (await partitions()) === 2);
    assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }), false, "it is there already");
    await enlarge(3);
    await until("three partitions", async () => (await partitions()) === 3);
    await admin.deleteTopics({ topics: [topic] });
    await until("deleted", async () => !(await admin.listTopics()).includes(topic));
  });
}

export async function deleted_records_are_gone_for_every_reader() {
  await create(1);
  await send(numbered(100));
  await withAdmin(async (admin) => {
    const [deleted] = await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "40" }] });
    assert.equal(deleted.lowWatermark, 40);
    const [ends] = await admin.fetchTopicOffsets(topic);
    assert.deepEqual([ends.low, ends.high], ["40", "100"]);
  });
  assert.equal((await readTopic(60))[0].offset, "40");
}
