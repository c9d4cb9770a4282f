"""Plays scenarios against both brokers at the same time and compares what came back."""

import itertools
import threading
import time
import traceback
from dataclasses import dataclass

from harness.referee.likeness import ABSENT, Likeness, differences
from harness.referee.play import Case, Play

READY_SECONDS_MAX = 60


@dataclass(frozen=True)
class Found:
    """One field that differs."""

    scenario: str
    name: str
    api: str
    version: int
    path: str
    kafka: object
    ours: object

    @property
    def case(self):
        return f"{self.name} ({self.api} {self.version})"


def ranges(speaker, port):
    """What a broker advertises, by API."""
    play = Play(speaker, port, "advertised", {}, 0)
    answer = play.outcome("ApiVersions", 3, {"clientSoftwareName": "referee", "clientSoftwareVersion": "1"}, "a")["answer"]
    play.end()
    return {one["apiKey"]: (one["minVersion"], one["maxVersion"]) for one in answer["apiKeys"]}


def await_ready(speaker, port):
    """A broker that listens may still lack its coordinators; their topics are made by the first who asks."""
    play = Play(speaker, port, "ready", {}, 0)
    deadline = time.monotonic() + READY_SECONDS_MAX

    def until(api, version, body, is_good):
        while not is_good(play.outcome(api, version, body, "a").get("answer")):
            assert time.monotonic() < deadline, f"{api} is not served after {READY_SECONDS_MAX} s"
            time.sleep(0.05)

    until("Metadata", 9, {"topics": []}, lambda answer: answer and len(answer["brokers"]) == 1)
    for key_type in (0, 1):
        until("FindCoordinator", 3, {"key": "ready", "keyType": key_type}, lambda answer: answer and answer["errorCode"] == 0)
    until("OffsetFetch", 8, {"groups": [{"groupId": "ready", "topics": []}]}, lambda answer: answer and answer["groups"][0]["errorCode"] == 0)
    until("InitProducerId", 4, {"transactionalId": "ready", "transactionTimeoutMs": 60_000}, lambda answer: answer and answer["errorCode"] == 0)
    play.end()


def play_all(scenarios, speaker, port, versions, started_ms):
    """The cases of each scenario, made comparable."""
    played = {}
    for scenario in scenarios:
        play = Play(speaker, port, scenario.name.replace("_", "-"), versions, started_ms)
        began = time.monotonic()
        try:
            scenario.run(play)
        except Exception:  # noqa: BLE001 - a scenario that one broker leads astray is a difference like any other
            play.cases.append(Case("the scenario itself", "-", 0, {"failed": traceback.format_exc(limit=-3)}))
        finally:
            play.end()
        likeness = Likeness(started_ms)
        likeness.learn(play.seen)
        cases = {(one.name, one.api, one.version): likeness.replaced(one.outcome) for one in play.cases}
        played[scenario.name] = (cases, time.monotonic() - began)
    return played


def play_both(scenarios, sides, versions, started_ms):
    """Both brokers at once, each with its own speaker; a list of two results."""
    played = [None, None]

    def one(index):
        played[index] = play_all(scenarios, *sides[index], versions, started_ms)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in played, "a side broke off"
    return played


def compare(scenario, kafka, ours):
    """(number of cases, how many are equal, what was found) of one scenario."""
    found, equal = [], 0
    keys = list(dict.fromkeys(itertools.chain(kafka, ours)))
    for key in keys:
        met = list(differing(kafka.get(key, ABSENT), ours.get(key, ABSENT)))
        equal += not met
        found += [Found(scenario, *key, *one) for one in met]
    return len(keys), equal, found


def differing(kafka, ours):
    """Field by field when both answered; else one of them closed, is silent or was never asked."""
    if all(isinstance(side, dict) and "answer" in side for side in (kafka, ours)):
        for path, *values in differences(kafka, ours):
            yield path.removeprefix("answer."), *values
    elif kafka != ours:
        yield "outcome", kafka, ours
