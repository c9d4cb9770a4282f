"""@confluentinc/kafka-javascript (npm): librdkafka under Node.js, compiled here from the source in the package."""

from harness.paths import CLIENTS
from harness.programs import claims, complete, start
from harness.scenarios import scenario
from harness.served import CONSUMER_GROUP_HEARTBEAT, require
from harness.toolchains import build_node
from harness.wire import CODECS

# The first scenario of a run may wait for the compiler.
LIMITS = {"tier": 2, "seconds_max": 1_200}


def build():
    # Linked with the system's libraries: the other way would download the sources of each.
    folder = build_node(CLIENTS / "confluent_js", npm_config_build_from_source="true", CKJS_LINKING="dynamic")
    return ["node", folder / "program.js"]


claims(build, CODECS, more=[
    "a_cooperative_group_shares_a_topic_and_one_takes_over", "groups_are_listed_described_and_deleted",
    "deleted_records_are_gone_for_every_reader", "offsets_sent_to_a_transaction_follow_it", "a_second_producer_fences_the_first"], **LIMITS)


@scenario(**LIMITS)
def a_group_of_the_consumer_protocol_shares_a_topic_and_one_takes_over(context):
    require(context, CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat")
    complete(start(build(), "a_group_of_the_consumer_protocol_shares_a_topic_and_one_takes_over", context))
