"""Kafka's command line tools (Maven Central): one JVM runs their main classes, so that a tool costs no start of a JVM."""

import atexit
import base64
import subprocess
import time
from dataclasses import dataclass
from itertools import count

from harness.brokers import die_with_parent
from harness.paths import CLIENTS, TARGET
from harness.toolchains import build_maven

JARS = TARGET / "kafka_tools-build" / "jars"
CLASSES = TARGET / "kafka_tools-build" / "classes"
PATIENCE_SECONDS = 60

_numbers = count(1)
_jvm = None


def encode(word):
    return base64.b64encode(str(word).encode()).decode()


def decode(word):
    return base64.b64decode(word).decode(errors="replace")


def jvm():
    global _jvm
    if _jvm is None or _jvm.poll() is not None:
        build_maven(CLIENTS / "kafka_tools", JARS)
        _jvm = subprocess.Popen(
            ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{CLASSES}:{JARS}/*", "posthaste.Tools"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        atexit.register(_jvm.kill)
    return _jvm


def order(*words):
    """Status, output and complaints of the run that the order is about."""
    process = jvm()
    try:
        process.stdin.write(" ".join(map(encode, words)) + "\n")
        process.stdin.flush()
        status, said, complained = process.stdout.readline().rstrip("\n").split(" ")
    except BaseException:
        # An answer that was not read would be taken for the next one.
        process.kill()
        process.wait()
        raise
    return status, decode(said), decode(complained)


@dataclass
class Running:
    """A tool that was started."""

    number: int
    words: list

    def output(self):
        return order("look", self.number)[1]

    def until(self, what):
        """Its output, once it holds this text."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, said, complained = order("look", self.number)
            if what in said:
                return said
            assert status == "running", f"{self.words} ended with {status} before it said {what!r}:\n{said}\n{complained}"
            assert time.monotonic() < deadline, f"{self.words} did not say {what!r}:\n{said}\n{complained}"
            time.sleep(0.05)

    def interrupt(self):
        order("interrupt", self.number)
        return self.end()

    def end(self, status=0):
        """What it said on both streams; it must end with this status."""
        got, said, complained = order("wait", self.number)
        if got == "running":
            jvm().kill()
        assert got == str(status), f"{self.words} ended with {got}, not {status}:\n{said}\n{complained}"
        return said + complained


def start(main, *arguments, stdin=""):
    number = next(_numbers)
    order("start", number, stdin, main, *arguments)
    return Running(number, [main, *map(str, arguments)])


class Tool:
    """A main class, called with a broker, its words as one line of a shell, and words that hold anything."""

    def __init__(self, name, bootstrap="--bootstrap-server"):
        self.main = name if name.startswith("kafka.") else f"org.apache.kafka.tools.{name}"
        self.bootstrap = bootstrap

    def start(self, context, line, *words, stdin=""):
        return start(self.main, self.bootstrap, context.bootstrap, *line.split(), *words, stdin=stdin)

    def __call__(self, context, line, *words, stdin="", status=0):
        return self.start(context, line, *words, stdin=stdin).end(status)
