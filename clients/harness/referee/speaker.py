"""The Java program that turns JSON into Kafka's messages and back, as a child process: one command, one outcome."""

import json
import select
import subprocess

from harness.brokers import die_with_parent
from harness.paths import CLIENTS, TARGET
from harness.toolchains import build_maven

BUILD = TARGET / "speaker-build"
OUTCOME_SECONDS_MAX = 90


def build_speaker():
    build_maven(CLIENTS / "speaker", BUILD / "jars")


class Speaker:
    """Its connections are named; what it cannot say is a mistake of the scenario and raises."""

    def __init__(self):
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", f"{BUILD / 'classes'}:{BUILD / 'jars'}/*",
                   "posthaste.speaker.Main"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.unread = b""

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        outcome = json.loads(self.line())
        if "fault" in outcome:
            raise RuntimeError(f"{outcome['fault']} at {json.dumps(command)[:500]}")
        return outcome

    def line(self):
        while b"\n" not in self.unread:
            readable, _, _ = select.select([self.process.stdout], [], [], OUTCOME_SECONDS_MAX)
            piece = self.process.stdout.read1(1 << 20) if readable else b""
            if not piece:
                raise RuntimeError("the speaker ended or is silent")
            self.unread += piece
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
