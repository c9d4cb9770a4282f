"""Kafka Connect 4.1.1 (Maven Central) with its file connectors, and MirrorMaker 2, which is made of it: a module a subject."""

import connect.distributed  # noqa: F401
import connect.mirror  # noqa: F401
import connect.standalone  # noqa: F401
