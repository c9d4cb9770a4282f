"""Apache Kafka 4.1.1 from Maven Central, one node, KRaft: the reference that proves the scenarios right."""

import socket
import subprocess

from harness.brokers import QUICK_GROUPS, Broker
from harness.paths import CLIENTS, TARGET
from harness.toolchains import build_maven

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""" + "".join(f"{setting}\n" for setting in QUICK_GROUPS)

LOG4J_PROPERTIES = """\
appender.out.type=Console
appender.out.name=out
appender.out.target=SYSTEM_ERR
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %-5p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Kafka(Broker):
    """Its own defaults, 1 GB of heap; only what a single node needs is set."""

    name = "kafka"
    clean_status = 143

    def __init__(self, directory, extra_properties="", heap="1g"):
        super().__init__(directory)
        self.extra_properties = extra_properties
        self.heap = heap
        self.properties = directory / "server.properties"
        self.jars = TARGET / "kafka-broker" / "jars"

    def java(self, *arguments):
        return ["java", f"-Xmx{self.heap}", f"-Xms{self.heap}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
                "-cp", f"{self.jars}/*", *arguments]

    def prepare(self):
        if self.port:
            return
        build_maven(CLIENTS / "kafka-broker", self.jars)
        # The port is free now and most likely still when Kafka binds it; it cannot report one that the system chose.
        self.port = free_port()
        self.properties.write_text(PROPERTIES.format(
            port=self.port, controller_port=free_port(), data=self.directory / "data") + self.extra_properties)
        (self.directory / "log4j2.properties").write_text(LOG4J_PROPERTIES)
        subprocess.run(
            self.java("kafka.tools.StorageTool", "format", "-t", "cG9zdGhhc3RlLWNsaWVudA", "-c", str(self.properties)),
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment())

    def command(self):
        return self.java("kafka.Kafka", str(self.properties))

    def listening(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False
