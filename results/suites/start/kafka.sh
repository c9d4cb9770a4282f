#!/bin/sh
# One node of Apache Kafka with its own defaults and 1 GB of heap; further properties are arguments, as log.flush.interval.messages=1.
set -eu
home=$PEERS/kafka
java="java -Xmx1g -Xms1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35
    -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true -Dlog4j2.configurationFile=$DATA/log4j2.properties"
cat >"$DATA/log4j2.properties" <<END
appender.out.type=Console
appender.out.name=out
appender.out.target=SYSTEM_ERR
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %-5p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
END
cat >"$DATA/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$SECOND_PORT
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$SECOND_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$DATA/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# What was deleted leaves the disk before the next run; Kafka waits a minute by default.
log.segment.delete.delay.ms=1000
message.max.bytes=$RECORD_BYTES_MAX
END
for property in "$@"; do echo "$property" >>"$DATA/server.properties"; done
$java -cp "$home/jars/*" kafka.tools.StorageTool format -t cG9zdGhhc3RlLWNsaWVudA -c "$DATA/server.properties" >/dev/null
exec $java -cp "$home/jars/*" kafka.Kafka "$DATA/server.properties"
