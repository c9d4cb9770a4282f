"""kafka-python 3 (PyPI), pure Python with idempotent producers by default."""

from harness.paths import CLIENTS, TARGET
from harness.programs import claims
from harness.toolchains import build_python

HERE = CLIENTS / "kafka_python"


def build():
    return [build_python(TARGET / "kafka_python", HERE / "requirements.txt"), HERE / "program.py"]


claims(build, ["none", "gzip", "snappy", "lz4", "zstd"])
