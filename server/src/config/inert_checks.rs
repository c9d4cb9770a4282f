//! What Kafka's keys that do nothing here take beside their type: data only, so that a value which Kafka would refuse is refused here.

use crate::topic_config::Check;

/// The keys of each check, as of Kafka 4.1.
pub(super) const INERT_CHECKS: &[(Check, &[&str])] = &[
    (
        Check::Integer(1, i64::MAX),
        &[
            "add.partitions.to.txn.retry.backoff.ms",
            "alter.log.dirs.replication.quota.window.num",
            "alter.log.dirs.replication.quota.window.size.seconds",
            "background.threads",
            "controller.quota.window.num",
            "controller.quota.window.size.seconds",
            "delegation.token.expiry.check.interval.ms",
            "delegation.token.expiry.time.ms",
            "delegation.token.max.lifetime.ms",
            "group.coordinator.threads",
            "group.share.heartbeat.interval.ms",
            "group.share.max.heartbeat.interval.ms",
            "group.share.max.session.timeout.ms",
            "group.share.max.share.sessions",
            "group.share.min.heartbeat.interval.ms",
            "group.share.min.session.timeout.ms",
            "group.share.session.timeout.ms",
            "group.streams.heartbeat.interval.ms",
            "group.streams.max.heartbeat.interval.ms",
            "group.streams.max.session.timeout.ms",
            "group.streams.max.size",
            "group.streams.min.heartbeat.interval.ms",
            "group.streams.min.session.timeout.ms",
            "group.streams.session.timeout.ms",
            "kafka.metrics.polling.interval.secs",
            "leader.imbalance.check.interval.seconds",
            "log.dir.failure.timeout.ms",
            "log.roll.hours",
            "max.request.partition.size.limit",
            "metadata.log.max.record.bytes.between.snapshots",
            "metrics.num.samples",
            "metrics.sample.window.ms",
            "num.io.threads",
            "num.network.threads",
            "num.recovery.threads.per.data.dir",
            "offsets.commit.timeout.ms",
            "offsets.load.buffer.size",
            "offsets.topic.num.partitions",
            "offsets.topic.replication.factor",
            "offsets.topic.segment.bytes",
            "producer.id.expiration.ms",
            "queued.max.requests",
            "quota.window.num",
            "quota.window.size.seconds",
            "remote.fetch.max.wait.ms",
            "remote.list.offsets.request.timeout.ms",
            "remote.log.index.file.cache.total.size.bytes",
            "remote.log.manager.copier.thread.pool.size",
            "remote.log.manager.copy.max.bytes.per.second",
            "remote.log.manager.copy.quota.window.num",
            "remote.log.manager.copy.quota.window.size.seconds",
            "remote.log.manager.expiration.thread.pool.size",
            "remote.log.manager.fetch.max.bytes.per.second",
            "remote.log.manager.fetch.quota.window.num",
            "remote.log.manager.fetch.quota.window.size.seconds",
            "remote.log.manager.task.interval.ms",
            "remote.log.manager.thread.pool.size",
            "remote.log.reader.max.pending.tasks",
            "remote.log.reader.threads",
            "replication.quota.window.num",
            "replication.quota.window.size.seconds",
            "share.coordinator.load.buffer.size",
            "share.coordinator.state.topic.min.isr",
            "share.coordinator.state.topic.num.partitions",
            "share.coordinator.state.topic.replication.factor",
            "share.coordinator.state.topic.segment.bytes",
            "share.coordinator.threads",
            "share.coordinator.write.timeout.ms",
            "socket.listen.backlog.size",
            "telemetry.max.bytes",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            "transaction.remove.expired.transaction.cleanup.interval.ms",
            "transaction.state.log.load.buffer.size",
            "transaction.state.log.min.isr",
            "transaction.state.log.num.partitions",
            "transaction.state.log.replication.factor",
            "transaction.state.log.segment.bytes",
        ],
    ),
    (
        Check::Integer(0, i64::MAX),
        &[
            "add.partitions.to.txn.retry.backoff.max.ms",
            "connection.failed.authentication.delay.ms",
            "controller.quorum.append.linger.ms",
            "controller.quorum.election.backoff.max.ms",
            "controller.quorum.election.timeout.ms",
            "controller.quorum.fetch.timeout.ms",
            "controller.quorum.request.timeout.ms",
            "controller.quorum.retry.backoff.ms",
            "group.coordinator.append.linger.ms",
            "group.streams.max.standby.replicas",
            "group.streams.num.standby.replicas",
            "log.cleaner.backoff.ms",
            "log.cleaner.io.buffer.size",
            "log.cleaner.threads",
            "log.flush.offset.checkpoint.interval.ms",
            "log.flush.start.offset.checkpoint.interval.ms",
            "log.roll.jitter.hours",
            "metadata.log.max.snapshot.interval.ms",
            "metadata.max.idle.interval.ms",
            "remote.log.metadata.custom.metadata.max.bytes",
            "replica.fetch.backoff.ms",
            "replica.fetch.max.bytes",
            "replica.fetch.response.max.bytes",
            "share.coordinator.append.linger.ms",
            "share.coordinator.snapshot.update.records.per.snapshot",
        ],
    ),
    (
        Check::NotEmpty,
        &[
            "remote.log.metadata.manager.class.name",
            "remote.log.metadata.manager.impl.prefix",
            "remote.log.metadata.manager.listener.name",
            "remote.log.storage.manager.impl.prefix",
        ],
    ),
    (Check::ListOf(&["consumer", "classic", "share", "streams"]), &["group.coordinator.rebalance.protocols"]),
    (Check::Integer(2, 10), &["group.share.delivery.count.limit"]),
    (Check::Integer(30_000, 3_600_000), &["group.share.max.record.lock.duration.ms"]),
    (Check::Integer(1, 1_000), &["group.share.max.size"]),
    (Check::Integer(1_000, 30_000), &["group.share.min.record.lock.duration.ms"]),
    (Check::Integer(100, 10_000), &["group.share.partition.max.record.locks"]),
    (Check::Integer(1_000, 3_600_000), &["group.share.record.lock.duration.ms"]),
    (Check::Integer(8_388_608, i64::MAX), &["metadata.log.segment.bytes"]),
    (Check::ListOf(&["broker", "controller"]), &["process.roles"]),
    (Check::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), &["security.inter.broker.protocol"]),
];

