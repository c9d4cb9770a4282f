"""Console, performance and verifiable clients."""

import json

from harness.scenarios import scenario
from harness.waiting import until
from kafka_tools.tools import Tool, start

TOPIC = Tool("TopicCommand")
PRODUCER = Tool("ConsoleProducer")
CONSUMER = Tool("consumer.ConsoleConsumer")
CONSUMER_PERFORMANCE = Tool("ConsumerPerformance")
PRODUCER_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"


@scenario()
def console_clients_pass_on_keys_headers_nulls_and_codecs(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name}")
    PRODUCER(context, f"--topic {name} --property parse.key=true --property parse.headers=true --property null.marker=NULL",
             stdin="h:1,g:2\tk1\tv1\nh:3\tk2\tNULL\nNULL\tNULL\tv3\n")
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        PRODUCER(context, f"--topic {name} --compression-codec {codec}", stdin="".join(f"{codec} {number}\n" for number in range(3)))
    shown = " ".join(f"--property print.{what}=true" for what in ("key", "headers", "offset", "partition"))
    said = CONSUMER(context, f"--topic {name} --from-beginning --max-messages 15 {shown}").splitlines()
    wanted = ["h:1,g:2\tk1\tv1", "h:3\tk2\tnull", "NO_HEADERS\tnull\tv3"]
    wanted += [f"NO_HEADERS\tnull\t{codec} {number}" for codec in ("gzip", "snappy", "lz4", "zstd") for number in range(3)]
    assert said[:15] == [f"Partition:0\tOffset:{offset}\t{line}" for offset, line in enumerate(wanted)], said
    assert CONSUMER(context, f"--topic {name} --partition 0 --offset 13 --max-messages 2").splitlines()[:2] == ["zstd 1", "zstd 2"]
    as_group = f"--topic {name} --group {context.group} --max-messages"
    assert CONSUMER(context, f"{as_group} 4 --from-beginning").splitlines()[:4] == ["v1", "null", "v3", "gzip 0"]
    assert CONSUMER(context, f"{as_group} 2 --isolation-level read_committed").splitlines()[:2] == ["gzip 1", "gzip 2"]


@scenario()
def performance_tools_move_every_record_also_in_transactions(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name} --partitions 2")
    common = f"--topic {name} --record-size 100 --throughput -1 --producer-props bootstrap.servers={context.bootstrap}"
    said = start(PRODUCER_PERFORMANCE, *f"--num-records 20000 {common} compression.type=lz4".split()).end()
    assert said.startswith("20000 records sent"), said
    said = start(PRODUCER_PERFORMANCE, *f"--num-records 1000 --transactional-id {name}-id --transaction-duration-ms 10 {common}".split()).end()
    assert said.startswith("1000 records sent"), said
    said = CONSUMER_PERFORMANCE(context, f"--topic {name} --messages 21000 --group {context.group}", "--timeout", "60000")
    assert said.splitlines()[1].split(", ")[4] == "21000", said
    start("org.apache.kafka.tools.EndToEndLatency", *f"{context.bootstrap} {name}-echo 20 all 100".split()).end()


@scenario()
def verifiable_clients_acknowledge_and_consume_each_record_once(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name} --partitions 2")
    # Its own end waits for the end of the JVM, so its acknowledgements come after its main.
    producer = Tool("VerifiableProducer").start(context, f"--topic {name} --max-messages 200 --throughput -1 --acks -1 --repeating-keys 5")
    until("200 acknowledged", lambda: producer.output().count("producer_send_success") == 200)
    events = [json.loads(line) for line in producer.output().splitlines()]
    places = {(one["partition"], one["offset"]) for one in events if one["name"] == "producer_send_success"}
    assert len(places) == 200, places
    for words in ("", "--enable-autocommit --group-instance-id one"):
        group = f"{context.group}{len(words)}"
        said = Tool("VerifiableConsumer")(context, f"--topic {name} --group-id {group} --max-messages 200 --reset-policy earliest --verbose {words}")
        events = [json.loads(line) for line in said.splitlines()]
        read = [(one["partition"], one["offset"]) for one in events if one["name"] == "record_data"]
        assert len(read) == 200 and set(read) == places, said[-500:]
        assert any(one["name"] == "partitions_assigned" and len(one["partitions"]) == 2 for one in events), said[:500]
