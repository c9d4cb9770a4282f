package posthaste;

import static posthaste.Session.check;
import static posthaste.Session.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;

/** A member of a group and what it owns, `topic-partition` each; poll it, or it is thrown out. */
final class Member implements ConsumerRebalanceListener, AutoCloseable {
    final Consumer<byte[], byte[]> consumer;
    final Set<String> owned = new TreeSet<>();
    int revocations;

    Member(Session session, Map<String, Object> settings) {
        consumer = session.consumer(settings);
        consumer.subscribe(List.of(session.topic()), this);
    }

    Member(Session session, Map<String, Object> settings, SubscriptionPattern pattern) {
        consumer = session.consumer(settings);
        consumer.subscribe(pattern, this);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> added) {
        added.forEach(one -> owned.add(one.toString()));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> lost) {
        revocations += lost.isEmpty() ? 0 : 1;
        lost.forEach(one -> owned.remove(one.toString()));
    }

    @Override
    public void close() {
        consumer.close();
    }

    static void untilOwned(List<Member> members, List<Integer> counts) {
        until(() -> {
            members.forEach(member -> member.consumer.poll(Duration.ofMillis(50)));
            List<String> all = new ArrayList<>();
            members.forEach(member -> all.addAll(member.owned));
            check(Set.copyOf(all).size() == all.size(), "no partition has two owners: " + all);
            return members.stream().map(member -> member.owned.size()).toList().equals(counts);
        }, "the members own " + counts + " partitions");
    }
}
