package posthaste;

import static posthaste.Member.untilOwned;
import static posthaste.Session.check;
import static posthaste.Session.get;
import static posthaste.Session.same;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;

/** Groups of the consumer protocol (KIP-848), in which the broker assigns. */
final class ConsumerGroups {
    static final Map<String, Main.Scenario> SCENARIOS = Map.of(
            "a_second_consumer_shares_and_gives_back[uniform]", session -> twoConsumers(session, "uniform"),
            "a_second_consumer_shares_and_gives_back[range]", session -> twoConsumers(session, "range"),
            "tier-2:a_static_consumer_returns_to_what_it_had", ConsumerGroups::staticConsumer,
            "tier-2:a_consumer_reads_topics_of_a_pattern_and_those_that_come_later", ConsumerGroups::pattern,
            "a_consumer_of_the_new_protocol_goes_on_at_its_committed_offset", ConsumerGroups::committed,
            "administrators_see_a_group_of_consumers", ConsumerGroups::described,
            "tier-2:a_classic_group_is_upgraded_and_downgraded_online", ConsumerGroups::migrated);

    private static final Map<String, Object> NEW = Map.of("group.protocol", "consumer");

    private static Map<String, Object> with(String name, Object value) {
        Map<String, Object> settings = new HashMap<>(NEW);
        settings.put(name, value);
        return settings;
    }

    private static void twoConsumers(Session session, String assignor) throws Exception {
        session.create(4);
        Map<String, Object> settings = with("group.remote.assignor", assignor);
        try (Member first = new Member(session, settings)) {
            untilOwned(List.of(first), List.of(4));
            try (Member second = new Member(session, settings)) {
                untilOwned(List.of(first, second), List.of(2, 2));
                check(first.revocations == 1, "the first gave up what it had to in one go");
            }
            untilOwned(List.of(first), List.of(4));
        }
    }

    private static void staticConsumer(Session session) throws Exception {
        session.create(4);
        try (Member stays = new Member(session, with("group.instance.id", "stays"))) {
            Set<String> owned;
            int revocations;
            try (Member returns = new Member(session, with("group.instance.id", "returns"))) {
                untilOwned(List.of(stays, returns), List.of(2, 2));
                owned = Set.copyOf(returns.owned);
                revocations = stays.revocations;
            }
            try (Member returns = new Member(session, with("group.instance.id", "returns"))) {
                untilOwned(List.of(stays, returns), List.of(2, 2));
                same(returns.owned, owned);
                check(stays.revocations == revocations, "the other member is not disturbed");
            }
        }
    }

    private static void pattern(Session session) throws Exception {
        try (Admin admin = session.admin()) {
            get(admin.createTopics(List.of(topic(session, "orders-1"), topic(session, "orders-2"), topic(session, "notes"))).all());
            try (Member member = new Member(session, NEW, new SubscriptionPattern(session.topic() + "-orders-.*"))) {
                untilOwned(List.of(member), List.of(2));
                get(admin.createTopics(List.of(topic(session, "orders-3"))).all());
                untilOwned(List.of(member), List.of(3));
            }
        }
    }

    private static NewTopic topic(Session session, String suffix) {
        return new NewTopic(session.topic() + "-" + suffix, Optional.of(1), Optional.empty());
    }

    private static void committed(Session session) throws Exception {
        session.sendNumbers(0, 1_000, 0);
        try (Consumer<byte[], byte[]> consumer = session.consumer(with("max.poll.records", 100))) {
            consumer.subscribe(List.of(session.topic()));
            same(session.read(consumer, 400).size(), 400);
            consumer.commitSync();
        }
        try (Consumer<byte[], byte[]> consumer = session.consumer(NEW)) {
            consumer.subscribe(List.of(session.topic()));
            same(session.read(consumer, 600).stream().map(Session::number).findFirst(), Optional.of(400));
        }
    }

    private static void described(Session session) throws Exception {
        session.create(2);
        String group = session.topic() + "-group";
        try (Admin admin = session.admin(); Member member = new Member(session, NEW)) {
            untilOwned(List.of(member), List.of(2));
            ConsumerGroupDescription described = describe(admin, group);
            same(described.type(), GroupType.CONSUMER);
            same(described.groupState(), GroupState.STABLE);
            same(described.groupEpoch(), Optional.of(1));
            same(described.targetAssignmentEpoch(), Optional.of(1));
            same(described.partitionAssignor(), "uniform");
            same(described.members().size(), 1);
            described.members().forEach(one -> {
                same(one.memberEpoch(), Optional.of(1));
                same(one.upgraded(), Optional.of(true));
                same(one.assignment().topicPartitions(), Set.of(session.at(0), session.at(1)));
                same(one.targetAssignment().orElseThrow().topicPartitions(), Set.of(session.at(0), session.at(1)));
            });
            check(get(admin.listGroups().all()).stream()
                    .anyMatch(one -> one.groupId().equals(group) && one.type().equals(Optional.of(GroupType.CONSUMER))), "it is listed");
        }
        try (Admin admin = session.admin()) {
            ConsumerGroupDescription described = describe(admin, group);
            same(described.groupState(), GroupState.EMPTY);
            get(admin.deleteConsumerGroups(List.of(group)).all());
        }
    }

    private static ConsumerGroupDescription describe(Admin admin, String group) throws Exception {
        return get(admin.describeConsumerGroups(List.of(group)).all()).get(group);
    }

    private static void migrated(Session session) throws Exception {
        session.create(4);
        Map<String, Object> classic = Map.of("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        try (Member old = new Member(session, classic)) {
            untilOwned(List.of(old), List.of(4));
            try (Member consumer = new Member(session, NEW)) {
                untilOwned(List.of(old, consumer), List.of(2, 2));
            }
            untilOwned(List.of(old), List.of(4));
        }
    }
}
