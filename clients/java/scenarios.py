"""The Java client (Maven Central): a JVM a scenario; the claims themselves are in src/main/java."""

import subprocess

from harness.paths import CLIENTS, TARGET
from harness.scenarios import scenario
from harness.toolchains import build_maven

JARS = TARGET / "java-build" / "jars"
CLASSES = TARGET / "java-build" / "classes"


def java(*arguments):
    command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{CLASSES}:{JARS}/*", "posthaste.Main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4_000:]}"
    return done.stdout


def claims():
    """The names that Main knows; those with a prefix are parts of scenarios, slow, or claims about our broker alone."""
    build_maven(CLIENTS / "java", JARS)
    return java().split()


def run_in_jvm(context, name):
    java(name, context.bootstrap, context.topic)


def register():
    for name in claims():
        prefix, _, claim = name.rpartition(":")
        if prefix.startswith("restart"):
            continue

        def run(context, name=name):
            run_in_jvm(context, name)

        run.__name__ = claim
        if prefix == "tier-2":
            scenario(tier=2)(run)
        else:
            scenario(only=prefix)(run)


register()


@scenario(restarts=True, each=["sigterm", "sigkill"])
def a_consumer_goes_on_at_its_committed_offset_after_a_broker(context, signal):
    run_in_jvm(context, "restart-1:commit_part_way")
    if signal == "sigterm":
        context.broker.stop()
    else:
        context.broker.kill()
    context.broker.start()
    run_in_jvm(context, "restart-2:expect_the_rest")


@scenario(restarts=True, each=["sigterm", "sigkill"])
def a_producer_takes_over_its_open_transaction_after_a_broker(context, signal):
    run_in_jvm(context, "restart-3:leave_a_transaction_open")
    if signal == "sigterm":
        context.broker.stop()
    else:
        context.broker.kill()
    context.broker.start()
    run_in_jvm(context, "restart-4:take_over_and_commit")
