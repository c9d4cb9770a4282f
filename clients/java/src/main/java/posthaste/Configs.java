package posthaste;

import static posthaste.Session.check;
import static posthaste.Session.failure;
import static posthaste.Session.get;
import static posthaste.Session.same;
import static posthaste.Session.until;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;

/** Configurations and space through Admin: settings changed live, records deleted, and what readers are told then. */
final class Configs {
    static final Map<String, Main.Scenario> SCENARIOS = Map.of(
            "admin_changes_settings_of_topic_and_broker_live", Configs::settings,
            "deleted_records_are_gone_for_every_reader", Configs::deletedRecords);

    private static void settings(Session session) throws Exception {
        session.create(1);
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, session.topic());
        try (Admin admin = session.admin()) {
            String before = entry(admin, topic, "retention.ms").value();
            same(entry(admin, topic, "retention.ms").source(), ConfigEntry.ConfigSource.DEFAULT_CONFIG);
            alter(admin, topic, op("retention.ms", "3600000", OpType.SET), op("cleanup.policy", "compact", OpType.APPEND));
            until(() -> entry(admin, topic, "retention.ms").value().equals("3600000"), "the new value is there");
            same(entry(admin, topic, "retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG);
            same(entry(admin, topic, "retention.ms").type(), ConfigEntry.ConfigType.LONG);
            same(entry(admin, topic, "cleanup.policy").type(), ConfigEntry.ConfigType.LIST);
            check(entry(admin, topic, "cleanup.policy").value().contains("compact"), "compact was added");
            alter(admin, topic, op("retention.ms", null, OpType.DELETE), op("cleanup.policy", "compact", OpType.SUBTRACT));
            until(() -> entry(admin, topic, "cleanup.policy").value().equals("delete"), "compact is gone");
            same(entry(admin, topic, "retention.ms").value(), before);
            Throwable refused = failure(admin.incrementalAlterConfigs(
                    Map.of(topic, List.of(op("retention.ms", "soon", OpType.SET)))).all());
            check(refused instanceof InvalidConfigurationException, "refused with " + refused);

            int node = get(admin.describeCluster().nodes()).iterator().next().id();
            ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "" + node);
            alter(admin, broker, op("message.max.bytes", "2000000", OpType.SET));
            until(() -> entry(admin, broker, "message.max.bytes").value().equals("2000000"), "the broker's new value");
            until(() -> entry(admin, topic, "max.message.bytes").value().equals("2000000"), "topics have it by default");
            alter(admin, broker, op("message.max.bytes", null, OpType.DELETE));
            until(() -> !entry(admin, topic, "max.message.bytes").value().equals("2000000"), "the old default is back");
        }
    }

    private static AlterConfigOp op(String name, String value, OpType type) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    private static void alter(Admin admin, ConfigResource resource, AlterConfigOp... operations) throws Exception {
        get(admin.incrementalAlterConfigs(Map.of(resource, List.of(operations))).all());
    }

    private static ConfigEntry entry(Admin admin, ConfigResource resource, String name) {
        try {
            return get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(name);
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private static void deletedRecords(Session session) throws Exception {
        session.create(1);
        session.sendNumbers(0, 100, 0);
        var partition = session.at(0);
        try (Admin admin = session.admin(); Consumer<byte[], byte[]> reader = session.consumer(Map.of())) {
            same(get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(40))).lowWatermarks()
                    .get(partition)).lowWatermark(), 40L);
            Throwable refused = failure(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(101))).all());
            check(refused instanceof OffsetOutOfRangeException, "refused with " + refused);
            same(get(admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).partitionResult(partition)).offset(), 40L);
            reader.assign(List.of(partition));
            reader.seek(partition, 5);
            same(session.read(reader, 60).get(0).offset(), 40L);
            get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).all());
            same(get(admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).partitionResult(partition)).offset(), 100L);
        }
    }
}
