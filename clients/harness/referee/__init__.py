"""Apache Kafka as the referee of our broker: the same requests go to both, and every field of the answers is compared."""
