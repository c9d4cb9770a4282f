"""confluent-kafka (PyPI, current librdkafka) with its defaults; one module a subject, loaded in this order."""

import confluent.records  # noqa: F401
import confluent.groups  # noqa: F401
import confluent.consumer_groups  # noqa: F401
import confluent.offsets  # noqa: F401
import confluent.topics  # noqa: F401
import confluent.configs  # noqa: F401
import confluent.transactions  # noqa: F401
