use std::time::Duration;

use super::*;
use crate::group::{Churn, Departure, PartitionBook};
use crate::integrity::PartitionSeen;
use crate::timeline::{SECOND_NS, Timeline};

const MS: u64 = 1_000_000;

fn settings() -> GroupSettings {
    GroupSettings {
        commit_interval: Duration::from_secs(5),
        session_timeout: Duration::from_secs(45),
        heartbeat_interval: Duration::from_secs(3),
        churn: None,
    }
}

fn group() -> Arc<Group> {
    let books = (0..4).map(|partition| PartitionBook::new(PartitionSeen::new(&[1], partition, 1), 100)).collect();
    Group::new(0, "loadgen-test-group-0".into(), books)
}

/// A member whose consumer stands at some place, and a coordinator that answers by hand.
struct Scene {
    member: Member,
    group: Arc<Group>,
    now_ns: u64,
    position: i64,
}

impl Scene {
    fn new(settings: GroupSettings) -> Self {
        let group = group();
        Self { member: Member::new(group.clone(), settings), group, now_ns: 1, position: 100 }
    }

    fn tend(&mut self) -> (Change, Option<Question>) {
        let position = self.position;
        self.member.tend(self.now_ns, true, || vec![(2, position)]).expect("no deadline has passed")
    }

    fn asks(&mut self) -> Question {
        let (change, question) = self.tend();
        assert_eq!(change, Change::None);
        question.expect("something is due")
    }

    fn answer(&mut self, question: &Question, answer: Answer) -> Change {
        self.member.take(question, answer, self.now_ns, self.now_ns).expect("no error")
    }

    fn code(&mut self, question: &Question, code: ErrorCode) -> Change {
        let code = code.code();
        let answer = match question {
            Question::Join => Answer::Joined { code, generation: -1, id: String::new(), members: Vec::new() },
            Question::Sync(_) => Answer::Synced { code, partitions: Vec::new() },
            Question::Locate(_) => Answer::Located { code, offsets: Vec::new() },
            _ => Answer::Plain { code },
        };
        self.answer(question, answer)
    }

    fn joined(generation: i32) -> Answer {
        Answer::Joined { code: 0, generation, id: "m".into(), members: vec!["m".into()] }
    }

    /// Joins as the leader of a generation and gets partition 2, of which `committed` is known.
    fn settle(&mut self, generation: i32, committed: i64) -> Change {
        assert_eq!(self.asks(), Question::Join);
        self.settle_asked(generation, committed)
    }

    /// The same when the request to join is sent already.
    fn settle_asked(&mut self, generation: i32, committed: i64) -> Change {
        assert_eq!(self.answer(&Question::Join, Self::joined(generation)), Change::None);
        let sync = self.asks();
        assert_eq!(sync, Question::Sync(vec!["m".into()]));
        assert_eq!(self.answer(&sync, Answer::Synced { code: 0, partitions: vec![2] }), Change::None);
        let locate = self.asks();
        assert!(matches!(&locate, Question::Locate(asked) if asked.len() == 1 && asked[0].0 == 2), "{locate:?}");
        self.answer(&locate, Answer::Located { code: 0, offsets: vec![(2, committed)] })
    }
}

#[test]
fn a_member_joins_learns_where_to_begin_lives_and_commits_what_has_moved() {
    let mut scene = Scene::new(settings());
    assert_eq!(scene.asks(), Question::Join);
    // Brokers since 2.2 give an id first.
    let id = Answer::Joined {
        code: ErrorCode::MemberIdRequired.code(),
        generation: -1,
        id: "m".into(),
        members: Vec::new(),
    };
    assert_eq!(scene.answer(&Question::Join, id), Change::None);
    assert_eq!(scene.member.id(), "m");
    assert_eq!(scene.settle(1, -1), Change::Assigned(vec![(2, 100)]), "nothing committed: from the start");
    assert!(scene.group.is_whole() && scene.tend().1.is_none());
    scene.now_ns += 3 * SECOND_NS;
    assert_eq!(scene.asks(), Question::Heartbeat);
    scene.code(&Question::Heartbeat, ErrorCode::None);
    scene.now_ns += 2 * SECOND_NS;
    assert_eq!(scene.tend().1, None, "nothing has moved");
    (scene.now_ns, scene.position) = (scene.now_ns + 5 * SECOND_NS, 130);
    let commit = scene.asks();
    assert_eq!(commit, Question::Commit(vec![(2, 130)]));
    scene.code(&commit, ErrorCode::None);
    assert_eq!(scene.group.committed_to(2), 130);
}

