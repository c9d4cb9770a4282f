"""The tools that look at a cluster as a whole, at its transactions, and at where its replicas are."""

import json

from harness.scenarios import scenario
from harness.waiting import until
from kafka_tools.tools import Tool, start

TOPIC = Tool("TopicCommand")
CONFIG = Tool("kafka.admin.ConfigCommand")
ACL = Tool("AclCommand")
PRODUCER = Tool("ConsoleProducer")
TRANSACTIONS = Tool("TransactionsCommand")
ELECTION = Tool("LeaderElectionCommand")
REASSIGN = Tool("reassign.ReassignPartitionsCommand")
RESET = Tool("StreamsResetter")


@scenario()
def transactions_command_lists_and_describes(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name}")
    start("org.apache.kafka.tools.ProducerPerformance", *(
        f"--topic {name} --num-records 100 --record-size 100 --throughput -1 --transactional-id {name}-id "
        f"--transaction-duration-ms 1000 --producer-props bootstrap.servers={context.bootstrap}").split()).end()

    def state():
        (row,) = [line.split() for line in TRANSACTIONS(context, "list").splitlines() if line.startswith(f"{name}-id")]
        return row[3]

    # The markers are written after the commit is answered.
    until("the commit is complete", lambda: state() == "CompleteCommit")
    row = TRANSACTIONS(context, f"describe --transactional-id {name}-id").splitlines()[1].split()
    assert row[1] == f"{name}-id" and row[4:6] == ["CompleteCommit", "60000"], row
    said = TRANSACTIONS(context, f"describe --transactional-id {name}-none", status=1)
    assert "failed because the ID could not be found" in said, said
    heading, *producers = TRANSACTIONS(context, f"describe-producers --topic {name} --partition 0").splitlines()
    assert heading.startswith("ProducerId") and len(producers) == 1 and producers[0].split()[-1] == "None", producers
    for words in ("", f"--topic {name}"):
        assert len(TRANSACTIONS(context, f"find-hanging --broker-id 1 {words}").splitlines()) == 1
    said = TRANSACTIONS(context, f"abort --topic {name} --partition 0 --start-offset 1", status=1)
    assert "Could not find any open transactions starting at offset 1" in said, said


@scenario()
def a_cluster_tells_its_id_its_nodes_and_its_apis(context):
    def ask(tool, *words):
        return start(f"org.apache.kafka.tools.{tool}", *words).end()

    assert ask("ClusterTool", "cluster-id", "--bootstrap-server", context.bootstrap).startswith("Cluster ID: ")
    rows = ask("ClusterTool", "list-endpoints", "--bootstrap-server", context.bootstrap).splitlines()[1:]
    assert context.bootstrap.split(":") in [row.split()[1:3] for row in rows], rows
    said = Tool("BrokerApiVersionsCommand")(context, "")
    assert f"{context.bootstrap} (id: " in said and "Produce(0): 0 to " in said and "Fetch(1): 4 to " in said, said
    Tool("FeatureCommand")(context, "describe")


@scenario()
def a_streams_application_is_reset(context):
    name = context.topic
    TOPIC(context, f"--create --topic {name}")
    PRODUCER(context, f"--topic {name}", stdin="1\n2\n3\n4\n")
    for words, offset in [("--to-offset 3", 3), ("", 0)]:
        said = RESET(context, f"--application-id {context.group} --input-topics {name} {words}")
        assert f"Topic: {name} Partition: 0 Offset: {offset}" in said, said


@scenario()
def the_preferred_leader_is_already_elected(context):
    TOPIC(context, f"--create --topic {context.topic}")
    said = ELECTION(context, f"--election-type preferred --topic {context.topic} --partition 0")
    assert f"Valid replica already elected for partitions {context.topic}-0" in said, said
    ELECTION(context, "--election-type preferred --all-topic-partitions")


@scenario()
def a_partition_that_stays_where_it_is_was_reassigned(context):
    TOPIC(context, f"--create --topic {context.topic}")
    assert "No partition reassignments found." in REASSIGN(context, "--list")
    plan = context.directory / "plan.json"
    plan.write_text(json.dumps({"version": 1, "topics": [{"topic": context.topic}]}))
    proposed = REASSIGN(context, "--generate --broker-list 1 --topics-to-move-json-file", plan).strip().splitlines()[-1]
    plan.write_text(proposed)
    assert f"Successfully started partition reassignment for {context.topic}-0" in REASSIGN(
        context, "--execute --reassignment-json-file", plan)
    assert f"Reassignment of partition {context.topic}-0 is completed." in REASSIGN(context, "--verify --reassignment-json-file", plan)


@scenario(tier=2)
def a_cluster_without_settings_of_groups_and_metrics_lists_none(context):
    said = CONFIG(context, "--entity-type groups --describe")
    assert "=" not in said, said
    assert Tool("ClientMetricsCommand")(context, "--list").strip() == ""


@scenario(tier=2)
def access_rules_are_refused_where_no_authorizer_is(context):
    rule = f"--topic {context.topic} --allow-principal User:somebody --operation Read"
    for words, refusal in [("--list", "No Authorizer is configured on the broker"), (f"--add {rule}", "No Authorizer is configured."),
                           (f"--remove --force {rule}", "No Authorizer is configured.")]:
        said = ACL(context, words, status=1)
        assert f"SecurityDisabledException: {refusal}\n" in said, said


@scenario(tier=2)
def settings_of_a_group_are_changed_and_go_again(context):
    group = f"{context.topic}-group"
    entity = f"--entity-type groups --entity-name {group}"

    def told():
        return CONFIG(context, f"{entity} --describe")

    CONFIG(context, f"{entity} --alter --add-config consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=7000")
    until("both are told", lambda: "consumer.session.timeout.ms=50000" in told() and "consumer.heartbeat.interval.ms=7000" in told())
    CONFIG(context, f"{entity} --alter --delete-config consumer.heartbeat.interval.ms")
    until("one is gone", lambda: "consumer.heartbeat.interval.ms" not in told())
    assert "consumer.session.timeout.ms=50000" in told(), told()
    CONFIG(context, f"{entity} --alter --delete-config consumer.session.timeout.ms")
    until("all are gone", lambda: "=" not in told())
