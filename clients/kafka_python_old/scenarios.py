"""kafka-python 2.0.2 (PyPI): the release that services were pinned to for years. No idempotence and no transactions."""

from harness.paths import CLIENTS, TARGET
from harness.programs import claims
from harness.toolchains import build_python
from harness.wire import CODECS

HERE = CLIENTS / "kafka_python_old"


def build():
    return [build_python(TARGET / "kafka_python_old", HERE / "requirements.txt"), HERE / "program.py"]


# Without idempotence a batch may be written twice when the answer to it was lost.
claims(build, CODECS, tier=2, transactions=False, restart="a_restart_loses_nothing_and_keeps_the_order",
       more=["groups_are_listed_described_and_deleted", "topic_settings_change_live_and_say_where_they_come_from"])