#[test]
fn a_rebalance_commits_gives_up_and_goes_on_at_what_was_committed() {
    let mut scene = Scene::new(settings());
    scene.settle(1, -1);
    (scene.now_ns, scene.position) = (scene.now_ns + 3 * SECOND_NS, 150);
    assert_eq!(scene.asks(), Question::Heartbeat);
    assert_eq!(scene.code(&Question::Heartbeat, ErrorCode::RebalanceInProgress), Change::None);
    let commit = scene.asks();
    assert_eq!(commit, Question::Commit(vec![(2, 150)]));
    assert_eq!(scene.code(&commit, ErrorCode::None), Change::Revoked);
    assert_eq!(scene.settle(2, 150), Change::Assigned(vec![(2, 150)]));
    let report = scene.group.report();
    assert_eq!(report.rebalances.iter().map(|span| span.generation).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((report.lost_commits, report.rebalances[1].members), (0, 1));
    assert!(report.rebalances[1].causes.is_empty());
}

#[test]
fn a_commit_that_a_rebalance_refuses_does_not_hold_it_up() {
    let mut scene = Scene::new(settings());
    scene.settle(1, -1);
    (scene.now_ns, scene.position) = (scene.now_ns + 5 * SECOND_NS, 150);
    let commit = scene.asks();
    assert_eq!(scene.code(&commit, ErrorCode::RebalanceInProgress), Change::None, "asked again before giving up");
    let commit = scene.asks();
    assert_eq!(scene.code(&commit, ErrorCode::RebalanceInProgress), Change::Revoked);
    assert_eq!(scene.settle(2, 100), Change::Assigned(vec![(2, 100)]));
    let report = scene.group.report();
    assert_eq!(report.refused_commits.into_iter().collect::<Vec<_>>(), [(27, 2)]);
    assert_eq!(report.lost_commits, 0, "nothing was promised");
}

#[test]
fn who_is_not_known_any_more_gives_up_at_once_and_joins_anew() {
    for (code, id) in [(ErrorCode::UnknownMemberId, ""), (ErrorCode::IllegalGeneration, "m")] {
        let mut scene = Scene::new(settings());
        scene.settle(1, -1);
        (scene.now_ns, scene.position) = (scene.now_ns + 3 * SECOND_NS, 150);
        assert_eq!(scene.asks(), Question::Heartbeat);
        assert_eq!(scene.code(&Question::Heartbeat, code), Change::Revoked);
        assert_eq!((scene.member.id(), scene.member.generation()), (id, -1), "{code:?}");
        assert_eq!(scene.tend(), (Change::None, None), "not in haste");
        scene.now_ns += 200 * MS;
        assert_eq!(scene.settle(7, 100), Change::Assigned(vec![(2, 100)]));
        let causes: Vec<_> = scene.group.report().rebalances[1].causes.iter().map(|cause| cause.1).collect();
        assert_eq!(causes, ["expelled"]);
    }
}

#[test]
fn a_rebalance_in_the_middle_of_one_begins_it_again() {
    let mut scene = Scene::new(settings());
    assert_eq!(scene.asks(), Question::Join);
    scene.answer(&Question::Join, Scene::joined(1));
    let sync = scene.asks();
    assert_eq!(scene.code(&sync, ErrorCode::RebalanceInProgress), Change::None);
    assert_eq!(scene.settle(2, -1), Change::Assigned(vec![(2, 100)]));
    assert_eq!(scene.group.report().rebalances.len(), 1, "nobody read in the first generation");
}

#[test]
fn a_coordinator_that_moves_is_sought_and_one_that_is_not_ready_is_waited_for() {
    let mut scene = Scene::new(settings());
    scene.settle(1, -1);
    scene.now_ns += 3 * SECOND_NS;
    assert_eq!(scene.asks(), Question::Heartbeat);
    for code in [ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable] {
        assert_eq!(scene.code(&Question::Heartbeat, code), Change::Seek);
    }
    assert_eq!(scene.code(&Question::Heartbeat, ErrorCode::CoordinatorLoadInProgress), Change::None);
    assert_eq!(scene.tend(), (Change::None, None), "not in haste");
    scene.now_ns += 200 * MS;
    assert_eq!(scene.asks(), Question::Heartbeat, "it still is a member");
    scene.code(&Question::Heartbeat, ErrorCode::None);
    // One that is never ready ends the run.
    scene.now_ns += 3 * SECOND_NS;
    scene.code(&Question::Heartbeat, ErrorCode::CoordinatorLoadInProgress);
    scene.now_ns += 61 * SECOND_NS;
    let error = scene.member.tend(scene.now_ns, true, Vec::new).expect_err("patience has an end").to_string();
    assert!(error.contains("coordinator of a group"), "{error}");
}

#[test]
fn a_commit_that_the_broker_forgets_is_found() {
    let mut scene = Scene::new(settings());
    scene.settle(1, -1);
    (scene.now_ns, scene.position) = (scene.now_ns + 5 * SECOND_NS, 150);
    let commit = scene.asks();
    scene.code(&commit, ErrorCode::None);
    scene.code(&Question::Heartbeat, ErrorCode::UnknownMemberId);
    scene.now_ns += 200 * MS;
    assert_eq!(scene.settle(2, 149), Change::Assigned(vec![(2, 149)]));
    assert_eq!(scene.group.report().lost_commits, 1);
}

#[test]
fn a_refusal_that_does_not_pass_is_an_error_that_says_what_to_do() {
    let mut scene = Scene::new(settings());
    let refused = |scene: &mut Scene, code: ErrorCode| {
        let answer = Answer::Joined { code: code.code(), generation: -1, id: String::new(), members: Vec::new() };
        scene.member.take(&Question::Join, answer, 1, 2).expect_err("refused").to_string()
    };
    let said = refused(&mut scene, ErrorCode::InvalidSessionTimeout);
    assert!(said.contains("--session-timeout of 45 s") && said.contains("group.min.session.timeout.ms"), "{said}");
    assert!(refused(&mut scene, ErrorCode::GroupAuthorizationFailed).starts_with("JoinGroup failed: Group"));
}

#[test]
fn the_end_commits_and_leaves_for_good() {
    let mut scene = Scene::new(settings());
    scene.settle(1, -1);
    scene.position = 200;
    scene.member.end();
    let commit = scene.asks();
    assert_eq!(commit, Question::Commit(vec![(2, 200)]));
    assert_eq!(scene.code(&commit, ErrorCode::None), Change::Revoked);
    assert_eq!(scene.asks(), Question::Leave);
    assert_eq!(scene.code(&Question::Leave, ErrorCode::None), Change::Away);
    assert!(scene.member.is_gone());
    let mut stranger = Scene::new(settings());
    stranger.member.end();
    assert_eq!(stranger.tend(), (Change::None, None));
    assert!(stranger.member.is_gone(), "it never was a member");
}

#[test]
fn who_asked_to_leave_and_lost_the_connection_has_left() {
    let mut scene = Scene::new(settings());
    scene.settle(1, -1);
    scene.position = 200;
    scene.member.end();
    let commit = scene.asks();
    assert!(!scene.member.note_lost(&commit), "a lost commit is asked again");
    assert_eq!(scene.asks(), commit);
    assert_eq!(scene.code(&commit, ErrorCode::None), Change::Revoked);
    assert_eq!(scene.asks(), Question::Leave);
    assert!(scene.member.note_lost(&Question::Leave) && scene.member.is_gone());
}

#[test]
fn members_leave_or_die_by_plan_and_return() {
    let timeline = Timeline { start_ns: 0, measure_ns: 1, end_ns: 100 * SECOND_NS };
    for departure in [Departure::Leave, Departure::Die] {
        let churn = Some(Churn { interval: Duration::from_secs(10), departure });
        let mut scene = Scene::new(GroupSettings { churn, ..settings() });
        scene.group.begin(timeline);
        scene.settle(1, -1);
        (scene.now_ns, scene.position) = (10 * SECOND_NS + 2, 300);
        if departure == Departure::Die {
            assert_eq!(scene.tend(), (Change::Dies, None));
        } else {
            let commit = scene.asks();
            assert_eq!(commit, Question::Commit(vec![(2, 300)]));
            assert_eq!(scene.code(&commit, ErrorCode::None), Change::Revoked);
            assert_eq!(scene.asks(), Question::Leave);
            assert_eq!(scene.code(&Question::Leave, ErrorCode::None), Change::Away);
        }
        assert_eq!((scene.tend(), scene.member.is_gone()), ((Change::None, None), false));
        scene.now_ns = 15 * SECOND_NS + 2;
        assert_eq!(scene.tend(), (Change::Returns, None));
        assert_eq!(scene.member.id(), "", "as somebody new");
        let committed = if departure == Departure::Die { -1 } else { 300 };
        scene.settle(3, committed);
        let report = scene.group.report();
        let causes: Vec<_> = report.rebalances[1].causes.iter().map(|cause| cause.1).collect();
        assert_eq!(causes, [if departure == Departure::Die { "death" } else { "leave" }, "return"]);
        assert_eq!(report.lost_commits, 0);
    }
}
