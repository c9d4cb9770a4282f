"""The scenarios of the referee, a file a subject. What they expect is nowhere: whatever Apache Kafka answers is right."""

import importlib

SUBJECTS = ["cluster", "topics", "partitions", "configs", "group_configs", "produce", "idempotence", "fetch", "sessions", "offsets", "coordinators", "membership", "rebalance",
            "commits", "group_admin", "consumer_groups", "transactions", "transaction_offsets", "access_rules", "frames", "unanswered", "restart"]


def load():
    for subject in SUBJECTS:
        importlib.import_module(f"referee_cases.{subject}")
