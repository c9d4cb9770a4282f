"""librdkafka's own tool: built once from the sources in the crate rdkafka-sys, then run with -u and -l, whose table is read as `loadgen import`
reads it."""

import json
import shutil
import subprocess
from pathlib import Path

from harness.paths import TARGET

HERE = Path(__file__).resolve().parent
BUILD = TARGET / "rdkafka_performance"
TOOL = BUILD / "librdkafka" / "examples" / "rdkafka_performance"


def build():
    """Needs a C compiler, make and bash; TLS, curl and zstd are left out."""
    if TOOL.exists():
        return
    manifest = HERE / "Cargo.toml"
    told = subprocess.run(["cargo", "metadata", "--format-version", "1", "--manifest-path", manifest], capture_output=True, text=True, check=True)
    [package] = [one for one in json.loads(told.stdout)["packages"] if one["name"] == "rdkafka-sys"]
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(Path(package["manifest_path"]).parent / "librdkafka", BUILD / "librdkafka")
    quietly = {"cwd": BUILD / "librdkafka", "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["./configure", "--disable-ssl", "--disable-gssapi", "--disable-curl", "--disable-zstd"], **quietly)
    subprocess.run(["make", "-j2", "-C", "src", "librdkafka.a"], **quietly)
    subprocess.run(["make", "-C", "examples", "rdkafka_performance"], **quietly)


def last_row(table):
    """The totals of the run, by column."""
    columns, row = [], {}
    for line in (line for line in table.splitlines() if line.startswith("|")):
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if cells[0] == "elapsed":
            columns = cells
        else:
            row = dict(zip(columns, map(float, cells)))
    return row


def produce(bootstrap, topic, rate, seconds, record_bytes, linger_ms, batch_bytes):
    """Offers `rate` records a second; the tool has means and no percentiles."""
    told = subprocess.run([str(TOOL), "-P", "-u", "-l", "-t", topic, "-b", bootstrap, "-a", "-1", "-s", str(record_bytes), "-r", str(rate),
                           "-c", str(rate * seconds), "-X", f"linger.ms={linger_ms}", "-X", f"batch.size={batch_bytes}"],
                          capture_output=True, text=True, check=True, timeout=seconds * 3 + 60)
    row = last_row(told.stdout)
    return {"records_per_s": row["dr_m/s"], "mean_ms": row["lat_avg"]}
