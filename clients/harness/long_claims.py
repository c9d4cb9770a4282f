"""The claims of a client's program that only the long form of a run makes; programs.py tells how a program is given one."""

from harness.programs import CLAIMS, complete, start
from harness.scenarios import scenario
from harness.wire import CODECS

RESTART = "a_restart_loses_and_repeats_nothing"


def long_claims(build, more, restart=RESTART, **options):
    """Registers the claims that all clients make and `more`, which only this one makes; called from the client's own module. `build` gives
    the program's command once it is built; the options are those of a scenario."""

    def declare(claim, restarts=False, each=None):
        def run(context, *words):
            program = start(build(), claim, context, *words)
            if restarts:
                assert program.stdout.readline().strip() == "half", complete(program)
                context.broker.restart()
            complete(program)

        run.__name__, run.__module__ = claim, build.__module__
        scenario(tier=2, restarts=restarts, each=each, **options)(run)

    declare("records_of_every_kind_come_back", each=CODECS)
    for claim in [*CLAIMS, *more]:
        declare(claim)
    declare(restart, restarts=True)
