// What an administrator does to topics.
import assert from "node:assert/strict";
import { ConfigResourceTypes, ConfigSources, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import { create, numbered, readTopic, says, send, topic, until, withAdmin } from "./session.js";

export async function topics_are_made_described_enlarged_and_deleted() {
  await create(2);
  await withAdmin(async (admin) => {
    const partitions = async () => (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount;
    await until("two partitions", async () => (await partitions()) === 2);
    await assert.rejects(admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }), says("TOPIC_ALREADY_EXISTS"));
    await admin.createPartitions({ topics: [{ name: topic, count: 3 }] });
    await until("three partitions", async () => (await partitions()) === 3);
    const held = async () => {
      const brokers = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0, 1, 2] }] });
      return brokers.flatMap((broker) => broker.results).flatMap((one) => one.topics).filter((one) => one.name === topic).flatMap((one) => one.partitions);
    };
    await until("three logs", async () => (await held()).length === 3);
    assert.deepEqual((await held()).map((one) => one.partitionIndex).toSorted(), [0, 1, 2]);
    await admin.deleteTopics({ topics: [topic] });
    await until("deleted", async () => !(await admin.listTopics()).includes(topic));
  });
}

export async function topic_settings_change_live_and_say_where_they_come_from() {
  await create(1);
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic };
  const { SET, APPEND, DELETE } = IncrementalAlterConfigOperationTypes;
  await withAdmin(async (admin) => {
    const setting = async (name) => {
      const [told] = await admin.describeConfigs({ resources: [{ ...resource, configurationKeys: [name] }], includeSynonyms: true });
      return told.configs.find((one) => one.name === name);
    };
    const alter = (configs, validateOnly = false) => admin.incrementalAlterConfigs({ resources: [{ ...resource, configs }], validateOnly });
    const before = await setting("retention.ms");
    assert.equal(before.configSource, ConfigSources.DEFAULT_CONFIG);
    await alter([{ name: "retention.ms", configOperation: SET, value: "3600000" }], true);
    assert.equal((await setting("retention.ms")).value, before.value, "validated only");
    await alter([{ name: "retention.ms", configOperation: SET, value: "3600000" }, { name: "cleanup.policy", configOperation: APPEND, value: "compact" }]);
    await until("the new value", async () => (await setting("retention.ms")).value === "3600000");
    assert.equal((await setting("retention.ms")).configSource, ConfigSources.DYNAMIC_TOPIC_CONFIG);
    assert.deepEqual((await setting("cleanup.policy")).value.split(",").toSorted(), ["compact", "delete"]);
    await alter([{ name: "retention.ms", configOperation: DELETE }]);
    await until("the default again", async () => (await setting("retention.ms")).value === before.value);
    // The old way: what is not named goes back to its default.
    await admin.alterConfigs({ resources: [{ ...resource, configs: [{ name: "retention.ms", value: "7200000" }] }], validateOnly: false });
    await until("the other value", async () => (await setting("retention.ms")).value === "7200000");
    assert.equal((await setting("cleanup.policy")).value, "delete");
    await assert.rejects(alter([{ name: "retention.ms", configOperation: SET, value: "soon" }]), says("INVALID_CONFIG"));
  });
}

export async function deleted_records_are_gone_for_every_reader() {
  await create(1);
  await send(numbered(100));
  const [deleted] = await withAdmin((admin) => admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 40n }] }] }));
  assert.equal(deleted.partitions[0].lowWatermark, 40n);
  assert.equal((await readTopic(60))[0].offset, 40n);
  // In the middle of what was deleted: the reader goes on where the log begins.
  const [first] = await readTopic(60, { mode: "manual", fallbackMode: "earliest", offsets: [{ topic, partition: 0, offset: 5n }] });
  assert.equal(first.offset, 40n);
}
