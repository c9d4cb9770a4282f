//! What a member and its coordinator say to each other, and what an error code asks for.

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;

/// What a member asks its coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// To enter the next generation.
    Join,
    /// For its partitions; the leader brings those of all members.
    Sync(Vec<String>),
    /// For the positions of partitions, of which at least so much was promised to be known.
    Locate(Vec<(u32, i64)>),
    /// A sign of life.
    Heartbeat,
    /// To keep positions.
    Commit(Vec<(u32, i64)>),
    /// To be taken out.
    Leave,
}

/// What the coordinator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Join`]; the members are told to the leader only.
    Joined {
        /// Kafka's error code.
        code: i16,
        /// The new generation.
        generation: i32,
        /// The member's id.
        id: String,
        /// All members.
        members: Vec<String>,
    },
    /// To [`Question::Sync`].
    Synced {
        /// Kafka's error code.
        code: i16,
        /// What the member is to read.
        partitions: Vec<u32>,
    },
    /// To [`Question::Locate`].
    Located {
        /// Kafka's error code, the first that is none of success.
        code: i16,
        /// Committed positions, -1 where there is none.
        offsets: Vec<(u32, i64)>,
    },
    /// To all others.
    Plain {
        /// Kafka's error code, the first that is none of success.
        code: i16,
    },
}

/// What an error code asks for.
pub(super) enum Judgement {
    Fine,
    NeedsId,
    Again,
    Seek,
    Rejoin,
    Expelled { keeps_id: bool },
    Refused,
}

impl Question {
    /// The request that it is.
    pub fn api(&self) -> ApiKey {
        match self {
            Self::Join => ApiKey::JoinGroup,
            Self::Sync(_) => ApiKey::SyncGroup,
            Self::Locate(_) => ApiKey::OffsetFetch,
            Self::Heartbeat => ApiKey::Heartbeat,
            Self::Commit(_) => ApiKey::OffsetCommit,
            Self::Leave => ApiKey::LeaveGroup,
        }
    }
}

impl Answer {
    pub(super) fn code(&self) -> i16 {
        match self {
            Self::Joined { code, .. }
            | Self::Synced { code, .. }
            | Self::Located { code, .. }
            | Self::Plain { code } => *code,
        }
    }
}

/// What is to be done about an error code.
pub(super) fn judge(code: i16) -> Judgement {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Judgement::Fine,
        Some(ErrorCode::MemberIdRequired) => Judgement::NeedsId,
        Some(ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator) => Judgement::Seek,
        Some(ErrorCode::RebalanceInProgress) => Judgement::Rejoin,
        Some(ErrorCode::UnknownMemberId) => Judgement::Expelled { keeps_id: false },
        Some(ErrorCode::IllegalGeneration) => Judgement::Expelled { keeps_id: true },
        Some(passing) if passing.is_retriable() => Judgement::Again,
        _ => Judgement::Refused,
    }
}
