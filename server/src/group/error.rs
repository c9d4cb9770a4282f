//! Why a group request is refused: one variant for each of Kafka's codes that groups use.

use protocol::error_code::ErrorCode;

/// A refusal, named as Kafka names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The committed metadata string is too long.
    #[error("offset metadata is too large")]
    OffsetMetadataTooLarge,
    /// The coordinator's partition is still being replayed.
    #[error("coordinator is loading")]
    CoordinatorLoadInProgress,
    /// The coordinator could not persist the change.
    #[error("coordinator is not available")]
    CoordinatorNotAvailable,
    /// The caller speaks of another generation.
    #[error("generation is not the current one")]
    IllegalGeneration,
    /// Another node coordinates the group.
    #[error("another node coordinates the group")]
    NotCoordinator,
    /// No protocol is common to all members, or the type differs.
    #[error("protocol is inconsistent with the group's")]
    InconsistentGroupProtocol,
    /// The group id is empty.
    #[error("group id is invalid")]
    InvalidGroupId,
    /// The member is not in the group.
    #[error("member is unknown")]
    UnknownMemberId,
    /// The session timeout is outside the broker's bounds.
    #[error("session timeout is out of bounds")]
    InvalidSessionTimeout,
    /// The group is rebalancing, the member must join again.
    #[error("group is rebalancing")]
    RebalanceInProgress,
    /// The commit holds more than a group may.
    #[error("commit is too large")]
    InvalidCommitOffsetSize,
    /// The request breaks a bound of the broker.
    #[error("request is invalid")]
    InvalidRequest,
    /// The member must join again with the id that it is given.
    #[error("member id is required")]
    MemberIdRequired,
    /// The group is full.
    #[error("group has reached its maximum size")]
    GroupMaxSizeReached,
    /// Another member took over the instance id.
    #[error("instance id is fenced")]
    FencedInstanceId,
    /// A newer epoch of the producer has written here.
    #[error("producer epoch is not the newest")]
    InvalidProducerEpoch,
    /// The producer's transaction has ended.
    #[error("transaction is not open")]
    InvalidTxnState,
    /// There is no such group.
    #[error("group is unknown")]
    GroupIdNotFound,
    /// Only a group without members can be deleted.
    #[error("group has members")]
    NonEmptyGroup,
    /// The member's epoch is not the group's.
    #[error("member epoch is fenced")]
    FencedMemberEpoch,
    /// Another member has the instance id and has not left.
    #[error("instance id is not released")]
    UnreleasedInstanceId,
    /// The broker has no such assignor.
    #[error("assignor is not supported")]
    UnsupportedAssignor,
    /// The caller speaks of an epoch that the member is not in.
    #[error("member epoch is stale")]
    StaleMemberEpoch,
    /// The pattern is none.
    #[error("regular expression is invalid")]
    InvalidRegularExpression,
    /// Members of the consumer protocol speak newer versions.
    #[error("version is not supported")]
    UnsupportedVersion,
    /// A member reads the topic whose offsets were to be forgotten.
    #[error("group reads the topic")]
    GroupSubscribedToTopic,
}

impl GroupError {
    /// Kafka's code for it.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
            Self::CoordinatorLoadInProgress => ErrorCode::CoordinatorLoadInProgress,
            Self::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
            Self::IllegalGeneration => ErrorCode::IllegalGeneration,
            Self::NotCoordinator => ErrorCode::NotCoordinator,
            Self::InconsistentGroupProtocol => ErrorCode::InconsistentGroupProtocol,
            Self::InvalidGroupId => ErrorCode::InvalidGroupId,
            Self::UnknownMemberId => ErrorCode::UnknownMemberId,
            Self::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            Self::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            Self::InvalidCommitOffsetSize => ErrorCode::InvalidCommitOffsetSize,
            Self::InvalidRequest => ErrorCode::InvalidRequest,
            Self::MemberIdRequired => ErrorCode::MemberIdRequired,
            Self::GroupMaxSizeReached => ErrorCode::GroupMaxSizeReached,
            Self::FencedInstanceId => ErrorCode::FencedInstanceId,
            Self::InvalidProducerEpoch => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTxnState => ErrorCode::InvalidTxnState,
            Self::GroupIdNotFound => ErrorCode::GroupIdNotFound,
            Self::NonEmptyGroup => ErrorCode::NonEmptyGroup,
            Self::FencedMemberEpoch => ErrorCode::FencedMemberEpoch,
            Self::UnreleasedInstanceId => ErrorCode::UnreleasedInstanceId,
            Self::UnsupportedAssignor => ErrorCode::UnsupportedAssignor,
            Self::StaleMemberEpoch => ErrorCode::StaleMemberEpoch,
            Self::InvalidRegularExpression => ErrorCode::InvalidRegularExpression,
            Self::UnsupportedVersion => ErrorCode::UnsupportedVersion,
            Self::GroupSubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
        }
    }
}
