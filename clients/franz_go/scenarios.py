"""franz-go (Go): newest protocol versions, topic ids, idempotent by default."""

from harness.paths import CLIENTS
from harness.programs import claims
from harness.toolchains import build_go


def build():
    return [build_go(CLIENTS / "franz_go")]


claims(build, ["none", "gzip", "snappy", "lz4", "zstd"])
