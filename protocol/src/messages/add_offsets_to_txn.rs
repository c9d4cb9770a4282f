//! `AddOffsetsToTxn`: a group whose offsets a transaction is about to commit.

message! {
    /// The group to add.
    pub struct AddOffsetsToTxnRequest<'a>: request AddOffsetsToTxn {
        transactional_id: &'a str, 0..;
        producer_id: i64, 0..;
        producer_epoch: i16, 0..;
        group_id: &'a str, 0..;
    }

    /// What became of it.
    pub struct AddOffsetsToTxnResponse: response AddOffsetsToTxn {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
    }
}
