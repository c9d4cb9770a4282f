//! `ConsumerGroupHeartbeat`: a member of the consumer protocol joins, lives, changes or leaves, and hears what it may read (KIP-848).

use protocol::error_code::ErrorCode;
use protocol::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use uuid::Uuid;

use super::error_map;
use crate::group::{ConsumerHeartbeatRequest, Event, Partitions, Refusal, Response};
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_OWN_ID: i16 = 1;

pub async fn handle(call: &Call, request: ConsumerGroupHeartbeatRequest<'_>) -> Answer {
    let heartbeat = take_over(call, &request);
    let event = move |token| Event::ConsumerHeartbeat(token, heartbeat);
    let refusal = match call.broker.groups.ask(&call.broker, request.group_id, event).await {
        Ok(Response::ConsumerHeartbeat(Ok(heard))) => {
            return call.answer(&ConsumerGroupHeartbeatResponse {
                member_id: Some(&heard.member_id),
                member_epoch: heard.member_epoch,
                heartbeat_interval_ms: heard.heartbeat_interval_ms,
                assignment: heard.assignment.as_ref().map(assignment),
                ..Default::default()
            });
        }
        Ok(Response::ConsumerHeartbeat(Err(refusal))) => refusal,
        Ok(_) => return refused(call, ErrorCode::UnknownServerError.code(), None),
        Err(error) => Refusal::from(error),
    };
    refused(call, error_map::group(refusal.error), refusal.message.as_deref())
}

fn refused(call: &Call, error_code: i16, error_message: Option<&str>) -> Answer {
    call.answer(&ConsumerGroupHeartbeatResponse { error_code, error_message, ..Default::default() })
}

fn take_over(call: &Call, request: &ConsumerGroupHeartbeatRequest<'_>) -> ConsumerHeartbeatRequest {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let names = |names: &Vec<&str>| names.iter().map(|name| (*name).to_owned()).collect();
    let partitions =
        |topics: &Vec<TopicPartitions>| topics.iter().map(|topic| (topic.topic_id, topic.partitions.clone())).collect();
    ConsumerHeartbeatRequest {
        group_id: request.group_id.to_owned(),
        member_id: request.member_id.to_owned(),
        member_epoch: request.member_epoch,
        instance_id: owned(request.instance_id),
        rack_id: owned(request.rack_id),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        topics: request.subscribed_topic_names.as_ref().map(names),
        regex: owned(request.subscribed_topic_regex),
        assignor: owned(request.server_assignor),
        owned: request.topic_partitions.as_ref().map(partitions),
        client_id: call.client_id.clone(),
        client_host: format!("/{}", call.client.peer.ip()),
        makes_its_id: call.version >= FIRST_VERSION_WITH_OWN_ID,
        new_member_uuid: Uuid::new_v4(),
    }
}

fn assignment(partitions: &Partitions) -> Assignment {
    let topics = partitions
        .iter()
        .map(|(id, partitions)| TopicPartitions { topic_id: *id, partitions: partitions.iter().copied().collect() });
    Assignment { topic_partitions: topics.collect() }
}
