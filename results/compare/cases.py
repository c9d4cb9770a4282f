"""What is measured. A case is one load; both brokers get it, turn about, in every repeat."""

from dataclasses import dataclass

CLIENTS = ("loadgen", "librdkafka")
# batch.size of the two clients that everybody uses; linger.ms is 5 in both.
LIBRDKAFKA_BATCH, JAVA_BATCH = 1_000_000, 16_384


@dataclass(frozen=True)
class Case:
    name: str
    client: str
    record_bytes: int
    partitions: int
    mode: str = "produce"
    rate: str = "0"
    batch_bytes: int = LIBRDKAFKA_BATCH

    def loadgen_arguments(self, plan):
        arguments = ["--mode", self.mode, "--rate", self.rate, "--record-bytes", str(self.record_bytes),
                     "--partitions", str(self.partitions), "--acks", "all", "--duration", f"{plan['duration_seconds']}s",
                     "--warmup", f"{plan['case_warmup_seconds']}s", "--producers", str(plan["producers"]),
                     "--batch-bytes", str(self.batch_bytes), "--linger", f"{plan['linger_ms']}ms"]
        if self.mode == "consume":
            arguments += ["--prefill", plan["prefill"]]
        return arguments


def all_cases():
    """Full rate by size, partitions and batch, latency at a fixed rate, consuming; then produce by librdkafka itself."""
    cases = [Case(f"produce-{size}b-{partitions}p", "loadgen", size, partitions)
             for size in (100, 1000) for partitions in (1, 128)]
    cases += [Case(f"produce-1000b-{partitions}p-16k-batch", "loadgen", 1000, partitions, batch_bytes=JAVA_BATCH)
              for partitions in (1, 128)]
    cases += [Case(f"latency-20mbs-{partitions}p", "loadgen", 1000, partitions, rate="20MB/s", batch_bytes=JAVA_BATCH)
              for partitions in (1, 128)]
    cases += [Case(f"consume-1000b-{partitions}p", "loadgen", 1000, partitions, mode="consume")
              for partitions in (1, 128)]
    cases += [Case(f"librdkafka-{size}b-{partitions}p", "librdkafka", size, partitions)
              for size in (100, 1000) for partitions in (1, 128)]
    return cases
