"""From the repeats to one table: median, smallest and largest of each figure, and the ratio of the medians."""

import json
from statistics import median

BROKERS = ("posthaste", "kafka")


def figures_of_loadgen(result):
    """{figure: value} of one result file of loadgen; what was not measured is absent."""
    stream = result["summary"].get("consume" if result["workload"].get("consumers") and "produce" not in result["summary"]
                                   else "produce") or {}
    figures = {}
    if rate := stream.get("achieved"):
        figures["MB/s"] = rate["bytes_per_s"] / 1e6
        figures["records/s"] = rate["records_per_s"]
    response = stream.get("latency", {}).get("response") or {}
    for name, label in (("p50_ns", "p50 ms"), ("p99_ns", "p99 ms"), ("p99_9_ns", "p99.9 ms")):
        if response.get(name) is not None:
            figures[label] = response[name] / 1e6
    broker = result["resources"].get("broker") or {}
    if broker.get("cpu_s_per_gb") is not None:
        figures["CPU s/GB"] = broker["cpu_s_per_gb"]
    if broker.get("rss_max_bytes") is not None:
        figures["RSS MB under load"] = broker["rss_max_bytes"] / 1e6
    return figures


def figures_of_librdkafka(result):
    return {"MB/s": result["bytes_per_s"] / 1e6, "records/s": result["records_per_s"],
            "CPU s/GB": result["broker_cpu_s_per_gb"], "RSS MB under load": result["broker_rss_max_bytes"] / 1e6}


def figures_of_starts(starts):
    return [{"start ms": one["start_seconds"] * 1e3, "RSS MB at idle": one["rss_idle_bytes"] / 1e6} for one in starts]


def marks(result):
    """What a reader must know about a repeat before its figures."""
    found = []
    if result.get("integrity", {}).get("verdict", "pass") != "pass":
        found.append(f"integrity {result['integrity']['verdict']}")
    quality = result.get("quality", {})
    found += [name for name in ("saturated", "client_limited") if quality.get(name)]
    if quality.get("steady") is False:
        found.append("not steady")
    return found


def repeats(folder, case, broker):
    return [json.loads(path.read_text()) for path in sorted((folder / case.name).glob(f"{broker}-r*.json"))]


def spread(values):
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rows_of(name, by_broker):
    """Markdown rows of one case; a figure that a side lacks has a dash."""
    labels = [label for figures in by_broker.values() for one in figures for label in one]
    rows = []
    for label in dict.fromkeys(labels):
        cells, medians = [], {}
        for broker in BROKERS:
            values = [one[label] for one in by_broker[broker] if one.get(label) is not None]
            cells.append(spread(values) if values else "-")
            if values:
                medians[broker] = median(values)
        ratio = f"{medians['posthaste'] / medians['kafka']:.2f}" if len(medians) == 2 and medians["kafka"] else "-"
        count = "/".join(str(len(by_broker[broker])) for broker in BROKERS)
        rows.append(f"| {name} | {label} | {' | '.join(cells)} | {ratio} | {count} |")
    return rows


def table(folder, cases, plan):
    lines = ["# Posthaste beside Apache Kafka", "",
             "Median (smallest-largest) of the repeats; ratio = Posthaste / Kafka. Posthaste flushes before every ack,",
             "Kafka runs with its defaults and does not. One machine, brokers and clients on the same cores, loopback.", "",
             f"Plan: `{json.dumps(plan, sort_keys=True)}`", "",
             "| case | figure | Posthaste | Kafka | ratio | repeats |", "|---|---|---|---|---|---|"]
    notes = []
    if (folder / "starts.json").exists():
        starts = json.loads((folder / "starts.json").read_text())
        lines += rows_of("start", {broker: figures_of_starts(starts[broker]) for broker in BROKERS})
    for case in cases:
        read = figures_of_librdkafka if case.client == "librdkafka" else figures_of_loadgen
        results = {broker: repeats(folder, case, broker) for broker in BROKERS}
        lines += rows_of(case.name, {broker: [read(one) for one in results[broker]] for broker in BROKERS})
        for broker in BROKERS:
            found = sorted({mark for one in results[broker] for mark in marks(one)})
            if found:
                notes.append(f"- {case.name}, {broker}: {', '.join(found)} in at least one repeat")
    return "\n".join(lines + ([""] + ["Marks of the repeats:"] + notes if notes else [])) + "\n"
