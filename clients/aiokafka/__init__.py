"""A package, so that an aiokafka installed beside the harness cannot take its name."""
