"""What several scenarios do alike: bring a broker under load, and look at what is left of it."""

import time

from ledger import Check
from load import TOPICS, Load, create_topics, promised, watch_high_watermarks


def under_load(broker, ledger, random):
    """A load that has gone on for a moment, and found nothing wrong."""
    create_topics(broker.bootstrap)
    load = Load(broker.bootstrap, ledger, random).start()
    time.sleep(random.uniform(0.2, 1.5))
    watch_high_watermarks(broker.bootstrap, ledger)
    load.check()
    return load


def check_what_is_left(other, before):
    """Starts another broker on the disk after a power cut; everything of `before` that survives one must be there. Gives the records read."""
    other.start()
    try:
        read = Check(other.bootstrap, before, TOPICS, promised("power")).run()
        other.stop()
        return read
    finally:
        other.end()
