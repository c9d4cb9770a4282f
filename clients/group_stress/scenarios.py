"""Groups under stress: members join, leave, die, stand still and come back while they commit, and the broker is killed in the middle."""

from group_stress.stress import LONG, SHORT, like, stress
from harness.scenarios import Skipped, scenario


def under_stress(context, form):
    if not context.broker.owned:
        raise Skipped("needs a broker with settings of its own")
    broker = like(context.broker, context.directory / "stressed", form)
    lines = []
    try:
        broker.start()
        assert stress(broker, form.options, lines.append), "\n".join([*lines, "the stressed broker's log ends with:", broker.log_tail()])
    finally:
        broker.remove()


@scenario(seconds_max=120)
def groups_of_five_keep_offsets_and_owners(context):
    under_stress(context, SHORT)


@scenario(tier=2, seconds_max=900)
def a_hundred_groups_of_twenty_keep_offsets_and_owners(context):
    under_stress(context, LONG)
