"""The differences that are meant: read from a list, each with its reason, and each must still occur."""

import json
import re
import tomllib
from dataclasses import dataclass, field


def matches(pattern, text):
    """Only * is special: paths hold brackets and dots."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def shown(value):
    """A value as it is printed and as the list writes it; absent ones and errors are text already."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass
class Meant:
    """One entry: where, which values (all of it with * for whatever stands there), and why."""

    scenario: str
    path: str
    reason: str
    case: str = "*"
    kafka: str = "*"
    ours: str = "*"
    # Ours is wrong, known, and not mended yet: it is told in the last line of a run.
    is_open: bool = False
    met: int = field(default=0)

    def explains(self, found):
        return (matches(self.scenario, found.scenario) and matches(self.case, found.case) and matches(self.path, found.path)
                and matches(self.kafka, shown(found.kafka)) and matches(self.ours, shown(found.ours)))

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
