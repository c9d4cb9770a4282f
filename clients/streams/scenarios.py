"""Kafka Streams (Maven Central): a word count that is stopped, killed and started again; lines and checks are steps in JVMs of their own."""

import subprocess

from harness.children import Process, Sender
from harness.paths import CLIENTS, TARGET
from harness.scenarios import scenario
from harness.toolchains import build_maven
from harness.wire import Connection

BUILD = TARGET / "streams-build"
GUARANTEES = ["at_least_once", "exactly_once_v2"]
STEP_SECONDS_MAX = 120
LINES = 6_000


def command(*arguments):
    build_maven(CLIENTS / "streams", BUILD / "jars")
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
            f"{BUILD / 'classes'}:{BUILD / 'jars'}/*", "posthaste.Main", *map(str, arguments)]


def step(context, name, *arguments):
    done = subprocess.run(command(name, context.bootstrap, context.topic, *arguments), capture_output=True, text=True, timeout=STEP_SECONDS_MAX)
    assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stderr[-4_000:]}"


def application_of(context, guarantee, state="state"):
    """The word count; its state lies in a folder that the next one may share."""
    return Process(context.directory / "application.log",
                   command("count", context.bootstrap, context.topic, guarantee, context.directory / state))


def sender_to(context):
    return Sender(command("send-until-told", context.bootstrap, context.topic), STEP_SECONDS_MAX)


def topics_are_there(context):
    with Connection(context.bootstrap) as connection:
        for suffix in ["counts-changelog", "counts-repartition"]:
            error, leaders = connection.metadata(f"{context.topic}-application-{suffix}")
            assert (error, len(leaders)) == (0, 3), f"{suffix}: error {error}, {leaders}"


@scenario(tier=2, each=GUARANTEES)
def a_stopped_word_count_goes_on_with_its_state(context, guarantee):
    step(context, "create")
    with application_of(context, guarantee) as application:
        step(context, "send", 0, LINES // 2)
        step(context, "expect-every-step", LINES // 2)
        topics_are_there(context)
        application.stop()
    step(context, "send", LINES // 2, LINES)
    with application_of(context, guarantee) as application:
        step(context, "expect-every-step", LINES)
        application.stop()


@scenario(tier=2, each=GUARANTEES)
def a_word_count_rebuilds_lost_state_from_its_changelog(context, guarantee):
    step(context, "create")
    with application_of(context, guarantee) as application:
        step(context, "send", 0, LINES // 2)
        step(context, "expect-every-step", LINES // 2)
        application.stop()
    step(context, "send", LINES // 2, LINES)
    with application_of(context, guarantee, state="another-disk") as application:
        step(context, "expect-every-step", LINES)
        application.stop()


@scenario(tier=2, each=["same-disk", "another-disk"])
def a_killed_word_count_is_exact_once_it_runs_again_on_the(context, disk):
    step(context, "create")
    with sender_to(context) as sender:
        with application_of(context, "exactly_once_v2", state="same-disk") as application:
            step(context, "expect-some", 1_000)
            application.kill()
        lines = sender.stop()
    with application_of(context, "exactly_once_v2", state=disk) as application:
        step(context, "expect-every-step", lines)
        application.stop()


@scenario(tier=2, restarts=True, each=["sigterm", "sigkill"])
def a_word_count_is_exact_over_a_restart_of_the_broker_by(context, how):
    step(context, "create")
    with sender_to(context) as sender, application_of(context, "exactly_once_v2") as application:
        step(context, "expect-some", 1_000)
        if how == "sigterm":
            context.broker.stop()
        else:
            context.broker.kill()
        context.broker.start()
        step(context, "expect-every-step", sender.stop())
        application.stop()
