"""Those who want to be left alone: three quiet topics, each with a producer and a consumer of its own."""

from .measured import loadgen, result_of

TOPICS = ("orders", "payments", "notifications")
# A partition on each of two shards, and every record on its own as soon as it is due, however many are unanswered: enough of them for a p99.
LOAD = ("--mode", "both", "--rate", "300", "--record-bytes", "1000", "--partitions", "2", "--producers", "1", "--consumers", "1",
        "--linger", "0ms", "--in-flight", "200", "--warmup", "1s", "--ceiling", "off")
FIGURES = {"produce_p50": ("produce", "response", "p50_ns"), "produce_p99": ("produce", "response", "p99_ns"),
           "end_to_end_p50": ("consume", "end_to_end", "p50_ns"), "end_to_end_p99": ("consume", "end_to_end", "p99_ns")}


def run_of_each(broker, directory, name, seconds):
    """The results of the three, one a topic. Every record must have arrived once and in order, or it is an error."""
    files = [directory / f"{name}-{topic}.json" for topic in TOPICS]
    runs = [loadgen(broker, file, *LOAD, "--duration", f"{seconds}s") for file in files]
    for run in runs:
        run.wait()
    return [result_of(run, file) for run, file in zip(runs, files)]


def latencies(broker, directory, name, seconds):
    """Milliseconds of the slowest of the three, figure by figure."""
    results = run_of_each(broker, directory, name, seconds)
    return {figure: max(milliseconds(result, *path) for result in results) for figure, path in FIGURES.items()}


def milliseconds(result, side, kind, percentile):
    latency = result["summary"][side]["latency"][kind]
    if percentile not in latency:
        raise RuntimeError(f"too few batches for {percentile} of {side}: a longer --duration has more: {latency}")
    return latency[percentile] / 1e6
