"""The rdkafka crate (crates.io): librdkafka under Rust, futures and threads; compiled with the librdkafka in the crate."""

import os
import subprocess
import sys

from harness.paths import CLIENTS, TARGET
from harness.programs import claims
from harness.toolchains import once
from harness.wire import CODECS

HERE = CLIENTS / "rdkafka_rs"
FOLDER = TARGET / "rdkafka_rs"
# The first scenario of a run may wait for the compilers.
BUILD_SECONDS_MAX = 1_200


def build():
    sources = [HERE / "Cargo.toml", HERE / "Cargo.lock", *(HERE / "src").glob("*.rs")]

    def compile_all():
        subprocess.run(["cargo", "build", "--quiet", "--locked", "--manifest-path", str(HERE / "Cargo.toml")], check=True,
                       stdout=sys.stderr, env={**os.environ, "CARGO_TARGET_DIR": str(FOLDER)})

    once(TARGET / "rdkafka_rs.stamp", sources, compile_all)
    return [FOLDER / "debug" / "rdkafka_rs"]


claims(build, CODECS, tier=2, seconds_max=BUILD_SECONDS_MAX, more=[
    "offsets_sent_to_a_transaction_follow_it", "a_second_producer_fences_the_first",
    "a_static_member_returns_without_a_rebalance", "groups_are_listed_described_and_deleted",
    "topic_settings_change_live_and_say_where_they_come_from", "deleted_records_are_gone_for_every_reader"])
