"""The differences that are meant: read from a list, each with its reason, and each must still occur."""

import re
import tomllib
from dataclasses import dataclass, field


def matches(pattern, text):
    """Only * is special: paths hold brackets and dots."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


@dataclass
class Meant:
    """One entry: where, optionally which values, and why."""

    scenario: str
    path: str
    reason: str
    case: str = "*"
    kafka: object = None
    ours: object = None
    met: int = field(default=0)

    def explains(self, found):
        return (matches(self.scenario, found.scenario) and matches(self.case, found.case) and matches(self.path, found.path)
                and self.kafka in (None, found.kafka) and self.ours in (None, found.ours))

    def __str__(self):
        return f"{self.scenario} / {self.case} / {self.path}: {self.reason}"


def read(path):
    return [Meant(**entry) for entry in tomllib.loads(path.read_text()).get("difference", [])]


def explain(found, meant):
    """Whether an entry of the list explains it; all that do are counted."""
    entries = [entry for entry in meant if entry.explains(found)]
    for entry in entries:
        entry.met += 1
    return bool(entries)


def stale(meant, all_names, names_run):
    """The entries that explained nothing, although every scenario that they speak of ran."""
    def due(entry):
        spoken_of = {name for name in all_names if matches(entry.scenario, name)}
        return spoken_of <= set(names_run)

    return [entry for entry in meant if entry.met == 0 and due(entry)]
