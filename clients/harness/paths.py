"""Where things are in the tree; everything that a run makes lies under target/."""

from pathlib import Path

CLIENTS = Path(__file__).resolve().parent.parent
TOP = CLIENTS.parent
TARGET = TOP / "target" / "clients"
POSTHASTE_BINARY = TOP / "target" / "release" / "posthaste"
