"""The broker under test as a child process: start, stop, kill, restart on the same port.

A broker never outlives the run: it is told to die with its parent, and `remove` stops it and deletes its directory.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
PR_SET_PDEATHSIG = 1
# Members of the consumer protocol hear of a change at their next heartbeat, whose pace the broker sets: five seconds would be the time of every
# rebalance, and 45 that of every takeover.
QUICK_GROUPS = ["group.consumer.min.heartbeat.interval.ms=200", "group.consumer.heartbeat.interval.ms=200",
                "group.consumer.min.session.timeout.ms=4000", "group.consumer.session.timeout.ms=4000"]


def die_with_parent():
    """Runs in the child before exec: a harness that is killed takes its brokers along."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Broker:
    """A broker that this run owns. Subclasses say how it is started and how it tells that it listens."""

    name = "?"
    owned = True
    # What the process answers to SIGTERM when it ends as asked.
    clean_status = 0

    def __init__(self, directory: Path):
        self.directory = directory
        self.log_path = directory / "broker.log"
        self.port = 0
        self.process = None
        self.start_seconds = 0.0

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        assert self.process is None, "one process at a time"
        assert threading.current_thread() is threading.main_thread(), "a child dies with the thread that started it"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare()
        started = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
                env=self.environment())
        while not self.listening():
            if self.process.poll() is not None:
                status, self.process = self.process.returncode, None
                raise RuntimeError(f"{self.name} ended with status {status} while starting:\n{self.log_tail()}")
            if time.monotonic() - started > START_SECONDS_MAX:
                raise RuntimeError(f"{self.name} did not listen within {START_SECONDS_MAX} s:\n{self.log_tail()}")
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - started
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM, and the process must end as one that was asked to."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.name} did not stop within {STOP_SECONDS_MAX} s of SIGTERM") from None
        self.process = None
        assert status == self.clean_status, f"{self.name} ended with {status} after SIGTERM:\n{self.log_tail()}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def remove(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_tail(self, lines=20):
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def rss_bytes(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def cpu_seconds(self):
        """User and system time of all threads since the process began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def environment(self):
        return dict(os.environ)

    def prepare(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def listening(self):
        raise NotImplementedError


class Posthaste(Broker):
    """Our broker. Its ready file holds {"bootstrap": ..., "pid": ...} and appears whole, once it listens."""

    name = "posthaste"

    def __init__(self, directory, binary, listeners="shared"):
        super().__init__(directory)
        self.binary = binary
        self.listeners = listeners
        if listeners == "per-core":
            # The nodes keep their ports over restarts: as many in a row as there are shards.
            self.port = free_ports_in_a_row(os.cpu_count())
        self.ready_file = directory / "ready.json"

    def prepare(self):
        if not self.binary.exists():
            raise RuntimeError(f"{self.binary} is not built: cargo build --release")
        self.ready_file.unlink(missing_ok=True)

    def command(self):
        return [str(self.binary), "serve", "--data", str(self.directory / "data"),
                "--listen", f"127.0.0.1:{self.port}", "--listeners", self.listeners,
                "--ready-file", str(self.ready_file),
                # Tests join groups many times; the wait for more members is a comfort of production.
                "--set", "group.initial.rebalance.delay.ms=0",
                *(word for setting in QUICK_GROUPS for word in ("--set", setting))]

    def listening(self):
        if not self.ready_file.exists():
            return False
        ready = json.loads(self.ready_file.read_text())
        assert ready["pid"] == self.pid, f"ready file of another process: {ready}"
        host, port = ready["bootstrap"].rsplit(":", 1)
        assert host == "127.0.0.1", ready
        assert self.port in (0, int(port)), f"asked for port {self.port}, got {ready}"
        self.port = int(port)
        return True


def free_ports_in_a_row(count):
    """The first of them; below the ports that the system gives to others."""
    def is_free(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    begin = 10_000 + os.getpid() % 15_000
    return next(port for port in range(begin, 32_000) if all(is_free(port + node) for node in range(count)))


class Given:
    """A broker that somebody else runs: it can be used, not restarted."""

    name = "given"
    owned = False

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def start(self):
        return self

    def alive(self):
        return True

    def remove(self):
        pass

    def log_tail(self, lines=20):
        return "(the log of a given broker is not ours)"
