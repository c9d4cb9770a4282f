"""kafka-go (Go): asks for one version of most APIs, reads without a fetch session and retries without a producer id.

What it does not have, so that it has no scenario here:
- records in a transaction: the Writer knows neither transactions nor idempotence (segmentio/kafka-go#1317, #233), and a
  Reader that asks for committed records is also given the aborted ones (#1332). Offsets in a transaction work.
- a restart without a repeat: a batch whose answer was lost is sent once more (#797).
- pause and resume: a Reader is paused by not being asked.
"""

from harness.paths import CLIENTS
from harness.programs import RECORDS, claim
from harness.toolchains import build_go


def build():
    return [build_go(CLIENTS / "kafka_go")]


claim(build, RECORDS, each=["none", "gzip", "snappy", "lz4", "zstd"], tier=2)
for name in ["a_group_of_two_shares_a_topic_and_one_takes_over", "a_watching_group_takes_up_new_partitions",
             "readers_seek_and_find_offsets_by_time", "a_connection_writes_seeks_and_reads", "topics_are_made_described_enlarged_and_deleted",
             "offsets_of_a_group_are_moved_and_deleted_by_admin", "offsets_sent_to_a_transaction_follow_it"]:
    claim(build, name, tier=2)

claim(build, "a_restart_loses_nothing", restarts=True, tier=2)
