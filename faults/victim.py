"""The broker that is broken: as in the client tests, with small segments, so that they roll and are reused while it is killed."""

import json
import subprocess
import urllib.error
import urllib.request

from harness.brokers import Posthaste, die_with_parent

SETTINGS = ["posthaste.segment.bytes=1048576", "posthaste.tail.bytes=4194304", "posthaste.shards=2",
            "posthaste.snapshot.check.interval.ms=200", "log.retention.check.interval.ms=200"]


class Victim(Posthaste):
    """A broker whose data may lie elsewhere than its log and ready file."""

    def __init__(self, files, data, binary):
        super().__init__(files, binary)
        self.data = data

    def command(self):
        command = super().command()
        command[command.index("--data") + 1] = str(self.data)
        for setting in SETTINGS:
            command += ["--set", setting]
        return [*command, "--admin", "127.0.0.1:0"]

    def is_ready(self):
        """What the broker itself says: whether a write becomes durable in time."""
        admin = json.loads(self.ready_file.read_text())["admin"]
        try:
            with urllib.request.urlopen(f"http://{admin}/readyz", timeout=60) as page:
                return page.status == 200
        except urllib.error.HTTPError as refused:
            return refused.code == 200

    def start_without_waiting(self):
        """A start that is going to be killed before it may be through."""
        self.prepare()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)

    def end(self):
        """It must not go on, however the round ended."""
        if self.process is not None:
            self.kill()
