//! `ListTransactions`: which transactional ids this broker coordinates.

message! {
    /// Asks for transactional ids, by state, producer and how long their transaction is open; no filter is all.
    pub struct ListTransactionsRequest<'a>: request ListTransactions {
        state_filters: Vec<&'a str>, 0..;
        producer_id_filters: Vec<i64>, 0..;
        duration_filter: i64, 1.., default -1;
    }

    /// The transactional ids.
    pub struct ListTransactionsResponse<'a>: response ListTransactions {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        unknown_state_filters: Vec<&'a str>, 0..;
        transaction_states: Vec<ListedTransaction<'a>>, 0..;
    }

    /// One of them.
    pub struct ListedTransaction<'a> {
        transactional_id: &'a str, 0..;
        producer_id: i64, 0..;
        transaction_state: &'a str, 0..;
    }
}
