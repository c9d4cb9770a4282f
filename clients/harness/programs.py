"""Clients in languages of their own: a program a client, which is given a claim, the broker and names, and ends with 0 when the claim holds."""

import subprocess

from harness.scenarios import scenario

PROGRAM_SECONDS_MAX = 120
# The codecs that a client has; every one of them stores and reads all.
RECORDS = "records_of_every_kind_come_back"
CLAIMS = ["a_group_of_two_shares_a_topic_and_one_takes_over", "readers_seek_pause_and_find_offsets_by_time",
          "topics_are_made_described_enlarged_and_deleted"]
TRANSACTIONS = "only_what_was_committed_is_read"
RESTART = "a_restart_loses_and_repeats_nothing"


def claims(build, codecs, more=(), transactions=True, restart=RESTART, **options):
    """Registers the claims of a client whose command `build` gives, once it is built, and `more` that only this one makes; called from the
    client's own module. The options are those of a scenario."""
    claim(build, RECORDS, each=codecs, **options)
    for name in [*CLAIMS, *[TRANSACTIONS] * transactions, *more]:
        claim(build, name, **options)
    claim(build, restart, restarts=True, **options)


def claim(build, name, **options):
    """Registers one claim; `options` are those of a scenario. A value of `each` is given to the program as a word; with `restarts` the
    broker is stopped and started again when the program says that half is done."""

    def run(context, *words):
        program = start(build(), name, context, *words)
        if options.get("restarts"):
            assert program.stdout.readline().strip() == "half", complete(program)
            context.broker.restart()
        complete(program)

    run.__name__, run.__module__ = name, build.__module__
    scenario(**options)(run)


def start(command, claim, context, *words):
    return subprocess.Popen([*map(str, command), claim, context.bootstrap, context.topic, context.group, *words], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def complete(program):
    """Waits for the end, which must be a good one; what it said before belongs to the failure."""
    try:
        said, complained = program.communicate(timeout=PROGRAM_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        program.kill()
        said, complained = program.communicate()
        raise AssertionError(f"still running after {PROGRAM_SECONDS_MAX} s: {said[-2000:]} {complained[-2000:]}") from None
    assert program.returncode == 0, f"ended with {program.returncode}: {said[-2000:]} {complained[-4000:]}"
