"""Waits for what becomes so some time after a broker or a program has answered."""

import time

# Longer than any of it takes on a busy machine; reaching it is a failure, not a measurement.
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.05


def until(what, is_so):
    """What `is_so` returned once that was true. `what` names it for who reads the failure, or is called for that."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (got := is_so()):
        assert time.monotonic() < deadline, f"after {PATIENCE_SECONDS} s still not: {what() if callable(what) else what}"
        time.sleep(PAUSE_SECONDS)
    return got