/// What a key takes.
pub(super) fn inert_check(name: &str) -> Check {
    INERT_CHECKS.iter().find(|(_, names)| names.contains(&name)).map_or(Check::Any, |(check, _)| *check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Effect, KeyValue, Settings, broker_key};

    #[test]
    fn each_is_an_inert_key_once_and_its_default_passes() {
        let mut names: Vec<&str> = INERT_CHECKS.iter().flat_map(|(_, names)| *names).copied().collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for name in names {
            let key = broker_key(name).unwrap();
            let Effect::NotYet(default) = key.effect else { panic!("{name} acts") };
            assert_eq!(default.and_then(|default| inert_check(name).refusal(name, default)), None, "{name}");
        }
    }

    #[test]
    fn what_kafka_refuses_is_refused_with_its_words() {
        let refused = |name: &str, value: &str| {
            let key = KeyValue { name: name.to_owned(), value: value.to_owned() };
            Settings::default().apply(&[key]).unwrap_err().to_string()
        };
        for (name, value, reason) in [
            ("num.network.threads", "0", "Value must be at least 1"),
            ("group.share.max.size", "1001", "Value must be no more than 1000"),
            ("remote.log.storage.manager.impl.prefix", " ", "String must be non-empty"),
            (
                "security.inter.broker.protocol",
                "TLS",
                "String must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
            ),
        ] {
            let value_told = value.trim();
            assert_eq!(refused(name, value), format!("Invalid value {value_told} for configuration {name}: {reason}"));
        }
    }
}
