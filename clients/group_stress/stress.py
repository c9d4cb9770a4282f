"""Runs the program against a broker of its own, kills and restarts that when the program says so, and hands on what it prints."""

import subprocess

from harness.brokers import Posthaste
from harness.kafka import Kafka
from harness.paths import CLIENTS
from harness.toolchains import build_go

RETENTION_MINUTES = 2
# What both brokers are set to: many clients, short sessions in the short form, and offsets that expire while somebody looks.
SETTINGS = {
    "group.min.session.timeout.ms": "1000",
    "offsets.retention.minutes": str(RETENTION_MINUTES),
    "offsets.retention.check.interval.ms": "1000",
}


class Form:
    """How hard the stress is: options of the program, and the session that it takes its members to have."""

    def __init__(self, session_seconds, *options):
        self.options = ["-session", f"{session_seconds}s", *options]
        # In the consumer protocol it is the broker that sets the session.
        session_ms = str(1000 * session_seconds)
        self.settings = {**SETTINGS, "group.consumer.min.session.timeout.ms": session_ms, "group.consumer.session.timeout.ms": session_ms}


SHORT = Form(2, "-groups", "10", "-members", "5", "-topics", "2", "-partitions", "8", "-archive", "100", "-records", "80", "-seconds", "6s",
             "-kills", "1", "-rebalance", "8s", "-pace", "1s", "-commit", "300ms")
LONG = Form(6, "-retention", f"{RETENTION_MINUTES}m")


class Stressed(Posthaste):
    """Our broker with the settings of a form, and room for the connections of 2,000 clients."""

    def __init__(self, directory, binary, form, listeners="shared"):
        super().__init__(directory, binary, listeners)
        self.form = form

    def command(self):
        settings = [f"--set={name}={value}" for name, value in {**self.form.settings, "max.connections": "20000"}.items()]
        return [*super().command(), *settings]


def build():
    return build_go(CLIENTS / "group_stress")


def stressed_kafka(directory, form):
    return Kafka(directory, "".join(f"{name}={value}\n" for name, value in form.settings.items()))


def like(broker, directory, form):
    """A broker of the same kind as the one under test, with the settings of a form."""
    if broker.name == "kafka":
        return stressed_kafka(directory, form)
    return Stressed(directory, broker.binary, form, broker.listeners)


def stress(broker, options, say):
    """Whether nothing was wrong; every line that the program prints is said."""
    command = [str(build()), "stress", "-bootstrap", broker.bootstrap, *options]
    program = subprocess.Popen(command, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for line in program.stdout:
            if line.strip() != "kill":
                say(line.rstrip())
                continue
            broker.kill()
            broker.start()
            program.stdin.write("up\n")
            program.stdin.flush()
        return program.wait() == 0
    finally:
        program.kill()
        program.wait()
