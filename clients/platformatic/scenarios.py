"""@platformatic/kafka (npm): written anew in TypeScript, all codecs, incremental fetch sessions, both group protocols.

ACLs and quotas are left out: the broker has neither. Its Node.js is newer than a distribution's: a package of npm, in the lock file.
"""

from harness.paths import CLIENTS
from harness.programs import claims, complete, start
from harness.scenarios import scenario
from harness.served import CONSUMER_GROUP_HEARTBEAT, require
from harness.toolchains import build_node
from harness.wire import CODECS


def build():
    folder = build_node(CLIENTS / "platformatic")
    return [folder / "node_modules" / ".bin" / "node", folder / "program.js"]


claims(build, CODECS, tier=2, more=[
    "a_cooperative_group_shares_a_topic_and_one_takes_over", "groups_are_listed_described_moved_and_deleted",
    "topic_settings_change_live_and_say_where_they_come_from", "deleted_records_are_gone_for_every_reader",
    "offsets_sent_to_a_transaction_follow_it", "a_second_producer_fences_the_first"])


@scenario(tier=2)
def a_group_of_the_consumer_protocol_shares_a_topic_and_one_takes_over(context):
    require(context, CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat")
    complete(start(build(), "a_group_of_the_consumer_protocol_shares_a_topic_and_one_takes_over", context))
