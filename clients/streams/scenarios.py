"""Kafka Streams (Maven Central): a word count that is stopped, killed and started again; lines and checks are steps in JVMs of their own."""

import signal
import subprocess

from harness.brokers import die_with_parent
from harness.paths import CLIENTS, TARGET
from harness.scenarios import scenario
from harness.toolchains import build_maven
from harness.wire import Connection

BUILD = TARGET / "streams-build"
GUARANTEES = ["at_least_once", "exactly_once_v2"]
STEP_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
LINES = 6_000


def command(*arguments):
    build_maven(CLIENTS / "streams", BUILD / "jars")
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
            f"{BUILD / 'classes'}:{BUILD / 'jars'}/*", "posthaste.Main", *map(str, arguments)]


def step(context, name, *arguments):
    done = subprocess.run(command(name, context.bootstrap, context.topic, *arguments), capture_output=True, text=True, timeout=STEP_SECONDS_MAX)
    assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stderr[-4_000:]}"


class Application:
    """The word count as a child process; its state lies in a folder that the next one may share."""

    def __init__(self, context, guarantee, state="state"):
        self.log_path = context.directory / "application.log"
        arguments = command("count", context.bootstrap, context.topic, guarantee, context.directory / state)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS_MAX)
        assert status == 143, f"the application ended with {status}:\n{self.log_path.read_text()[-4_000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()


class Sender:
    """Sends lines for as long as it is let, so that whatever happens meanwhile happens in the middle of work."""

    def __init__(self, context):
        self.process = subprocess.Popen(command("send-until-told", context.bootstrap, context.topic), text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """The number of lines, all of them acknowledged."""
        said, complained = self.process.communicate(timeout=STEP_SECONDS_MAX)
        assert self.process.returncode == 0, f"the sender ended with {self.process.returncode}:\n{complained[-4_000:]}"
        return int(said)


def topics_are_there(context):
    with Connection(context.bootstrap) as connection:
        for suffix in ["counts-changelog", "counts-repartition"]:
            error, leaders = connection.metadata(f"{context.topic}-application-{suffix}")
            assert (error, len(leaders)) == (0, 3), f"{suffix}: error {error}, {leaders}"


@scenario(tier=2, each=GUARANTEES)
def a_stopped_word_count_goes_on_with_its_state(context, guarantee):
    step(context, "create")
    with Application(context, guarantee) as application:
        step(context, "send", 0, LINES // 2)
        step(context, "expect-every-step", LINES // 2)
        topics_are_there(context)
        application.stop()
    step(context, "send", LINES // 2, LINES)
    with Application(context, guarantee) as application:
        step(context, "expect-every-step", LINES)
        application.stop()


@scenario(tier=2, each=GUARANTEES)
def a_word_count_rebuilds_lost_state_from_its_changelog(context, guarantee):
    step(context, "create")
    with Application(context, guarantee) as application:
        step(context, "send", 0, LINES // 2)
        step(context, "expect-every-step", LINES // 2)
        application.stop()
    step(context, "send", LINES // 2, LINES)
    with Application(context, guarantee, state="another-disk") as application:
        step(context, "expect-every-step", LINES)
        application.stop()


@scenario(tier=2, each=["same-disk", "another-disk"])
def a_killed_word_count_is_exact_once_it_runs_again_on_the(context, disk):
    step(context, "create")
    with Sender(context) as sender:
        with Application(context, "exactly_once_v2", state="same-disk") as application:
            step(context, "expect-some", 1_000)
            application.kill()
        lines = sender.stop()
    with Application(context, "exactly_once_v2", state=disk) as application:
        step(context, "expect-every-step", lines)
        application.stop()


@scenario(tier=2, restarts=True, each=["sigterm", "sigkill"])
def a_word_count_is_exact_over_a_restart_of_the_broker_by(context, how):
    step(context, "create")
    with Sender(context) as sender, Application(context, "exactly_once_v2") as application:
        step(context, "expect-some", 1_000)
        if how == "sigterm":
            context.broker.stop()
        else:
            context.broker.kill()
        context.broker.start()
        step(context, "expect-every-step", sender.stop())
        application.stop()
