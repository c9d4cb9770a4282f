package posthaste;

import static posthaste.Member.untilOwned;
import static posthaste.Session.check;
import static posthaste.Session.number;
import static posthaste.Session.same;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.TopicPartition;

/** Classic consumer groups: rebalances of every assignor, static members, committed restarts. */
final class Groups {
    static final Map<String, Main.Scenario> SCENARIOS = Map.of(
            "a_second_member_shares_and_gives_back[default]", session -> twoMembers(session, Map.of()),
            "a_second_member_shares_and_gives_back[range]", session -> twoMembers(session, assignor(RangeAssignor.class)),
            "a_second_member_shares_and_gives_back[roundrobin]",
            session -> twoMembers(session, assignor(RoundRobinAssignor.class)),
            "a_second_member_shares_and_gives_back[sticky]",
            session -> twoMembers(session, assignor(StickyAssignor.class)),
            "a_second_member_shares_and_gives_back[cooperative]",
            session -> twoMembers(session, assignor(CooperativeStickyAssignor.class)),
            "a_static_member_returns_without_a_rebalance", Groups::staticMember,
            "a_consumer_goes_on_at_its_committed_offset", Groups::committedRestart,
            "restart-1:commit_part_way", session -> commitPartWay(session, 1_000, 400),
            "restart-2:expect_the_rest", session -> expectTheRest(session, 1_000, 400));

    private static Map<String, Object> assignor(Class<?> one) {
        return Map.of("partition.assignment.strategy", one.getName());
    }

    private static void twoMembers(Session session, Map<String, Object> settings) throws Exception {
        session.create(4);
        try (Member first = new Member(session, settings)) {
            untilOwned(List.of(first), List.of(4));
            try (Member second = new Member(session, settings)) {
                untilOwned(List.of(first, second), List.of(2, 2));
                Set<String> both = new TreeSet<>(first.owned);
                both.addAll(second.owned);
                same(both, Set.of(session.at(0).toString(), session.at(1).toString(), session.at(2).toString(), session.at(3).toString()));
            }
            untilOwned(List.of(first), List.of(4));
        }
    }

    private static void staticMember(Session session) throws Exception {
        session.create(4);
        try (Member stays = new Member(session, Map.of("group.instance.id", "stays"))) {
            Set<String> owned;
            int revocations;
            try (Member returns = new Member(session, Map.of("group.instance.id", "returns"))) {
                untilOwned(List.of(stays, returns), List.of(2, 2));
                owned = Set.copyOf(returns.owned);
                revocations = stays.revocations;
            }
            try (Member returns = new Member(session, Map.of("group.instance.id", "returns"))) {
                untilOwned(List.of(stays, returns), List.of(2, 2));
                same(returns.owned, owned);
                check(stays.revocations == revocations, "the other member is not disturbed");
            }
        }
    }

    private static void committedRestart(Session session) throws Exception {
        commitPartWay(session, 1_000, 400);
        expectTheRest(session, 1_000, 400);
    }

    private static void commitPartWay(Session session, int count, int stopAt) throws Exception {
        session.sendNumbers(0, count, 0);
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of("max.poll.records", 100))) {
            consumer.subscribe(List.of(session.topic()));
            List<ConsumerRecord<byte[], byte[]>> got = session.read(consumer, stopAt);
            same(got.size(), stopAt);
            Map<TopicPartition, OffsetAndMetadata> wanted =
                    Map.of(session.at(0), new OffsetAndMetadata(stopAt, "half way"));
            consumer.commitSync(wanted);
            same(consumer.committed(Set.of(session.at(0))).get(session.at(0)).metadata(), "half way");
        }
    }

    private static void expectTheRest(Session session, int count, int startAt) {
        try (Consumer<byte[], byte[]> consumer = session.consumer(Map.of())) {
            consumer.subscribe(List.of(session.topic()));
            List<Integer> wanted = new ArrayList<>();
            for (int number = startAt; number < count; number++) {
                wanted.add(number);
            }
            same(session.read(consumer, count - startAt).stream().map(Session::number).collect(Collectors.toList()),
                    wanted);
        }
    }
}
