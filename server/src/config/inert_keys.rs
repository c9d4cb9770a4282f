//! Kafka's broker configuration names that do nothing here, or would be a lie if accepted: data only.

use super::keys::{BrokerKey, Effect};
use crate::config_type::ConfigType;

macro_rules! inert_keys {
    ($($name:literal: $kind:ident $(= $default:literal)?;)*) => {
        /// The names of Kafka 4.1 that are accepted, kept and reported back; with Kafka's defaults.
        pub(super) const INERT_KEYS: &[BrokerKey] = &[$(BrokerKey {
            name: $name,
            kind: ConfigType::$kind,
            documentation: "It does nothing here.",
            effect: Effect::NotYet(default!($($default)?)),
        }),*];
    };
}

macro_rules! default {
    () => {
        None
    };
    ($default:literal) => {
        Some($default)
    };
}

macro_rules! refused_keys {
    ($($reason:literal: [$($name:literal)*];)*) => {
        /// The names that are refused, each with its reason.
        pub(super) const REFUSED_KEYS: &[BrokerKey] = &[$($(BrokerKey {
            name: $name,
            kind: ConfigType::String,
            documentation: $reason,
            effect: Effect::Refused($reason),
        },)*)*];
    };
}

refused_keys! {
    "policies do not exist here": [
        "alter.config.policy.class.name" "create.topic.policy.class.name"
    ];
    "authorization does not exist yet": [
        "authorizer.class.name"
    ];
    "use node.id": [
        "broker.id"
    ];
    "quotas do not exist here": [
        "client.quota.callback.class"
    ];
    "this broker is a single node": [
        "controller.listener.names" "controller.quorum.bootstrap.servers" "controller.quorum.voters"
    ];
    "authentication does not exist yet": [
        "delegation.token.secret.key" "principal.builder.class"
    ];
    "use --data": [
        "log.dir" "log.dirs"
    ];
    "tiered storage does not exist here": [
        "remote.log.metadata.manager.class.path" "remote.log.storage.manager.class.name" "remote.log.storage.manager.class.path"
    ];
    "SASL does not exist yet": [
        "sasl.client.callback.handler.class" "sasl.enabled.mechanisms" "sasl.jaas.config" "sasl.kerberos.kinit.cmd"
        "sasl.kerberos.min.time.before.relogin" "sasl.kerberos.principal.to.local.rules" "sasl.kerberos.service.name"
        "sasl.kerberos.ticket.renew.jitter" "sasl.kerberos.ticket.renew.window.factor" "sasl.login.callback.handler.class"
        "sasl.login.class" "sasl.login.connect.timeout.ms" "sasl.login.read.timeout.ms" "sasl.login.refresh.buffer.seconds"
        "sasl.login.refresh.min.period.seconds" "sasl.login.refresh.window.factor" "sasl.login.refresh.window.jitter"
        "sasl.login.retry.backoff.max.ms" "sasl.login.retry.backoff.ms" "sasl.mechanism.controller.protocol"
        "sasl.mechanism.inter.broker.protocol" "sasl.oauthbearer.assertion.algorithm" "sasl.oauthbearer.assertion.claim.aud"
        "sasl.oauthbearer.assertion.claim.exp.seconds" "sasl.oauthbearer.assertion.claim.iss" "sasl.oauthbearer.assertion.claim.jti.include"
        "sasl.oauthbearer.assertion.claim.nbf.seconds" "sasl.oauthbearer.assertion.claim.sub" "sasl.oauthbearer.assertion.file"
        "sasl.oauthbearer.assertion.private.key.file" "sasl.oauthbearer.assertion.private.key.passphrase"
        "sasl.oauthbearer.assertion.template.file" "sasl.oauthbearer.client.credentials.client.id"
        "sasl.oauthbearer.client.credentials.client.secret" "sasl.oauthbearer.clock.skew.seconds" "sasl.oauthbearer.expected.audience"
        "sasl.oauthbearer.expected.issuer" "sasl.oauthbearer.jwks.endpoint.refresh.ms" "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" "sasl.oauthbearer.jwks.endpoint.url" "sasl.oauthbearer.jwt.retriever.class"
        "sasl.oauthbearer.jwt.validator.class" "sasl.oauthbearer.scope" "sasl.oauthbearer.scope.claim.name"
        "sasl.oauthbearer.sub.claim.name" "sasl.oauthbearer.token.endpoint.url" "sasl.server.callback.handler.class"
        "sasl.server.max.receive.size"
    ];
    "TLS does not exist yet": [
        "ssl.allow.dn.changes" "ssl.allow.san.changes" "ssl.cipher.suites" "ssl.client.auth" "ssl.enabled.protocols"
        "ssl.endpoint.identification.algorithm" "ssl.engine.factory.class" "ssl.key.password" "ssl.keymanager.algorithm"
        "ssl.keystore.certificate.chain" "ssl.keystore.key" "ssl.keystore.location" "ssl.keystore.password" "ssl.keystore.type"
        "ssl.principal.mapping.rules" "ssl.protocol" "ssl.provider" "ssl.secure.random.implementation" "ssl.trustmanager.algorithm"
        "ssl.truststore.certificates" "ssl.truststore.location" "ssl.truststore.password" "ssl.truststore.type"
    ];
    "use listeners": [
        "port"
    ];
    "there is no ZooKeeper here": [
        "zookeeper.connect"
    ];
}

