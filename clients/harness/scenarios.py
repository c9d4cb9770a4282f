"""Registers scenarios and runs them one by one, each in a fresh topic, with a time limit and one line of outcome."""

import importlib
import re
import signal
import sys
import time
import traceback
import uuid
from dataclasses import dataclass, field
from typing import Callable

SCENARIO_SECONDS_MAX = 180


class Skipped(Exception):
    """The scenario does not apply to this broker."""


@dataclass(frozen=True)
class Scenario:
    client: str
    name: str
    run: Callable
    tier: int
    seconds_max: int
    restarts: bool
    only: str


REGISTRY: list[Scenario] = []


def scenario(tier=1, seconds_max=SCENARIO_SECONDS_MAX, restarts=False, only="", each=None):
    """Registers a function of (context) or, with `each`, of (context, value) once per value.

    Tier 1 runs in every CI run, tier 2 in the long form. `restarts` needs a broker that this run owns; `only` names
    the broker that the claim is about.
    """

    def register(function):
        client = function.__module__.split(".")[0]
        for value in each if each is not None else [None]:
            name = function.__name__ if value is None else f"{function.__name__}[{value}]"
            run = function if value is None else (lambda context, value=value: function(context, value))
            REGISTRY.append(Scenario(client, name, run, tier, seconds_max, restarts, only))
        return function

    return register


@dataclass
class Context:
    """What a scenario gets: the broker, names that nobody else uses, an empty directory."""

    broker: object
    directory: object
    name: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:12]}")
    tier: int = 1

    @property
    def bootstrap(self):
        return self.broker.bootstrap

    @property
    def topic(self):
        return self.name

    @property
    def group(self):
        return f"{self.name}-group"


def load(clients):
    for client in clients:
        importlib.import_module(f"{client}.scenarios")
    return [one for one in REGISTRY if one.client in clients]


def on_alarm(_signal, _frame):
    raise TimeoutError("the scenario's time is up")


def run_one(one, broker, directory, tier):
    """(outcome, explanation): ok, FAILED or skipped."""
    if one.only and broker.name != one.only:
        return "skipped", f"only for {one.only}"
    if one.restarts and not broker.owned:
        return "skipped", "needs a broker that may be restarted"
    directory.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(one.seconds_max)
    try:
        if not broker.alive():
            broker.process = None
            broker.start()
        one.run(Context(broker, directory, tier=tier))
        if not broker.alive():
            raise AssertionError("the broker died")
        return "ok", ""
    except Skipped as reason:
        return "skipped", str(reason)
    except Exception:  # noqa: BLE001 - whatever a scenario throws is its failure, and the next one still runs
        return "FAILED", traceback.format_exc() + "\nthe broker's log ends with:\n" + broker.log_tail()
    finally:
        signal.alarm(0)


def run_all(scenarios, broker, directory, tier, out=sys.stdout):
    """Runs them in order, prints a line for each and the totals; outcome and explanation of each."""
    passed, failures, outcomes = 0, [], []
    for one in scenarios:
        started = time.monotonic()
        outcome, why = run_one(one, broker, directory / re.sub(r"\W+", "_", f"{one.client}_{one.name}"), tier)
        seconds = time.monotonic() - started
        outcomes.append((one, outcome, why))
        note = f"  ({why})" if outcome == "skipped" else ""
        print(f"{one.client:<12} {one.name:<58} {outcome:<8} {seconds:6.1f} s{note}", file=out, flush=True)
        if outcome == "ok":
            passed += 1
        elif outcome == "FAILED":
            failures.append(one)
            print("    " + why.replace("\n", "\n    "), file=out, flush=True)
    for one in failures:
        print(f"failed: {one.client} {one.name}", file=out)
    print(f"{passed} passed, {len(failures)} failed", file=out, flush=True)
    return outcomes


def table(outcomes):
    """Scenario by client, as Markdown: ok, FAILED, why it was skipped, or - where a client has no such scenario."""
    clients = list(dict.fromkeys(one.client for one, *_ in outcomes))
    rows = {}
    for one, outcome, why in outcomes:
        rows.setdefault(one.name, {})[one.client] = outcome if outcome != "skipped" else f"skipped: {why}"
    lines = ["# Scenarios by client", "", "Written by `clients/run --table`; `-` where a client has no such scenario.", ""]
    lines += ["| scenario | " + " | ".join(clients) + " |", "|---|" + "---|" * len(clients)]
    for name, cells in rows.items():
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells.get(client, "-") for client in clients) + " |")
    return "\n".join(lines) + "\n"
