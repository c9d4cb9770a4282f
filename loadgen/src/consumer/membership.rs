//! A consumer as a member of its group: which partitions it reads is the group's to say.

use std::sync::Arc;

use mio::{Registry, Token};

use super::{Consumer, ConsumerSettings, Lane, Link};
use crate::cluster::Coordinated;
use crate::connection;
use crate::coordinator_link::{Answered, CoordinatorLink};
use crate::error::Error;
use crate::group::{self, Change, Group, Member, Question};

/// A consumer's place in its group.
#[derive(Debug)]
pub(super) struct Membership {
    group: Arc<Group>,
    member: Member,
    link: CoordinatorLink<Question>,
    is_away: bool,
}

impl Membership {
    /// Connects to the coordinator; `None` when partitions are dealt out without one.
    pub(super) fn open(
        group: u32,
        settings: &ConsumerSettings,
        registry: &Registry,
        token: usize,
    ) -> Result<Option<Self>, Error> {
        let Some(group_settings) = settings.group_settings else { return Ok(None) };
        let Some(group) = settings.groups.get(group as usize).cloned() else { return Ok(None) };
        let subject = Coordinated::Group(group.id().to_owned());
        let link = CoordinatorLink::open(subject, &settings.topic, registry, Token(token))?;
        let member = Member::new(group.clone(), group_settings);
        Ok(Some(Self { group, member, link, is_away: false }))
    }

    pub(super) fn group(&self) -> &Group {
        &self.group
    }
}

impl Consumer {
    /// Takes part in the group: joins, commits, says that it lives, comes and goes. Call it before `poll`.
    pub fn tend(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        let Self { membership: Some(membership), settings, .. } = self else { return Ok(()) };
        let Membership { link, is_away, .. } = membership;
        if !*is_away {
            if settings.survives_losses {
                link.recover(&settings.topic, registry, now_ns)?;
            }
            let sought = link.tend(&settings.topic, now_ns);
            self.endure_coordinator(now_ns, sought)?;
        }
        let Self { membership: Some(membership), .. } = self else { return Ok(()) };
        let may_ask = membership.is_away || membership.link.is_free();
        let positions = || {
            let lanes = self.links.iter().flat_map(|link| &link.reading.lanes);
            lanes.map(|(&partition, lane)| (partition, lane.next_offset)).collect()
        };
        let (change, question) = membership.member.tend(now_ns, may_ask, positions)?;
        self.apply(change, now_ns, registry)?;
        let Self { membership: Some(membership), settings, .. } = self else { return Ok(()) };
        let Some(question) = question else { return Ok(()) };
        let topic = &settings.topic;
        let letter = group::encode(&question, &membership.member, &topic.name, &topic.versions)?;
        let asked = membership.link.ask(question, letter, now_ns);
        self.endure_coordinator(now_ns, asked)
    }

    /// The socket of the coordinator became readable or writable.
    pub fn on_coordinator_ready(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        let Self { membership: Some(membership), settings, .. } = self else { return Ok(()) };
        let Membership { group, member, link, is_away } = membership;
        if *is_away {
            return Ok(());
        }
        let answered = match link.exchange(registry, now_ns) {
            Ok(Some(answered)) => answered,
            Ok(None) => return Ok(()),
            Err(error) => return self.endure_coordinator(now_ns, Err(error)),
        };
        let Answered { question, version, sent_ns, bytes } = answered;
        let (api, address) = (question.api(), || link.address().to_owned());
        let decoded = group::decode(&bytes, &question, version, &settings.topic.name, group.partitions());
        let answer = decoded
            .map_err(|source| Error::Decode { api, address: address(), source })?
            .map_err(|what| Error::Answer { api, address: address(), what })?;
        let change = member.take(&question, answer, sent_ns, now_ns)?;
        self.apply(change, now_ns, registry)?;
        self.tend(now_ns, registry)
    }

    /// Which socket is the coordinator's, counted from the consumer's first.
    pub fn is_coordinator(&self, socket: usize) -> bool {
        socket == self.links.len()
    }

    /// Whether everything below `targets` was read and the group is left.
    pub fn has_ended(&mut self, targets: &[i64]) -> bool {
        let has_reached = self.has_reached(targets);
        let Some(membership) = &mut self.membership else { return has_reached };
        if has_reached {
            membership.member.end();
        }
        membership.member.is_gone()
    }

    /// Whether it has partitions, or knows that there are none for it.
    pub fn is_assigned(&self) -> bool {
        self.membership.as_ref().is_none_or(|membership| membership.group.is_whole())
    }

    /// Not a member for a while, and without connections.
    pub(super) fn is_away(&self) -> bool {
        self.membership.as_ref().is_some_and(|membership| membership.is_away)
    }

    fn apply(&mut self, change: Change, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        let Some(membership) = &mut self.membership else { return Ok(()) };
        match change {
            Change::None => {}
            Change::Seek => membership.link.seek(now_ns),
            Change::Revoked => self.read(&[]),
            Change::Assigned(starts) => self.read(&starts),
            Change::Dies | Change::Away => self.go_away(),
            Change::Returns => {
                membership.is_away = false;
                membership.link.reopen(registry)?;
                for (broker, link) in self.links.iter_mut().enumerate() {
                    let Link { receiver, reading } = link;
                    let token = Token(self.first_token + broker);
                    connection::reopen(&mut reading.sender, receiver, registry, token)?;
                }
            }
        }
        Ok(())
    }

    /// Closes every connection: it is no member now.
    fn go_away(&mut self) {
        let Some(membership) = &mut self.membership else { return };
        membership.is_away = true;
        membership.link.close();
        self.read(&[]);
        self.links.iter_mut().for_each(|link| link.reading.hang_up());
    }

    /// From now on these partitions are read and no others.
    fn read(&mut self, starts: &[(u32, i64)]) {
        let Some(membership) = &self.membership else { return };
        for (broker, link) in self.links.iter_mut().enumerate() {
            let led = starts.iter().filter(|start| self.settings.topic.leaders[start.0 as usize] == broker);
            let lanes = led.map(|&(partition, next_offset)| {
                let book = membership.group.book(partition).clone();
                (partition, Lane::of(partition, next_offset, book, &self.settings))
            });
            link.reading.change_lanes(lanes.collect());
        }
    }

    /// A lost connection ends the run, unless losses are planned.
    fn endure_coordinator(&mut self, now_ns: u64, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Err(Error::Io { .. } | Error::Connect { .. }) if self.settings.survives_losses => {
                self.settings.signals.note_trouble(now_ns);
                self.lose_coordinator(now_ns);
                Ok(())
            }
            other => other,
        }
    }

    /// The coordinator's connection is gone, and with it the answer to the open question.
    pub(super) fn lose_coordinator(&mut self, now_ns: u64) {
        let Some(membership) = self.membership.as_mut().filter(|membership| !membership.is_away) else { return };
        // Who wanted to leave has left, whether it was told so or not.
        if membership.link.lose(now_ns).is_some_and(|question| membership.member.note_lost(&question)) {
            self.go_away();
        }
    }
}
