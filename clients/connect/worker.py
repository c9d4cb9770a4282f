"""A Connect worker as a child process, what it is asked over REST, and the files that its connectors read and write."""

import json
import re
import subprocess
import urllib.error
import urllib.request

from harness.children import Process
from harness.paths import CLIENTS, TARGET
from harness.toolchains import build_maven
from harness.waiting import PATIENCE_SECONDS, until

BUILD = TARGET / "connect-build"
CALL_SECONDS_MAX = 100
STRING = "org.apache.kafka.connect.storage.StringConverter"
JSON = "org.apache.kafka.connect.json.JsonConverter"
# The worker tells the port that the system gave it in its log and nowhere else.
LISTENING = re.compile(r"REST server listening at (http://127\.0\.0\.1:\d+)/")


def command(main, *arguments):
    build_maven(CLIENTS / "connect", BUILD / "jars")
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect.runtime.rest.RestServer=info",
            "-cp", f"{BUILD / 'classes'}:{BUILD / 'jars'}/*", main, *map(str, arguments)]


def step(name, *arguments):
    """A step of a scenario that needs a client: a program of ours in a JVM of its own."""
    done = subprocess.run(command("posthaste.Main", name, *arguments), capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS)
    assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stderr[-4_000:]}"


def write_properties(path, properties):
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path


class Worker(Process):
    """One that can be asked over REST once it is made."""

    def __init__(self, context, name, kind, properties, connectors=()):
        files = [write_properties(context.directory / f"{name}.properties", {
            "bootstrap.servers": context.bootstrap, "listeners": "http://127.0.0.1:0", "key.converter": STRING, "value.converter": STRING,
            # A minute by default: what was done but not committed is done again by the next worker.
            "offset.flush.interval.ms": 300, **properties})]
        files += [write_properties(context.directory / f"{one['name']}.properties", one) for one in connectors]
        super().__init__(context.directory / f"{name}.log", command(f"org.apache.kafka.connect.cli.{kind}", *files))
        try:
            self.url = until(lambda: f"a worker listens:\n{self.log()}",
                             lambda: self.is_alive() and LISTENING.search(self.log(size=1 << 20))).group(1)
            # Until its group is stable a worker answers with errors that ask for patience.
            until(lambda: f"a worker answers:\n{self.log()}", lambda: self.is_alive() and self.call("GET", "/connectors")[0] == 200)
        except BaseException:
            self.kill()
            raise

    def call(self, method, path, body=None):
        """Status and answer; None where it holds no JSON, as before the worker is up."""
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS_MAX) as answer:
                status, kind, text = answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            status, kind, text = error.code, error.headers.get_content_type(), error.read()
        return status, json.loads(text) if text and kind == "application/json" else None

    def ask(self, method, path, body=None, expect=(200, 201, 202, 204)):
        """The answer of a call that must succeed. A rebalance (409), a worker that just starts (503) and a broker that is away (500) are waited out."""
        got = None

        def is_answered():
            nonlocal got
            got = self.call(method, path, body)
            return got[0] not in (409, 500, 503)

        until(lambda: f"{method} {path} is answered: {got}\n{self.log()}", is_answered)
        status, answer = got
        assert status in expect, f"{method} {path}: {status} {answer}\n{self.log()}"
        return answer

    def make(self, *connectors):
        for one in connectors:
            self.ask("PUT", f"/connectors/{one['name']}/config", one)

    def status(self, name):
        return self.ask("GET", f"/connectors/{name}/status")

    def states(self, name):
        """Those of the connector and its tasks; none before the worker knows it."""
        answer = self.call("GET", f"/connectors/{name}/status")
        return [one["state"] for one in [answer[1]["connector"], *answer[1]["tasks"]]] if answer[0] == 200 else []

    def runs(self, name):
        """Whether the connector runs with its one task; one that failed never will."""
        states = self.states(name)
        assert "FAILED" not in states, f"{self.status(name)}\n{self.log()}"
        return states == ["RUNNING", "RUNNING"]

    def offset(self, name):
        """How far the one task of a file connector has committed: a position in the file or an offset of the topic."""
        offsets = self.ask("GET", f"/connectors/{name}/offsets")["offsets"]
        assert len(offsets) <= 1, offsets
        return next(iter(offsets[0]["offset"].values())) if offsets else 0


def standalone(context, *connectors):
    return Worker(context, "standalone", "ConnectStandalone", {"offset.storage.file.filename": context.directory / "standalone.offsets"}, connectors)


def distributed(context, name="worker", **properties):
    """A member of the scenario's cluster."""
    return Worker(context, name, "ConnectDistributed", {
        "group.id": f"{context.name}-connect",
        **{f"{one}.storage.topic": f"{context.name}-{one}" for one in ("config", "offset", "status")},
        **{f"{one}.storage.replication.factor": 1 for one in ("config", "offset", "status")},
        "offset.storage.partitions": 3, "status.storage.partitions": 2, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000,
        # By default the tasks of a worker that left wait five minutes for its return.
        "scheduled.rebalance.max.delay.ms": 0, **{key.replace("_", "."): value for key, value in properties.items()}})


class Files:
    """The file that a source reads, the one that a sink writes, and the topic between them.

    Two faults of the file source are kept clear of. It counts characters, and when it goes on it skips as many bytes: lines are ASCII unless
    given. Lines that it has read, but that no longer fit into a batch, it holds back until the file grows: its batch holds more than its buffer.
    """

    def __init__(self, context):
        self.topic = context.topic
        self.source_path, self.sink_path = context.directory / "source.txt", context.directory / "sink.txt"
        self.source_path.touch()
        self.count = 0

    def write(self, count):
        self.append([f"line {number} {'x' * (number % 50)}" for number in range(self.count, self.count + count)])

    def append(self, lines):
        with open(self.source_path, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        self.count += len(lines)

    def source(self, **more):
        return {"name": f"{self.topic}-source", "connector.class": "FileStreamSource", "tasks.max": 1, "file": str(self.source_path),
                "topic": self.topic, **more}

    def sink(self, **more):
        return {"name": f"{self.topic}-sink", "connector.class": "FileStreamSink", "tasks.max": 1, "file": str(self.sink_path),
                "topics": self.topic, **more}

    @property
    def size(self):
        return self.source_path.stat().st_size

    def expect(self, worker):
        """Every line was written out, once and in order, and both connectors have committed that."""
        source, sink = f"{self.topic}-source", f"{self.topic}-sink"

        def is_settled():
            return worker.runs(source) and worker.runs(sink) and worker.offset(source) == self.size and worker.offset(sink) >= self.count

        until(lambda: f"{self.describe()}, committed {worker.offset(source)} bytes, {worker.offset(sink)} records\n{worker.log()}", is_settled)
        self.compare()

    def compare(self):
        assert self.sink_path.read_bytes() == self.source_path.read_bytes(), self.describe()

    def is_whole(self):
        return self.sink_path.exists() and self.sink_path.stat().st_size >= self.size

    def describe(self):
        wanted = self.source_path.read_bytes().split(b"\n")
        got = self.sink_path.read_bytes().split(b"\n") if self.sink_path.exists() else []
        differs = next((at for at, (one, other) in enumerate(zip(wanted, got)) if one != other), min(len(wanted), len(got)))
        return f"{len(wanted)} lines became {len(got)}; from line {differs}: {wanted[differs:differs + 2]} and {got[differs:differs + 2]}"
