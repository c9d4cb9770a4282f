"""Kafka's own command line tools, as operators type them: a module a subject."""

import kafka_tools.cluster  # noqa: F401
import kafka_tools.groups  # noqa: F401
import kafka_tools.records  # noqa: F401
import kafka_tools.topics  # noqa: F401
