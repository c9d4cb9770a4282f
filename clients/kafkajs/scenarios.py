"""kafkajs (npm): ignores the lowest versions that a broker tells, and has gzip built in and snappy as a package."""

from harness.paths import CLIENTS
from harness.programs import claims
from harness.toolchains import build_node


def build():
    return ["node", build_node(CLIENTS / "kafkajs") / "program.js"]


claims(build, ["none", "gzip", "snappy"])
