"""Which versions of which APIs are compared: those that our broker advertises and the reference broker serves."""

# The names of Kafka's messages by key.
API_NAMES = {
    0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch", 10: "FindCoordinator", 11: "JoinGroup",
    12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup", 15: "DescribeGroups", 16: "ListGroups", 18: "ApiVersions", 19: "CreateTopics",
    20: "DeleteTopics", 21: "DeleteRecords", 22: "InitProducerId", 23: "OffsetForLeaderEpoch", 24: "AddPartitionsToTxn", 25: "AddOffsetsToTxn",
    26: "EndTxn", 28: "TxnOffsetCommit", 29: "DescribeAcls", 30: "CreateAcls", 31: "DeleteAcls", 32: "DescribeConfigs", 33: "AlterConfigs",
    35: "DescribeLogDirs", 37: "CreatePartitions", 42: "DeleteGroups", 44: "IncrementalAlterConfigs", 47: "OffsetDelete", 60: "DescribeCluster",
    61: "DescribeProducers", 65: "DescribeTransactions", 66: "ListTransactions", 68: "ConsumerGroupHeartbeat",
    69: "ConsumerGroupDescribe",
}
# Advertised by both brokers for the sake of old clients, served by neither.
PRODUCE_FIRST = 3


class Versions:
    """What each broker advertises: {key: (first, last)}."""

    def __init__(self, kafka, ours):
        self.kafka, self.ours = kafka, ours

    def both(self):
        table = {}
        for key, (first, last) in self.ours.items():
            kafka_first, kafka_last = self.kafka.get(key, (0, -1))
            name = API_NAMES.get(key, f"key {key}")
            if name == "Produce":
                first = PRODUCE_FIRST
            table[name] = list(range(max(first, kafka_first), min(last, kafka_last) + 1))
        return table

    def without_case(self, plays):
        """The advertised versions that no case asked for, as text."""
        asked = {(case.api, case.version) for play in plays for case in play.cases}
        missing = [f"{API_NAMES.get(key, f'key {key}')} {version}" for key, (first, last) in sorted(self.ours.items())
                   for version in range(first, last + 1) if (API_NAMES.get(key), version) not in asked]
        return ", ".join(missing)
