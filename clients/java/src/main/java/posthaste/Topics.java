package posthaste;

import static posthaste.Session.check;
import static posthaste.Session.failure;
import static posthaste.Session.get;
import static posthaste.Session.same;
import static posthaste.Session.until;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Topics through Admin: create, describe, extend, delete; the cluster's own description. */
final class Topics {
    static final Map<String, Main.Scenario> SCENARIOS = Map.of(
            "admin_creates_describes_extends_and_deletes_topics", Topics::lifeOfATopic,
            "admin_is_told_what_is_wrong_with_a_topic", Topics::refusals,
            "the_cluster_describes_itself", Topics::cluster);

    private static void lifeOfATopic(Session session) throws Exception {
        String topic = session.topic();
        try (Admin admin = session.admin()) {
            var created = admin.createTopics(List.of(new NewTopic(topic, Optional.of(3), Optional.empty())
                    .configs(Map.of("retention.bytes", "1000000000"))));
            same(get(created.numPartitions(topic)), 3);
            Uuid id = get(created.topicId(topic));
            TopicDescription description = describe(admin, topic);
            same(description.topicId(), id);
            check(!id.equals(Uuid.ZERO_UUID), "the topic has an id");
            same(description.partitions().size(), 3);
            check(!description.isInternal(), "an ordinary topic");
            description.partitions().forEach(one -> check(one.leader() != null, "a leader of partition " + one));
            check(get(admin.listTopics().names()).contains(topic), "the topic is listed");
            get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all());
            until(() -> partitions(admin, topic) == 5, "the topic has 5 partitions");
            same(session.sendNumbers(0, 1, 4).get(0).offset(), 0L);
            get(admin.deleteTopics(List.of(topic)).all());
            until(() -> partitions(admin, topic) == 0, "the topic is gone");
            session.create(1);
            until(() -> partitions(admin, topic) == 1, "the topic is there again");
            check(!describe(admin, topic).topicId().equals(id), "a topic made again has another id");
        }
    }

    private static TopicDescription describe(Admin admin, String topic) throws Exception {
        return get(admin.describeTopics(Set.of(topic)).allTopicNames()).get(topic);
    }

    /** 0 when the topic does not exist. */
    private static int partitions(Admin admin, String topic) {
        try {
            return describe(admin, topic).partitions().size();
        } catch (Exception error) {
            check(error.getCause() instanceof UnknownTopicOrPartitionException, "describing fails with " + error);
            return 0;
        }
    }

    private static void refusals(Session session) throws Exception {
        String topic = session.topic();
        try (Admin admin = session.admin()) {
            session.create(2);
            expect(TopicExistsException.class, failure(admin.createTopics(List.of(fresh(topic, 2))).all()));
            expect(InvalidTopicException.class, failure(admin.createTopics(List.of(fresh("not a name!", 1))).all()));
            expect(InvalidPartitionsException.class, failure(admin.createTopics(List.of(fresh(topic + "-0", 0))).all()));
            expect(InvalidReplicationFactorException.class,
                    failure(admin.createTopics(List.of(new NewTopic(topic + "-3", 1, (short) 3))).all()));
            expect(InvalidPartitionsException.class,
                    failure(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all()));
            expect(UnknownTopicOrPartitionException.class, failure(admin.deleteTopics(List.of(topic + "-none")).all()));
            expect(UnknownTopicOrPartitionException.class,
                    failure(admin.createPartitions(Map.of(topic + "-none", NewPartitions.increaseTo(2))).all()));
            get(admin.createTopics(List.of(fresh(topic + "-dry", 1)), new CreateTopicsOptions().validateOnly(true)).all());
            check(!get(admin.listTopics().names()).contains(topic + "-dry"), "validate only creates nothing");
        }
    }

    private static NewTopic fresh(String name, int partitions) {
        return new NewTopic(name, Optional.of(partitions), Optional.empty());
    }

    private static void expect(Class<? extends Exception> wanted, Throwable got) {
        check(wanted.isInstance(got), "wanted " + wanted.getSimpleName() + ", got " + got);
    }

    private static void cluster(Session session) throws Exception {
        try (Admin admin = session.admin()) {
            var cluster = admin.describeCluster();
            check(!get(cluster.clusterId()).isEmpty(), "the cluster has an id");
            check(!get(cluster.nodes()).isEmpty(), "the cluster has nodes");
            String address = get(cluster.nodes()).iterator().next().host() + ":" + get(cluster.nodes()).iterator().next().port();
            same(address, session.bootstrap());
        }
    }
}
