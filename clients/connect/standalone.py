"""A worker on its own: its connectors come from files, its offsets of sources go to one."""

from connect.worker import JSON, STRING, Files, standalone
from harness.scenarios import scenario
from harness.waiting import until

SECONDS_MAX = 400
LINES = 5_000


@scenario(tier=2, seconds_max=SECONDS_MAX, each=["String", "Json"])
def lines_of_a_file_come_out_of_another_as(context, kind):
    files = Files(context)
    files.append(["", "two  spaces", "\ttab", "äöü ß 中文 🐎", "long " * 20_000, "", '{"not": "the envelope"}', *map(str, range(LINES))])
    converter = {"value.converter": {"String": STRING, "Json": JSON}[kind]}
    with standalone(context, files.source(**converter, **{"batch.size": 2 * LINES}), files.sink(**converter)) as worker:
        until(lambda: f"{files.describe()}\n{worker.log()}", files.is_whole)
        files.compare()
        worker.stop()
    files.compare()


@scenario(tier=2, seconds_max=SECONDS_MAX, each=["sigterm", "sigkill"])
def a_standalone_worker_goes_on_where_it_ended_by(context, how):
    files = Files(context)
    files.write(LINES)
    with standalone(context, files.source(), files.sink()) as worker:
        files.expect(worker)
        worker.end(how)
    files.write(LINES)
    with standalone(context, files.source(), files.sink()) as worker:
        files.expect(worker)
        worker.stop()
    files.compare()


@scenario(tier=2, seconds_max=SECONDS_MAX, restarts=True, each=["sigterm", "sigkill"])
def a_standalone_worker_outlives_the_broker_that_ended_by(context, how):
    files = Files(context)
    files.write(LINES)
    with standalone(context, files.source(), files.sink()) as worker:
        files.expect(worker)
        context.broker.stop() if how == "sigterm" else context.broker.kill()
        files.write(LINES)
        context.broker.start()
        files.expect(worker)
        worker.stop()
    files.compare()
