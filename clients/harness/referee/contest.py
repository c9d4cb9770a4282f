"""Plays scenarios against both brokers at the same time and compares what came back."""

import inspect
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


class Side:
    """One broker with its speaker, and what was played against it."""

    def __init__(self, speaker, broker):
        self.speaker = speaker
        self.broker = broker
        self.plays = {}
        self.seconds = {}
        self.rests = {}

    def begin(self, scenarios, versions, started_ms):
        """Plays them; one that yields has a rest."""
        for scenario in scenarios:
            play = Play(self.speaker, self.broker.port, scenario.name.replace("_", "-"), versions, started_ms)
            self.plays[scenario.name], self.seconds[scenario.name] = play, 0.0
            self.step(scenario.name, scenario.run, play)

    def go_on(self):
        """Plays what is left, after a restart."""
        rests, self.rests = self.rests, {}
        for name, rest in rests.items():
            self.step(name, next, rest, None)

    def step(self, name, function, *arguments):
        play, began = self.plays[name], time.monotonic()
        try:
            rest = function(*arguments)
            if inspect.isgenerator(rest):
                next(rest)
                self.rests[name] = rest
        except Exception:  # noqa: BLE001 - a scenario that one broker leads astray is a difference like any other
            play.cases.append(Case("the scenario itself", "-", 0, {"failed": traceback.format_exc(limit=-3)}))
        finally:
            play.end()
            self.seconds[name] += time.monotonic() - began

    def cases(self, name, started_ms):
        """The cases of a scenario, made comparable."""
        likeness = Likeness(started_ms)
        likeness.learn(self.plays[name].seen)
        return {(one.name, one.api, one.version): likeness.replaced(one.outcome) for one in self.plays[name].cases}


def at_once(sides, function):
    """Both sides at the same time, each in a thread of its own."""
    done = []
    threads = [threading.Thread(target=lambda side=side: (function(side), done.append(side))) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(sides), "a side broke off"


def play_both(scenarios, sides, versions, started_ms):
    """Scenarios that yield go on after both brokers were restarted."""
    at_once(sides, lambda side: side.begin(scenarios, versions, started_ms))
    if any(side.rests for side in sides):
        for side in sides:
            side.broker.restart()
            await_ready(side.speaker, side.broker.port)
        at_once(sides, Side.go_on)


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
