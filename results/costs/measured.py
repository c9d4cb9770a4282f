"""The broker that is measured, with its admin page, and the generator that loads it."""

import json
import os
import re
import subprocess
import urllib.request

from harness.brokers import Posthaste
from harness.paths import POSTHASTE_BINARY, TOP

LOADGEN = TOP / "target" / "release" / "loadgen"


class Measured(Posthaste):
    """Our broker with its admin page, and what a question sets beside the defaults."""

    def __init__(self, directory, settings, binary=POSTHASTE_BINARY):
        super().__init__(directory, binary)
        self.settings = settings

    def command(self):
        settings = [f"--set={name}={value}" for name, value in self.settings.items()]
        return [*super().command(), "--admin", "127.0.0.1:0", *settings]

    def metrics(self, over_shards=sum):
        """Values by name, each of all shards together."""
        admin = json.loads(self.ready_file.read_text())["admin"]
        with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as page:
            text = page.read().decode()
        values = {}
        for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.MULTILINE):
            values.setdefault(name, []).append(float(value))
        return {name: over_shards(each) for name, each in values.items()}


def step_aside():
    """This thread's own work takes only time that nobody else wants, as if it were done on another machine: what it costs is not the broker's."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def loadgen(broker, json_file, *extra, aside=False):
    """Begins a run, acknowledged by all, whose result will be in `json_file`; it steps aside if it is only there to disturb."""
    json_file.unlink(missing_ok=True)
    command = [LOADGEN, "run", "--bootstrap", broker.bootstrap, "--acks", "all",
               "--out", json_file.parent / "pages", "--json", json_file, *extra]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=step_aside if aside else None)


def result_of(run, json_file):
    """The result of a run that must have verified its records."""
    status = run.wait()
    if not json_file.exists():
        raise RuntimeError(f"loadgen ended with {status} and left no result")
    result = json.loads(json_file.read_text())
    if result["integrity"]["verdict"] != "pass":
        raise RuntimeError(f"{json_file}: integrity {result['integrity']}")
    return result
