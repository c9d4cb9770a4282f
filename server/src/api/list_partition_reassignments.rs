//! `ListPartitionReassignments`: partitions stay where they are, so that no move is ever under way.

use protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::request::{Answer, Call};

pub fn handle(call: &Call, _: &ListPartitionReassignmentsRequest<'_>) -> Answer {
    call.answer(&ListPartitionReassignmentsResponse::default())
}
