//! The records of `__transaction_state`, in Kafka's own layout. Each key and value starts with its version.

message! {
    /// The key of a transactional id.
    pub struct TransactionLogKey<'a>: record (0..=0) {
        transactional_id: &'a str, 0..;
    }

    /// Its producer and its transaction.
    pub struct TransactionLogValue<'a>: record (0..=0) {
        producer_id: i64, 0..;
        producer_epoch: i16, 0..;
        transaction_timeout_ms: i32, 0..;
        transaction_status: i8, 0..;
        transaction_partitions: Option<Vec<TransactionLogPartitions<'a>>>, 0..;
        transaction_last_update_timestamp_ms: i64, 0..;
        transaction_start_timestamp_ms: i64, 0..;
    }

    /// Partitions of one topic in it.
    pub struct TransactionLogPartitions<'a> {
        topic: &'a str, 0..;
        partition_ids: Vec<i32>, 0..;
    }
}