inert_keys! {
    "add.partitions.to.txn.retry.backoff.max.ms": Int = "100";
    "add.partitions.to.txn.retry.backoff.ms": Int = "20";
    "alter.log.dirs.replication.quota.window.num": Int = "11";
    "alter.log.dirs.replication.quota.window.size.seconds": Int = "1";
    "auto.leader.rebalance.enable": Boolean = "true";
    "background.threads": Int = "10";
    "broker.heartbeat.interval.ms": Int = "2000";
    "broker.rack": String;
    "broker.session.timeout.ms": Int = "9000";
    "connection.failed.authentication.delay.ms": Int = "100";
    "connections.max.reauth.ms": Long = "0";
    "controlled.shutdown.enable": Boolean = "true";
    "controller.quorum.append.linger.ms": Int = "25";
    "controller.quorum.election.backoff.max.ms": Int = "1000";
    "controller.quorum.election.timeout.ms": Int = "1000";
    "controller.quorum.fetch.timeout.ms": Int = "2000";
    "controller.quorum.request.timeout.ms": Int = "2000";
    "controller.quorum.retry.backoff.ms": Int = "20";
    "controller.quota.window.num": Int = "11";
    "controller.quota.window.size.seconds": Int = "1";
    "controller.socket.timeout.ms": Int = "30000";
    "default.replication.factor": Int = "1";
    "delegation.token.expiry.check.interval.ms": Long = "3600000";
    "delegation.token.expiry.time.ms": Long = "86400000";
    "delegation.token.max.lifetime.ms": Long = "604800000";
    "delete.records.purgatory.purge.interval.requests": Int = "1";
    "early.start.listeners": String;
    "fetch.purgatory.purge.interval.requests": Int = "1000";
    "group.consumer.assignors": List = "uniform,range";
    "group.consumer.heartbeat.interval.ms": Int = "5000";
    "group.consumer.max.heartbeat.interval.ms": Int = "15000";
    "group.consumer.max.session.timeout.ms": Int = "60000";
    "group.consumer.max.size": Int = "2147483647";
    "group.consumer.migration.policy": String = "bidirectional";
    "group.consumer.min.heartbeat.interval.ms": Int = "5000";
    "group.consumer.min.session.timeout.ms": Int = "45000";
    "group.consumer.session.timeout.ms": Int = "45000";
    "group.coordinator.append.linger.ms": Int = "5";
    "group.coordinator.rebalance.protocols": List = "classic,consumer,streams";
    "group.coordinator.threads": Int = "4";
    "group.share.assignors": List = "simple";
    "group.share.delivery.count.limit": Int = "5";
    "group.share.heartbeat.interval.ms": Int = "5000";
    "group.share.max.heartbeat.interval.ms": Int = "15000";
    "group.share.max.record.lock.duration.ms": Int = "60000";
    "group.share.max.session.timeout.ms": Int = "60000";
    "group.share.max.share.sessions": Int = "2000";
    "group.share.max.size": Int = "200";
    "group.share.min.heartbeat.interval.ms": Int = "5000";
    "group.share.min.record.lock.duration.ms": Int = "15000";
    "group.share.min.session.timeout.ms": Int = "45000";
    "group.share.partition.max.record.locks": Int = "2000";
    "group.share.record.lock.duration.ms": Int = "30000";
    "group.share.session.timeout.ms": Int = "45000";
    "group.streams.heartbeat.interval.ms": Int = "5000";
    "group.streams.max.heartbeat.interval.ms": Int = "15000";
    "group.streams.max.session.timeout.ms": Int = "60000";
    "group.streams.max.size": Int = "2147483647";
    "group.streams.max.standby.replicas": Int = "2";
    "group.streams.min.heartbeat.interval.ms": Int = "5000";
    "group.streams.min.session.timeout.ms": Int = "45000";
    "group.streams.num.standby.replicas": Int = "0";
    "group.streams.session.timeout.ms": Int = "45000";
    "initial.broker.registration.timeout.ms": Int = "60000";
    "inter.broker.listener.name": String;
    "kafka.metrics.polling.interval.secs": Int = "10";
    "kafka.metrics.reporters": List = "";
    "leader.imbalance.check.interval.seconds": Long = "300";
    "listener.security.protocol.map": String = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT";
    "log.cleaner.backoff.ms": Long = "15000";
    "log.cleaner.dedupe.buffer.size": Long = "134217728";
    "log.cleaner.enable": Boolean = "true";
    "log.cleaner.io.buffer.load.factor": Double = "0.9";
    "log.cleaner.io.buffer.size": Int = "524288";
    "log.cleaner.io.max.bytes.per.second": Double = "1.7976931348623157E308";
    "log.cleaner.threads": Int = "1";
    "log.dir.failure.timeout.ms": Long = "30000";
    "log.flush.offset.checkpoint.interval.ms": Int = "60000";
    "log.flush.scheduler.interval.ms": Long = "9223372036854775807";
    "log.flush.start.offset.checkpoint.interval.ms": Int = "60000";
    "log.roll.hours": Int = "168";
    "log.roll.jitter.hours": Int = "0";
    "max.request.partition.size.limit": Int = "2000";
    "metadata.log.dir": String;
    "metadata.log.max.record.bytes.between.snapshots": Long = "20971520";
    "metadata.log.max.snapshot.interval.ms": Long = "3600000";
    "metadata.log.segment.bytes": Int = "1073741824";
    "metadata.log.segment.ms": Long = "604800000";
    "metadata.max.idle.interval.ms": Int = "500";
    "metadata.max.retention.bytes": Long = "104857600";
    "metadata.max.retention.ms": Long = "604800000";
    "metric.reporters": List = "org.apache.kafka.common.metrics.JmxReporter";
    "metrics.num.samples": Int = "2";
    "metrics.recording.level": String = "INFO";
    "metrics.sample.window.ms": Long = "30000";
    "num.io.threads": Int = "8";
    "num.network.threads": Int = "3";
    "num.recovery.threads.per.data.dir": Int = "2";
    "num.replica.alter.log.dirs.threads": Int;
    "num.replica.fetchers": Int = "1";
    "offsets.commit.timeout.ms": Int = "5000";
    "offsets.load.buffer.size": Int = "5242880";
    "offsets.topic.compression.codec": Int = "0";
    "offsets.topic.num.partitions": Int = "50";
    "offsets.topic.replication.factor": Short = "3";
    "offsets.topic.segment.bytes": Int = "104857600";
    "process.roles": List = "broker,controller";
    "producer.id.expiration.ms": Int = "86400000";
    "producer.purgatory.purge.interval.requests": Int = "1000";
    "queued.max.request.bytes": Long = "-1";
    "queued.max.requests": Int = "500";
    "quota.window.num": Int = "11";
    "quota.window.size.seconds": Int = "1";
    "remote.fetch.max.wait.ms": Int = "500";
    "remote.list.offsets.request.timeout.ms": Long = "30000";
    "remote.log.index.file.cache.total.size.bytes": Long = "1073741824";
    "remote.log.manager.copier.thread.pool.size": Int = "10";
    "remote.log.manager.copy.max.bytes.per.second": Long = "9223372036854775807";
    "remote.log.manager.copy.quota.window.num": Int = "11";
    "remote.log.manager.copy.quota.window.size.seconds": Int = "1";
    "remote.log.manager.expiration.thread.pool.size": Int = "10";
    "remote.log.manager.fetch.max.bytes.per.second": Long = "9223372036854775807";
    "remote.log.manager.fetch.quota.window.num": Int = "11";
    "remote.log.manager.fetch.quota.window.size.seconds": Int = "1";
    "remote.log.manager.task.interval.ms": Long = "30000";
    "remote.log.manager.thread.pool.size": Int = "2";
    "remote.log.metadata.custom.metadata.max.bytes": Int = "128";
    "remote.log.metadata.manager.class.name": String = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager";
    "remote.log.metadata.manager.impl.prefix": String = "rlmm.config.";
    "remote.log.metadata.manager.listener.name": String;
    "remote.log.reader.max.pending.tasks": Int = "100";
    "remote.log.reader.threads": Int = "10";
    "remote.log.storage.manager.impl.prefix": String = "rsm.config.";
    "remote.log.storage.system.enable": Boolean = "false";
    "replica.fetch.backoff.ms": Int = "1000";
    "replica.fetch.max.bytes": Int = "1048576";
    "replica.fetch.min.bytes": Int = "1";
    "replica.fetch.response.max.bytes": Int = "10485760";
    "replica.fetch.wait.max.ms": Int = "500";
    "replica.high.watermark.checkpoint.interval.ms": Long = "5000";
    "replica.lag.time.max.ms": Long = "30000";
    "replica.selector.class": String;
    "replica.socket.receive.buffer.bytes": Int = "65536";
    "replica.socket.timeout.ms": Int = "30000";
    "replication.quota.window.num": Int = "11";
    "replication.quota.window.size.seconds": Int = "1";
    "request.timeout.ms": Int = "30000";
    "security.inter.broker.protocol": String = "PLAINTEXT";
    "security.providers": String;
    "share.coordinator.append.linger.ms": Int = "5";
    "share.coordinator.load.buffer.size": Int = "5242880";
    "share.coordinator.snapshot.update.records.per.snapshot": Int = "500";
    "share.coordinator.state.topic.compression.codec": Int = "0";
    "share.coordinator.state.topic.min.isr": Short = "2";
    "share.coordinator.state.topic.num.partitions": Int = "50";
    "share.coordinator.state.topic.replication.factor": Short = "3";
    "share.coordinator.state.topic.segment.bytes": Int = "104857600";
    "share.coordinator.threads": Int = "1";
    "share.coordinator.write.timeout.ms": Int = "5000";
    "share.fetch.purgatory.purge.interval.requests": Int = "1000";
    "socket.connection.setup.timeout.max.ms": Long = "30000";
    "socket.connection.setup.timeout.ms": Long = "10000";
    "socket.listen.backlog.size": Int = "50";
    "socket.receive.buffer.bytes": Int = "102400";
    "socket.send.buffer.bytes": Int = "102400";
    "telemetry.max.bytes": Int = "1048576";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int = "10000";
    "transaction.remove.expired.transaction.cleanup.interval.ms": Int = "3600000";
    "transaction.state.log.load.buffer.size": Int = "5242880";
    "transaction.state.log.min.isr": Int = "2";
    "transaction.state.log.num.partitions": Int = "50";
    "transaction.state.log.replication.factor": Short = "3";
    "transaction.state.log.segment.bytes": Int = "104857600";
    "transaction.two.phase.commit.enable": Boolean = "false";
}
