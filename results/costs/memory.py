"""What a broker holds while something happens: the kernel's own count, and for ours what its admin page tells of its budgets."""

import threading
from pathlib import Path

LOOK_SECONDS = 0.5
# Makes the kernel forget the peak so far, so that the next one is that of the window.
FORGET_PEAK = "5"


class MemoryWatch:
    """Watches from its entry to its exit; then `figures` has the peaks in units of 2^20 bytes: of the resident memory, and of what the budgets of our
    broker held together. Bytes that several purposes hold count in each, so that the second may also be the larger one."""

    def __init__(self, broker):
        self.broker, self.stopping = broker, threading.Event()
        self.has_page = hasattr(broker, "metrics")
        self.held, self.failures = 0.0, []
        self.figures = {}

    def __enter__(self):
        Path(f"/proc/{self.broker.pid}/clear_refs").write_text(FORGET_PEAK)
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def look(self):
        while self.has_page and not self.stopping.wait(LOOK_SECONDS):
            try:
                self.held = max(self.held, self.broker.metrics()["posthaste_memory_bytes"])
            except OSError as error:  # it is raised at the exit
                self.failures.append(error)
                return

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join()
        if self.failures and kind is None:
            raise RuntimeError("the admin page does not answer") from self.failures[0]
        self.figures = {"resident_mib": peak_bytes(self.broker.pid) / 2**20}
        if self.has_page:
            self.figures["held_mib"] = self.held / 2**20


def peak_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM")
