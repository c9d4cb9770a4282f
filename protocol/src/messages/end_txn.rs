//! `EndTxn`: commits or aborts a transaction. Version 5 also gives the producer its next epoch.

message! {
    /// The transaction to end.
    pub struct EndTxnRequest<'a>: request EndTxn {
        transactional_id: &'a str, 0..;
        producer_id: i64, 0..;
        producer_epoch: i16, 0..;
        committed: bool, 0..;
    }

    /// What became of it.
    pub struct EndTxnResponse: response EndTxn {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
    }
}
