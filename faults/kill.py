"""kill -9 at random moments under load, at once restarted, sometimes killed again while it recovers."""

import time

from ledger import Check
from load import TOPICS, Load, create_topics, promised, watch_high_watermarks

# Rounds after which all records are read again, not only those since the last round.
FULL_EVERY = 20
# Rounds of one broker: beyond it each round would mostly read what many before it have read.
ROUNDS_ON_A_DIRECTORY = 40


def rounds(make_broker, directory, ledger_of, random, count):
    """Yields a line a round; raises at the first broken promise."""
    for first in range(0, count, ROUNDS_ON_A_DIRECTORY):
        broker = make_broker(directory / f"broker-{first}")
        yield from on_a_directory(broker, ledger_of(), random, min(ROUNDS_ON_A_DIRECTORY, count - first))


def on_a_directory(broker, ledger, random, count):
    broker.start()
    create_topics(broker.bootstrap)
    load = Load(broker.bootstrap, ledger, random).start()
    known = {}
    for number in range(1, count + 1):
        time.sleep(random.uniform(0.05, 1.2))
        if random.random() < 0.5:
            watch_high_watermarks(broker.bootstrap, ledger)
        load.check()
        before = ledger.copy()
        broker.kill()
        again = 0
        while random.random() < 0.3:
            # In the middle of recovery, or just as it begins to serve.
            broker.start_without_waiting()
            time.sleep(random.uniform(0, 0.2))
            broker.kill()
            again += 1
        broker.start()
        if number % FULL_EVERY == 0:
            known = {}
        read = Check(broker.bootstrap, before, TOPICS, promised("kill"), known).run()
        yield f"{before.count()} acknowledged, {read} read, killed {again} times more while starting, start {broker.start_seconds * 1000:.0f} ms"
    load.stop()
    watch_high_watermarks(broker.bootstrap, ledger)
    broker.kill()
    broker.start()
    Check(broker.bootstrap, ledger, TOPICS, promised("kill")).run()
    broker.stop()
