"""Workers in a group of their own protocol, which keep connectors, offsets and states in three topics of the broker."""

from connect.worker import Files, distributed, step
from harness.scenarios import scenario
from harness.waiting import until

SECONDS_MAX = 400
LINES = 2_000


@scenario(tier=2, seconds_max=SECONDS_MAX)
def a_worker_makes_its_three_topics_compacted(context):
    with distributed(context) as worker:
        step("expect-internal-topics", context.bootstrap, *(
            f"{context.name}-{one}={partitions}" for one, partitions in [("config", 1), ("offset", 3), ("status", 2)]))
        plugins = {one["class"].rsplit(".", 1)[1] for one in worker.ask("GET", "/connector-plugins")}
        assert {"FileStreamSourceConnector", "FileStreamSinkConnector", "MirrorSourceConnector"} <= plugins, plugins
        worker.stop()


@scenario(tier=2, seconds_max=SECONDS_MAX)
def connectors_are_made_paused_resumed_stopped_and_deleted(context):
    files = Files(context)
    source, sink = files.source(), files.sink()
    path = f"/connectors/{source['name']}"
    with distributed(context) as worker:
        status, said = worker.call("PUT", f"/connectors/{source['name']}/config", {**source, "topic": ""})
        assert status == 400 and "topic" in said["message"], (status, said)
        assert worker.ask("POST", "/connectors", {"name": source["name"], "config": source}, expect=(201,))["name"] == source["name"]
        worker.make(sink)
        assert sorted(worker.ask("GET", "/connectors")) == sorted([source["name"], sink["name"]])
        files.write(LINES)
        files.expect(worker)

        worker.ask("PUT", f"{path}/pause")
        until("paused", lambda: {one["state"] for one in worker.status(source["name"])["tasks"]} == {"PAUSED"})
        before = files.sink_path.read_bytes()
        files.write(LINES)
        # The sink runs on: it would write what came.
        assert worker.offset(source["name"]) == len(before) and files.sink_path.read_bytes() == before
        worker.ask("PUT", f"{path}/resume")
        files.expect(worker)

        # A connector that is stopped has no tasks, and its offsets can be moved: here the last LINES lines are sent again.
        worker.ask("PUT", f"{path}/stop")
        until("stopped", lambda: (got := worker.status(source["name"]))["connector"]["state"] == "STOPPED" and got["tasks"] == [])
        worker.ask("PATCH", f"{path}/offsets", {"offsets": [
            {"partition": {"filename": str(files.source_path)}, "offset": {"position": len(before)}}]})
        worker.ask("PUT", f"{path}/resume")
        whole = files.source_path.read_bytes()
        until("sent again", lambda: len(files.sink_path.read_bytes()) >= 2 * len(whole) - len(before))
        assert files.sink_path.read_bytes() == whole + whole[len(before):]

        worker.ask("DELETE", path, expect=(204,))
        assert worker.call("GET", path)[0] == 404
        assert worker.ask("GET", "/connectors") == [sink["name"]]
        worker.stop()


@scenario(tier=2, seconds_max=SECONDS_MAX)
def a_second_worker_takes_over_the_tasks_of_one_that_was_killed(context):
    files = Files(context)
    files.write(LINES)
    with distributed(context, "one") as one, distributed(context, "two") as two:
        one.make(files.source(), files.sink())
        files.expect(two)
        at = {worker.url.removeprefix("http://"): worker for worker in (one, two)}
        until("the work is shared", lambda: {
            two.status(f"{files.topic}-{end}")["tasks"][0]["worker_id"] for end in ("source", "sink")} == set(at))
        victim = at[one.status(f"{files.topic}-source")["tasks"][0]["worker_id"]]
        survivor = two if victim is one else one
        victim.kill()
        files.write(LINES)
        until("taken over", lambda: {survivor.status(f"{files.topic}-{end}")["tasks"][0]["worker_id"] for end in ("source", "sink")}
              == {survivor.url.removeprefix("http://")})
        files.expect(survivor)
        survivor.stop()
    files.compare()


@scenario(tier=2, seconds_max=SECONDS_MAX, restarts=True)
def connectors_and_their_offsets_outlive_worker_and_broker_that_were_killed(context):
    files = Files(context)
    files.write(LINES)
    with distributed(context) as worker:
        worker.make(files.source(), files.sink())
        files.expect(worker)
        context.broker.kill()
        worker.kill()
    files.write(LINES)
    context.broker.start()
    with distributed(context) as worker:
        files.expect(worker)
        worker.stop()
    files.compare()


@scenario(tier=2, seconds_max=SECONDS_MAX, restarts=True)
def a_distributed_worker_outlives_a_broker_that_was_killed(context):
    files = Files(context)
    files.write(LINES)
    with distributed(context) as worker:
        worker.make(files.source(), files.sink())
        files.expect(worker)
        context.broker.kill()
        files.write(LINES)
        context.broker.start()
        files.expect(worker)
        worker.stop()
    files.compare()


@scenario(tier=2, seconds_max=SECONDS_MAX, restarts=True, each=["worker", "broker"])
def lines_that_are_sent_exactly_once_are_exact_over_a_killed(context, victim):
    files = Files(context)
    files.write(100_000)
    # A transaction a poll: the kill falls into one of some hundreds.
    source = files.source(**{"exactly.once.support": "required", "transaction.boundary": "poll", "batch.size": 400})
    with distributed(context, exactly_once_source_support="enabled") as worker:
        worker.make(source)
        reached = until(lambda: f"some lines are sent\n{worker.log()}", lambda: worker.runs(source["name"]) and worker.offset(source["name"]))
        assert reached < files.size, "the kill must fall into the middle"
        if victim == "broker":
            context.broker.kill()
            context.broker.start()
            finish(worker, files, source)
        worker.kill()
    if victim == "worker":
        with distributed(context, exactly_once_source_support="enabled") as worker:
            finish(worker, files, source)


def finish(worker, files, source):
    """The source goes on to the end, and whoever reads what was committed gets each line once."""
    position = -1
    while position < files.size:
        position = until(lambda: f"the source goes on from {position} of {files.size}\n{worker.log()}", lambda: further(worker, source, position))
    worker.make(files.sink(**{"consumer.override.isolation.level": "read_committed"}))
    until(lambda: f"{files.describe()}\n{worker.log()}", files.is_whole)
    files.compare()
    worker.stop()


def further(worker, source, position):
    """The source's position once it is behind the given one."""
    states = worker.states(source["name"])
    # A task may give up when its broker goes away, and Connect leaves it to its operator to start it again.
    if "FAILED" in states:
        worker.ask("POST", f"/connectors/{source['name']}/restart?includeTasks=true&onlyFailed=true")
    now = worker.offset(source["name"]) if states else position
    return now if now > position else None
