"""sarama (Go), the client of much of the Go world: negotiates versions only since 1.46."""

from harness.paths import CLIENTS
from harness.programs import claims
from harness.toolchains import build_go


def build():
    return [build_go(CLIENTS / "sarama")]


claims(build, ["none", "gzip", "snappy", "lz4", "zstd"])
