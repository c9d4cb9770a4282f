"""The parts of results/compare_kafka: what is measured, how one repeat runs, how the repeats become a table."""
