"""sarama (Go), the client of much of the Go world: negotiates versions only since 1.46. sarama_old has the same program."""

from harness.paths import CLIENTS
from harness.programs import claim, claims
from harness.toolchains import build_go

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
MORE = ["every_admin_call_is_answered", "a_static_member_is_removed_by_admin", "offsets_sent_to_a_transaction_follow_it"]


def build():
    return [build_go(CLIENTS / "sarama")]


claims(build, CODECS)
for name in [*MORE, "newer_admin_calls_are_answered"]:
    claim(build, name, tier=2)
