//! `ConsumerGroupDescribe`: groups of the consumer protocol, with what each member has and shall have.

use std::collections::HashSet;

use protocol::error_code::ErrorCode;
use protocol::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};

use super::{authorized_operations, error_map};
use crate::catalog::Catalog;
use crate::group::{ConsumerGroupDescription, ConsumerMember, Event, Partitions, Refusal, Response};
use crate::request::{Answer, Call};

const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

pub async fn handle(call: &Call, request: ConsumerGroupDescribeRequest<'_>) -> Answer {
    let mut described = Vec::with_capacity(request.group_ids.len());
    let mut asked = HashSet::new();
    // A group that is named twice is described once: a short request must not make a huge answer.
    for group_id in request.group_ids.into_iter().filter(|group_id| asked.insert(*group_id)) {
        let group = group_id.to_owned();
        let event = move |token| Event::DescribeConsumers(token, group);
        let outcome = match call.broker.groups.ask(&call.broker, group_id, event).await {
            Ok(Response::DescribeConsumers(Ok(description))) => Ok(description),
            Ok(Response::DescribeConsumers(Err(refusal))) => Err((error_map::group(refusal.error), refusal.message)),
            Ok(_) => Err((ErrorCode::UnknownServerError.code(), None)),
            Err(error) => Err((error_map::group(error), Refusal::from(error).message)),
        };
        described.push((group_id, outcome));
    }
    let operations = authorized_operations::of_group(request.include_authorized_operations);
    let catalog = call.broker.catalog();
    let groups = described.iter().map(|(group_id, outcome)| match outcome {
        Ok(description) => group(group_id, description, operations, &catalog),
        Err((error_code, message)) => DescribedGroup {
            error_code: *error_code,
            error_message: message.as_deref(),
            group_id,
            ..Default::default()
        },
    });
    let groups = groups.collect();
    call.answer(&ConsumerGroupDescribeResponse { groups, ..Default::default() })
}

fn group<'a>(
    group_id: &'a str,
    description: &'a ConsumerGroupDescription,
    authorized_operations: i32,
    catalog: &'a Catalog,
) -> DescribedGroup<'a> {
    DescribedGroup {
        group_id,
        group_state: description.state.name(),
        group_epoch: description.epoch,
        assignment_epoch: description.target_epoch,
        assignor_name: description.assignor,
        members: description.members.iter().map(|(id, described)| member(id, described, catalog)).collect(),
        authorized_operations,
        ..Default::default()
    }
}

fn member<'a>(member_id: &'a str, member: &'a ConsumerMember, catalog: &'a Catalog) -> Member<'a> {
    let profile = &member.profile;
    Member {
        member_id,
        instance_id: profile.instance_id.as_deref(),
        rack_id: profile.rack_id.as_deref(),
        member_epoch: member.current.epoch,
        client_id: &profile.client_id,
        client_host: &profile.client_host,
        subscribed_topic_names: profile.topics.iter().map(String::as_str).collect(),
        // Empty where there is none, as in Kafka.
        subscribed_topic_regex: Some(profile.regex.as_deref().unwrap_or_default()),
        assignment: assignment(&member.current.assigned, catalog),
        target_assignment: assignment(&member.target, catalog),
        member_type: if profile.classic.is_some() { CLASSIC } else { CONSUMER },
    }
}

/// Topics that are gone have no name, and are left out as in Kafka.
fn assignment<'a>(partitions: &Partitions, catalog: &'a Catalog) -> Assignment<'a> {
    let topics = partitions.iter().filter_map(|(id, partitions)| {
        let topic_name = &catalog.topic_by_id(*id)?.name;
        Some(TopicPartitions { topic_id: *id, topic_name, partitions: partitions.iter().copied().collect() })
    });
    Assignment { topic_partitions: topics.collect() }
}
