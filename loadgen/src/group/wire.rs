//! Questions and answers of a member as Kafka's messages.

use std::time::Duration;

use protocol::Response;
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::messages::consumer_offsets::{decode_versioned, encode_versioned};
use protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolPartitions, ConsumerProtocolSubscription,
};
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic, OffsetFetchResponse};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use protocol::reader::DecodeError;

use super::question::{Answer, Question};
use super::{ASSIGNOR, Member, assignor};
use crate::client::Versions;
use crate::coordinator_link::Letter;
use crate::error::Error;

/// Kafka waits up to `max.poll.interval.ms`, five minutes, for members to join again; ours do so at once, and a run should not
/// wait that long for one that cannot.
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The layout of subscriptions and assignments that every client reads.
const MEMBERS_VERSION: i16 = 0;

const PROTOCOL_TYPE: &str = "consumer";

/// The newest version of each request that has one group, one member and topics by name.
fn newest(api: ApiKey) -> i16 {
    match api {
        ApiKey::JoinGroup | ApiKey::OffsetFetch => 7,
        ApiKey::SyncGroup | ApiKey::LeaveGroup => 5,
        ApiKey::OffsetCommit => 9,
        _ => 4,
    }
}

/// Writes a member's question.
pub fn encode(question: &Question, member: &Member, topic: &str, versions: &Versions) -> Result<Letter, Error> {
    let version = versions.choose(question.api(), newest(question.api()))?;
    let (group_id, member_id) = (member.group().id(), member.id());
    let generation_id = member.generation();
    let letter = match question {
        Question::Join => {
            let subscription = ConsumerProtocolSubscription { topics: vec![topic], ..Default::default() };
            let metadata = encode_versioned(&subscription, MEMBERS_VERSION);
            let protocols = vec![JoinGroupRequestProtocol { name: ASSIGNOR, metadata: &metadata }];
            let request = JoinGroupRequest {
                group_id,
                session_timeout_ms: member.settings().session_timeout.as_millis() as i32,
                rebalance_timeout_ms: REBALANCE_TIMEOUT.as_millis() as i32,
                member_id,
                protocol_type: PROTOCOL_TYPE,
                protocols,
                ..JoinGroupRequest::default()
            };
            Letter::new(&request, version)
        }
        Question::Sync(members) => sync(members, member, topic, version),
        Question::Locate(partitions) => {
            let partition_indexes = partitions.iter().map(|&(partition, _)| partition as i32).collect();
            let topics = Some(vec![OffsetFetchRequestTopic { name: topic, partition_indexes }]);
            let request = OffsetFetchRequest { group_id, topics, require_stable: true, ..Default::default() };
            Letter::new(&request, version)
        }
        Question::Heartbeat => {
            let request = HeartbeatRequest { group_id, generation_id, member_id, group_instance_id: None };
            Letter::new(&request, version)
        }
        Question::Commit(positions) => {
            let partitions = positions.iter().map(|&(partition, committed_offset)| OffsetCommitRequestPartition {
                partition_index: partition as i32,
                committed_offset,
                ..OffsetCommitRequestPartition::default()
            });
            let request = OffsetCommitRequest {
                group_id,
                generation_id_or_member_epoch: generation_id,
                member_id,
                topics: vec![OffsetCommitRequestTopic { name: topic, partitions: partitions.collect() }],
                ..OffsetCommitRequest::default()
            };
            Letter::new(&request, version)
        }
        Question::Leave => {
            let members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
            Letter::new(&LeaveGroupRequest { group_id, member_id, members }, version)
        }
    };
    // The coordinator may wait for all other members before it answers these.
    let waits_for_members = matches!(question, Question::Join | Question::Sync(_));
    Ok(Letter { patience: if waits_for_members { REBALANCE_TIMEOUT } else { Duration::ZERO }, ..letter })
}

