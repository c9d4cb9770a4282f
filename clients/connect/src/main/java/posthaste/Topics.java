package posthaste;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;

/** Topics and their configurations, given as {@code name=value}. */
final class Topics {
    private Topics() {}

    static void create(String bootstrap, String name, int partitions, List<String> configs) throws Exception {
        Map<String, String> values = new HashMap<>();
        configs.forEach(one -> values.put(key(one), value(one)));
        try (Admin admin = admin(bootstrap)) {
            admin.createTopics(List.of(new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(values))).all().get();
        }
    }

    static void alter(String bootstrap, String name, int partitions, List<String> configs) throws Exception {
        Collection<AlterConfigOp> edits = configs.stream()
                .map(one -> new AlterConfigOp(new ConfigEntry(key(one), value(one)), AlterConfigOp.OpType.SET)).toList();
        try (Admin admin = admin(bootstrap)) {
            admin.incrementalAlterConfigs(Map.of(resource(name), edits)).all().get();
            admin.createPartitions(Map.of(name, NewPartitions.increaseTo(partitions))).all().get();
        }
    }

    static void expectConfigs(String bootstrap, String name, int partitions, List<String> configs) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            Until.nothingIsWrong(() -> difference(admin, name, partitions, configs));
        }
    }

    private static String difference(Admin admin, String name, int partitions, List<String> configs) throws Exception {
        int found = admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size();
        var described = admin.describeConfigs(List.of(resource(name))).all().get().get(resource(name));
        List<String> wrong = new ArrayList<>();
        if (found != partitions) {
            wrong.add(found + " partitions");
        }
        for (String one : configs) {
            if (!value(one).equals(described.get(key(one)).value())) {
                wrong.add(one + " is " + described.get(key(one)).value());
            }
        }
        return wrong.isEmpty() ? null : name + ": " + wrong;
    }

    /** Each is given as {@code topic=partitions}. */
    static void expectInternal(String bootstrap, List<String> topics) throws Exception {
        for (String one : topics) {
            expectConfigs(bootstrap, key(one), Integer.parseInt(value(one)), List.of("cleanup.policy=compact"));
        }
    }

    /** There are these topics and no other that ends with the name. */
    static void expectNames(String bootstrap, String end, List<String> wanted) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            Set<String> names = admin.listTopics().names().get().stream().filter(one -> one.endsWith(end)).collect(Collectors.toCollection(TreeSet::new));
            if (!names.equals(new TreeSet<>(wanted))) {
                throw new AssertionError("wanted " + wanted + ", found " + names);
            }
        }
    }

    static Admin admin(String bootstrap) {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private static String key(String config) {
        return config.substring(0, config.indexOf('='));
    }

    private static String value(String config) {
        return config.substring(config.indexOf('=') + 1);
    }
}
