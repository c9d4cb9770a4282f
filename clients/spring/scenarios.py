"""Spring Boot with spring-kafka, in Kotlin: one service for all scenarios, driven over HTTP; what it does is in src/main/kotlin."""

import atexit
import itertools
import json
import re
import struct
import subprocess
import threading
import urllib.request

from harness.brokers import die_with_parent
from harness.paths import CLIENTS, TARGET
from harness.scenarios import scenario
from harness.toolchains import build_maven
from harness.waiting import until
from harness.wire import Connection

BUILD = TARGET / "spring-build"
WAIT_SECONDS_MAX = 60


class Service:
    """The application as a child process, on a port of the system's choice, which its log tells."""

    def __init__(self, context):
        build_maven(CLIENTS / "spring", BUILD / "jars")
        self.topics, self.log_path = context.name, context.directory / "service.log"
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{BUILD / 'classes'}:{BUILD / 'jars'}/*",
                   "posthaste.letters.ApplicationKt", "--server.port=0", "--server.address=127.0.0.1", f"--topics={self.topics}",
                   f"--spring.kafka.bootstrap-servers={context.bootstrap}"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        atexit.register(self.process.kill)
        self.port = until("the service listens", self.announced_port)

    def announced_port(self):
        text = self.log_path.read_text(errors="replace")
        assert self.process.poll() is None, f"the service ended:\n{text[-4000:]}"
        found = re.search(r"Tomcat started on port (\d+)", text)
        return found and int(found[1])

    def call(self, path, body=None):
        """The answer to a GET or, with a body, a POST; text is sent as it is, anything else as JSON."""
        is_text = isinstance(body, str)
        data = None if body is None else (body if is_text else json.dumps(body)).encode()
        headers = {"Content-Type": "text/plain" if is_text else "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS_MAX) as answer:
            return json.loads(answer.read())

    def order(self, name, order, item="tea", failures=0):
        return self.call(f"/orders/{name}", {"id": order, "item": item, "failures": failures})

    def receipts(self, name, orders):
        """Waits until the listener has each of these orders, and gives all receipts of them."""
        def receipts():
            found = [one for one in self.call(f"/orders/{name}") if one["order"]["id"] in orders]
            return found if {one["order"]["id"] for one in found} == set(orders) else None

        return until(f"{name} has {len(orders)} orders", receipts)


SERVICES = {}


def service(context):
    """The one of this run: its topics are named after the scenario that came first."""
    if context.broker not in SERVICES:
        SERVICES[context.broker] = Service(context)
    return SERVICES[context.broker]


def stored(context, topic):
    """The bytes of every partition of a topic, as the harness's own client fetches them."""
    with Connection(context.bootstrap) as connection:
        _error, leaders = connection.metadata(topic)
    return {partition: stored_partition(context, topic, partition) for partition in leaders}


def stored_partition(context, topic, partition):
    whole, offset = b"", 0
    with Connection(context.bootstrap) as connection, Connection(connection.leader_address(topic, partition)) as leader:
        while True:
            error, high_watermark, data = leader.fetch(topic, offset, partition)
            assert error == 0, f"fetch error {error}"
            whole += data
            position = 0
            while position + 61 <= len(data):
                base, length = struct.unpack_from(">qi", data, position)
                offset = base + 1 + struct.unpack_from(">i", data, position + 23)[0]
                position += 12 + length
            if offset >= high_watermark:
                return whole


def ids_stored(context, topic):
    """The ids of the orders in a topic, in each partition's order; JSON is stored as it was written."""
    return [int(one) for data in stored(context, topic).values() for one in re.findall(rb'\{"id":(\d+),', data)]


@scenario()
def a_letter_sent_by_a_template_is_polled_once(context):
    letters = service(context)
    for offset, letter in enumerate(["first", "second"]):
        assert letters.call(f"/letters/{context.topic}", letter) == offset
        assert until(letter, lambda: letters.call(f"/letters/{context.topic}")) == [letter]
    assert b"second" in stored(context, context.topic)[0]


@scenario()
def declared_topics_have_their_partitions(context):
    topics = service(context).topics
    with Connection(context.bootstrap) as connection:
        for name, partitions in [("orders", 2), ("orders-dlt", 2), ("payments", 2), ("payments-retry", 1), ("payments-dlt", 1)]:
            error, leaders = connection.metadata(f"{topics}-{name}")
            assert (error, len(leaders)) == (0, partitions), f"{name}: error {error}, {leaders}"


@scenario()
def json_orders_reach_both_listeners_of_a_group_once(context):
    letters, orders, rounds = service(context), range(1_000, 1_040), itertools.count()

    def are_two():
        """The first of two members may own both partitions until the second has joined."""
        first = 10 * next(rounds)
        for order in range(first, first + 10):
            letters.order("orders", order)
        return len({one["listener"] for one in letters.receipts("orders", range(first, first + 10))}) == 2

    until("each partition has a listener of its own", are_two)
    partitions = {order: letters.order("orders", order, "Käse & \"日本\"") for order in orders}
    receipts = letters.receipts("orders", orders)
    assert len(receipts) == len(orders), f"{len(receipts)} receipts"
    assert all(one["partition"] == partitions[one["order"]["id"]] for one in receipts)
    assert {one["order"]["item"] for one in receipts} == {"Käse & \"日本\""}
    assert {one["partition"] for one in receipts} == {0, 1}
    assert len({(one["listener"], one["partition"]) for one in receipts}) == 2, "each partition has a listener of its own"


@scenario()
def an_order_that_keeps_failing_becomes_a_dead_letter(context):
    letters = service(context)
    partition = letters.order("orders", 2_000, failures=100)
    for order in range(2_001, 2_010):
        letters.order("orders", order, failures=1 if order == 2_005 else 0)
    letters.receipts("orders", range(2_001, 2_010))
    (receipt,) = letters.receipts("dead-letters", [2_000])
    assert receipt["partition"] == partition
    data = stored(context, f"{letters.topics}-orders-dlt")[partition]
    assert b'"id":2000,' in data and b"kafka_dlt-exception-message" in data and b'"id":2005,' not in data


@scenario()
def a_payment_that_fails_is_received_from_the_retry_topic(context):
    letters = service(context)
    for order, failures in [(3_000, 1), (3_001, 0), (3_002, 100)]:
        letters.order("payments", order, failures=failures)
    receipts = {one["order"]["id"]: one["topic"] for one in letters.receipts("payments", [3_000, 3_001])}
    assert receipts == {3_000: f"{letters.topics}-payments-retry", 3_001: f"{letters.topics}-payments"}, receipts
    (refused,) = letters.receipts("refused-payments", [3_002])
    assert refused["topic"] == f"{letters.topics}-payments-dlt"
    assert ids_stored(context, f"{letters.topics}-payments-retry").count(3_002) == 2


@scenario()
def a_transaction_of_the_template_is_seen_as_a_whole_or_not_at_all(context):
    letters = service(context)
    orders = [{"id": order, "item": "tea"} for order in range(4_000, 4_010)]
    assert letters.call("/transfers", orders[:4]) is True
    assert letters.call("/transfers", [*orders[4:7], {"id": 4_100, "item": ""}]) is False
    assert letters.call("/transfers", orders[7:]) is True
    seen = [4_000, 4_001, 4_002, 4_003, 4_007, 4_008, 4_009]
    letters.receipts("transfers", seen)
    assert sorted(one["order"]["id"] for one in letters.call("/orders/transfers")) == seen
    assert sorted(ids_stored(context, f"{letters.topics}-transfers")) == [*range(4_000, 4_010), 4_100]


@scenario(restarts=True, each=["sigterm", "sigkill"])
def a_service_loses_nothing_when_the_broker_is_restarted_by(context, signal):
    letters = service(context)
    first, count = (5_000, 400) if signal == "sigterm" else (6_000, 400)
    sent, halfway = [], threading.Event()

    def send():
        for order in range(first, first + count):
            letters.order("orders", order)
            sent.append(order)
            if len(sent) == count // 2:
                halfway.set()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    assert halfway.wait(WAIT_SECONDS_MAX), f"{len(sent)} orders were sent"
    if signal == "sigterm":
        context.broker.stop()
    else:
        context.broker.kill()
    context.broker.start()
    sender.join(WAIT_SECONDS_MAX)
    assert len(sent) == count, f"{len(sent)} of {count} orders were acknowledged"
    letters.receipts("orders", sent)
    kept = [one for one in ids_stored(context, f"{letters.topics}-orders") if one in range(first, first + count)]
    assert sorted(kept) == sent, f"{len(kept)} orders are stored, {len(set(kept))} different ones"
