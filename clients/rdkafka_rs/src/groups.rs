//! Groups: members that share a topic, and what is told of them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::session::{Outcome, PATIENCE, Session, ensure, one, options, until};

/// Counts how often a member was told to give partitions back.
#[derive(Default)]
struct Revocations(AtomicUsize);

impl ClientContext for Revocations {}

impl ConsumerContext for Revocations {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Revoke(_)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A member of the session's group that reads and commits in a thread of its own.
pub struct Member {
    consumer: Arc<BaseConsumer<Revocations>>,
    state: Arc<State>,
    thread: JoinHandle<Outcome>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<(i32, i64)>>,
    ended: AtomicBool,
}

impl Member {
    pub fn join(session: &Session, settings: &[(&str, &str)]) -> Outcome<Self> {
        let consumer: BaseConsumer<Revocations> =
            session.member(settings).create_with_context(Revocations::default())?;
        let consumer = Arc::new(consumer);
        consumer.subscribe(&[&session.topic])?;
        let state = Arc::new(State::default());
        let thread = {
            let (consumer, state) = (Arc::clone(&consumer), Arc::clone(&state));
            std::thread::spawn(move || run(&consumer, &state))
        };
        Ok(Self { consumer, state, thread })
    }

    /// Partitions that it owns.
    pub fn owned(&self) -> Outcome<HashSet<i32>> {
        ensure(!self.thread.is_finished(), || "a member ended".to_owned())?;
        Ok(self.consumer.assignment()?.elements().iter().map(|place| place.partition()).collect())
    }

    fn revocations(&self) -> usize {
        self.consumer.context().0.load(Ordering::Relaxed)
    }

    /// Partition and offset of each record, as they came.
    pub fn seen(&self) -> Outcome<Vec<(i32, i64)>> {
        Ok(self.state.seen.lock().map_err(|_| "the member failed")?.clone())
    }

    /// Ends its thread and leaves the group; what broke it is told here.
    pub fn leave(self) -> Outcome {
        self.state.ended.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the member failed")?
    }
}

fn run(consumer: &BaseConsumer<Revocations>, state: &State) -> Outcome {
    let mut committed = HashMap::new();
    while !state.ended.load(Ordering::Relaxed) {
        let Some(next) = consumer.poll(Duration::from_millis(100)) else { continue };
        // Broken connections are told as errors; the client goes on by itself.
        let Ok(message) = next else { continue };
        let (partition, offset) = (message.partition(), message.offset());
        let least = committed.get(&partition).copied().unwrap_or(0);
        ensure(offset >= least, || format!("{offset} of {partition} comes again, {least} is committed"))?;
        state.seen.lock().map_err(|_| "poisoned")?.push((partition, offset));
        if consumer.commit_message(&message, CommitMode::Sync).is_ok() {
            committed.insert(partition, offset + 1);
        }
    }
    Ok(())
}

fn total(members: &[&Member]) -> Outcome<usize> {
    members.iter().map(|member| member.seen().map(|seen| seen.len())).sum()
}

pub async fn shared_topic(session: &Session) -> Outcome {
    session.create(4).await?;
    let (first, second) = (Member::join(session, &[])?, Member::join(session, &[])?);
    until("two partitions each", || Ok(first.owned()?.len() == 2 && second.owned()?.len() == 2)).await?;
    session.send(400, 4).await?;
    until("all records", || Ok(total(&[&first, &second])? >= 400)).await?;
    let read = first.seen()?;
    ensure(!read.is_empty() && !second.seen()?.is_empty(), || "one of them read nothing".to_owned())?;
    first.leave()?;
    until("the other takes over", || Ok(second.owned()?.len() == 4)).await?;
    session.send(100, 4).await?;
    until("the rest", || Ok(read.len() + total(&[&second])? >= 500)).await?;
    let count = read.len() + total(&[&second])?;
    let each: HashSet<_> = read.into_iter().chain(second.seen()?).collect();
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(&session.topic, 0, 3);
    let committed = || -> Outcome<bool> {
        let found = second.consumer.committed_offsets(asked.clone(), PATIENCE)?;
        Ok(found.elements().iter().filter_map(|place| place.offset().to_raw()).sum::<i64>() == 500)
    };
    until("all is committed", committed).await?;
    ensure(each.len() == 500 && count == 500, || format!("{} records in {count}", each.len()))?;
    second.leave()
}

pub async fn static_member(session: &Session) -> Outcome {
    session.create(4).await?;
    let stays = Member::join(session, &[("group.instance.id", "stays")])?;
    let returns = Member::join(session, &[("group.instance.id", "returns")])?;
    until("two partitions each", || Ok(stays.owned()?.len() == 2 && returns.owned()?.len() == 2)).await?;
    let (owned, revocations) = (returns.owned()?, stays.revocations());
    returns.leave()?;
    let returns = Member::join(session, &[("group.instance.id", "returns")])?;
    until("two partitions again", || Ok(returns.owned()?.len() == 2)).await?;
    let again = returns.owned()?;
    ensure(again == owned, || format!("{owned:?} became {again:?}"))?;
    ensure(stays.revocations() == revocations, || "the other was disturbed".to_owned())?;
    returns.leave()?;
    stays.leave()
}

pub async fn described(session: &Session) -> Outcome {
    session.create(2).await?;
    let admin = session.admin()?;
    let told = |state: &str, members: usize| -> Outcome<bool> {
        let list = admin.inner().fetch_group_list(Some(&session.group), PATIENCE)?;
        let [group] = list.groups() else { return Ok(false) };
        Ok(group.name() == session.group && group.state() == state && group.members().len() == members)
    };
    let member = Member::join(session, &[("client.id", "a-member")])?;
    until("a group of one", || told("Stable", 1)).await?;
    let list = admin.inner().fetch_group_list(None, PATIENCE)?;
    let listed = list.groups().iter().find(|group| group.name() == session.group).ok_or("not listed")?;
    let (kind, assignor) = (listed.protocol_type().to_owned(), listed.protocol().to_owned());
    ensure(kind == "consumer" && assignor == "range", || format!("{kind} {assignor}"))?;
    ensure(listed.members()[0].client_id() == "a-member", || listed.members()[0].client_id().to_owned())?;
    let busy = one(admin.delete_groups(&[&session.group], &options()).await?)?;
    ensure(matches!(busy, Err((_, RDKafkaErrorCode::NonEmptyGroup))), || format!("{busy:?}"))?;
    member.consumer.commit(&session.place(Offset::Offset(7))?, CommitMode::Sync)?;
    member.leave()?;
    until("nobody is left", || told("Empty", 0)).await?;
    one(admin.delete_groups(&[&session.group], &options()).await?)?.map_err(|(_, code)| code)?;
    let gone = one(admin.delete_groups(&[&session.group], &options()).await?)?;
    ensure(matches!(gone, Err((_, RDKafkaErrorCode::GroupIdNotFound))), || format!("{gone:?}"))
}
