"""Clients in languages of their own: a program a client, which is given a claim, the broker and names, and ends with 0 when the claim holds."""

import subprocess

from harness.scenarios import scenario

PROGRAM_SECONDS_MAX = 120
# The codecs that a client has; every one of them stores and reads all.
CLAIMS = ["a_group_of_two_shares_a_topic_and_one_takes_over", "readers_seek_pause_and_find_offsets_by_time",
          "topics_are_made_described_enlarged_and_deleted"]
TRANSACTIONS = "only_what_was_committed_is_read"


def claims(build, codecs, transactions=True):
    """Registers the claims of a client whose command `build` gives, once it is built; called from the client's own module."""

    def declare(claim, **options):
        def run(context):
            complete(start(build(), claim, context))

        run.__name__, run.__module__ = claim, build.__module__
        scenario(**options)(run)

    def records_of_every_kind_come_back(context, codec):
        complete(start(build(), "records_of_every_kind_come_back", context, codec))

    def a_restart_loses_and_repeats_nothing(context):
        program = start(build(), "a_restart_loses_and_repeats_nothing", context)
        assert program.stdout.readline().strip() == "half", complete(program)
        context.broker.restart()
        complete(program)

    for function in (records_of_every_kind_come_back, a_restart_loses_and_repeats_nothing):
        function.__module__ = build.__module__
    scenario(each=codecs)(records_of_every_kind_come_back)
    for claim in CLAIMS + [TRANSACTIONS] * transactions:
        declare(claim)
    scenario(restarts=True)(a_restart_loses_and_repeats_nothing)


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
