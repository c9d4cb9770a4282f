"""aiokafka (PyPI): asyncio over protocol code of its own, with transactions and static members."""

from harness.paths import CLIENTS, TARGET
from harness.programs import claims
from harness.toolchains import build_python
from harness.wire import CODECS

HERE = CLIENTS / "aiokafka"


def build():
    return [build_python(TARGET / "aiokafka", HERE / "requirements.txt"), HERE / "program.py"]


claims(build, CODECS, tier=2, more=[
    "offsets_sent_to_a_transaction_follow_it", "a_second_producer_fences_the_first",
    "a_static_member_returns_without_a_rebalance", "groups_are_listed_and_described",
    "topic_settings_change_live_and_say_where_they_come_from", "deleted_records_are_gone_for_every_reader"])
