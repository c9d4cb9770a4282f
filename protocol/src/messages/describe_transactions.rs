//! `DescribeTransactions`: the state of transactional ids.

message! {
    /// Asks for transactional ids.
    pub struct DescribeTransactionsRequest<'a>: request DescribeTransactions {
        transactional_ids: Vec<&'a str>, 0..;
    }

    /// Their states.
    pub struct DescribeTransactionsResponse<'a>: response DescribeTransactions {
        throttle_time_ms: i32, 0..;
        transaction_states: Vec<DescribedTransaction<'a>>, 0..;
    }

    /// The state of one.
    pub struct DescribedTransaction<'a> {
        error_code: i16, 0..;
        transactional_id: &'a str, 0..;
        transaction_state: &'a str, 0..;
        transaction_timeout_ms: i32, 0..;
        transaction_start_time_ms: i64, 0..;
        producer_id: i64, 0..;
        producer_epoch: i16, 0..;
        topics: Vec<DescribedTransactionTopic<'a>>, 0..;
    }

    /// Partitions of one topic in it.
    pub struct DescribedTransactionTopic<'a> {
        topic: &'a str, 0..;
        partitions: Vec<i32>, 0..;
    }
}
