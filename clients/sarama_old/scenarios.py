"""Sarama 1.38 (Go), the last one before it asked brokers for newer versions: the program of sarama, compiled with this folder's go.mod."""

from harness.paths import CLIENTS
from harness.programs import claim, claims
from harness.toolchains import build_go
from sarama.scenarios import CODECS, MORE


def build():
    return [build_go(CLIENTS / "sarama", version=CLIENTS / "sarama_old")]


claims(build, CODECS, MORE, tier=2)
# Kafka 4 no longer knows version 1 of OffsetCommit, which is what this client sends unless it is told a retention.
claim(build, "a_group_commits_with_version_1", tier=2, only="posthaste")
