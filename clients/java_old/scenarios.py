"""Old Java clients (Maven Central): one program, compiled and run with each version."""

from harness.paths import CLIENTS, TARGET
from harness.programs import CLAIMS, TRANSACTIONS, complete, start
from harness.scenarios import scenario
from harness.toolchains import build_maven

# The first whose consumer is polled with a Duration; the last of 2.x; the last of 3.x.
VERSIONS = ["2.0.1", "2.8.2", "3.9.1"]


def program(version):
    place = TARGET / "java_old-build" / version
    build_maven(CLIENTS / "java_old", place / "jars", version)
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{place / 'classes'}:{place / 'jars'}/*", "posthaste.Claims"]


def declare(claim):
    def run(context, version):
        complete(start(program(version), claim, context))

    run.__name__, run.__module__ = claim, __name__
    scenario(tier=2, each=VERSIONS)(run)


for name in ["records_of_every_kind_come_back", *CLAIMS, TRANSACTIONS]:
    declare(name)


@scenario(tier=2, restarts=True, each=VERSIONS)
def a_restart_loses_and_repeats_nothing(context, version):
    running = start(program(version), "a_restart_loses_and_repeats_nothing", context)
    assert running.stdout.readline().strip() == "half", complete(running)
    context.broker.restart()
    complete(running)