/// The leader hands in what every member is to read.
fn sync(members: &[String], member: &Member, topic: &str, version: i16) -> Letter {
    let dealt = assignor::assign(members, member.group().partitions());
    let dealt: Vec<_> = dealt
        .into_iter()
        .map(|(member_id, partitions)| {
            let partitions = partitions.into_iter().map(|partition| partition as i32).collect();
            let assigned_partitions = vec![ConsumerProtocolPartitions { topic, partitions }];
            let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
            (member_id, encode_versioned(&assignment, MEMBERS_VERSION))
        })
        .collect();
    let assignments = dealt.iter().map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
    let request = SyncGroupRequest {
        group_id: member.group().id(),
        generation_id: member.generation(),
        member_id: member.id(),
        group_instance_id: None,
        protocol_type: Some(PROTOCOL_TYPE),
        protocol_name: Some(ASSIGNOR),
        assignments: assignments.collect(),
    };
    Letter::new(&request, version)
}

/// Reads the answer to a question in a version, which is about `topic` of so many partitions; the error is what is wrong with what
/// it says.
pub fn decode(
    bytes: &[u8],
    question: &Question,
    version: i16,
    topic: &str,
    partitions: u32,
) -> Result<Result<Answer, &'static str>, DecodeError> {
    let answer = match question {
        Question::Join => {
            let response = opened::<JoinGroupResponse<'_>>(bytes, version)?;
            let members = response.members.iter().map(|member| member.member_id.to_owned()).collect();
            let (code, generation) = (response.error_code, response.generation_id);
            Answer::Joined { code, generation, id: response.member_id.to_owned(), members }
        }
        Question::Sync(_) => {
            let response = opened::<SyncGroupResponse<'_>>(bytes, version)?;
            let code = response.error_code;
            let assigned = if code == 0 { assigned(response.assignment, topic, partitions) } else { Some(Vec::new()) };
            let Some(partitions) = assigned else { return Ok(Err("an assignment that is none of the topic")) };
            Answer::Synced { code, partitions }
        }
        Question::Locate(_) => {
            let response = opened::<OffsetFetchResponse<'_>>(bytes, version)?;
            let found =
                || response.topics.iter().filter(|found| found.name == topic).flat_map(|found| &found.partitions);
            let codes = found().map(|found| found.error_code);
            let code = first_error(std::iter::once(response.error_code).chain(codes));
            let offsets = found().map(|found| (found.partition_index as u32, found.committed_offset)).collect();
            Answer::Located { code, offsets }
        }
        Question::Commit(_) => {
            let response = opened::<OffsetCommitResponse<'_>>(bytes, version)?;
            let results = response.topics.iter().flat_map(|topic| &topic.partitions);
            Answer::Plain { code: first_error(results.map(|result| result.error_code)) }
        }
        Question::Heartbeat => {
            let response = opened::<HeartbeatResponse>(bytes, version)?;
            Answer::Plain { code: response.error_code }
        }
        Question::Leave => {
            let response = opened::<LeaveGroupResponse<'_>>(bytes, version)?;
            Answer::Plain { code: response.error_code }
        }
    };
    Ok(Ok(answer))
}

/// The partitions of an assignment, each once; `None` when it is none of ours. A member without any may get no bytes at all.
fn assigned(bytes: &[u8], topic: &str, partitions: u32) -> Option<Vec<u32>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (_, assignment) = decode_versioned::<ConsumerProtocolAssignment<'_>>(bytes).ok()?;
    let mut numbers = Vec::new();
    for part in &assignment.assigned_partitions {
        let known = part.partitions.iter().map(|&number| u32::try_from(number).ok().filter(|&one| one < partitions));
        numbers.extend(known.collect::<Option<Vec<u32>>>().filter(|_| part.topic == topic)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

fn first_error(mut codes: impl Iterator<Item = i16>) -> i16 {
    codes.find(|&code| code != 0).unwrap_or(0)
}

fn opened<'b, R: Response<'b>>(bytes: &'b [u8], version: i16) -> Result<R, DecodeError> {
    frame::decode_response::<R>(bytes, R::API, version).map(|(_, response)| response)
}
