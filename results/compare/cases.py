"""What is measured. A case is one load; both brokers get it, turn about, in every repeat."""

from dataclasses import dataclass

CLIENTS = ("loadgen", "librdkafka")


@dataclass(frozen=True)
class Case:
    name: str
    client: str
    record_bytes: int
    partitions: int
    mode: str = "produce"
    rate: str = "0"

    def loadgen_arguments(self, plan):
        arguments = ["--mode", self.mode, "--rate", self.rate, "--record-bytes", str(self.record_bytes),
                     "--partitions", str(self.partitions), "--acks", "all", "--duration", f"{plan['duration_seconds']}s",
                     "--warmup", f"{plan['case_warmup_seconds']}s", "--producers", str(plan["producers"]),
                     "--batch-bytes", str(plan["batch_bytes"]), "--linger", f"{plan['linger_ms']}ms"]
        if self.mode == "consume":
            arguments += ["--prefill", plan["prefill"]]
        return arguments


def all_cases():
    """Full rate by size and partitions, latency at a fixed rate, consuming; then the same produce load by librdkafka."""
    cases = [Case(f"produce-{size}b-{partitions}p", "loadgen", size, partitions)
             for size in (100, 1000) for partitions in (1, 128)]
    cases += [Case(f"latency-20mbs-{partitions}p", "loadgen", 1000, partitions, rate="20MB/s")
              for partitions in (1, 128)]
    cases += [Case(f"consume-1000b-{partitions}p", "loadgen", 1000, partitions, mode="consume")
              for partitions in (1, 128)]
    cases += [Case(f"librdkafka-{size}b-{partitions}p", "librdkafka", size, partitions)
              for size in (100, 1000) for partitions in (1, 128)]
    return cases
