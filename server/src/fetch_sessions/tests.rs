use std::time::Duration;

use super::*;

const FULL: Named = Named { id: NONE, epoch: NEW_SESSION, uses_ids: false };
const ROOM: Room = Room { sessions: 2, partitions: 100 };

fn place(partition: i32) -> Place {
    Place { topic: TopicKey::Name("t".into()), partition }
}

fn asked(partitions: &[i32], offset: i64) -> Vec<(Place, Asked)> {
    let asked = Asked { offset, bytes_max: 100, leader_epoch: -1 };
    partitions.iter().map(|partition| (place(*partition), asked)).collect()
}

fn seen(high_watermark: i64) -> Seen {
    Seen { high_watermark, log_start: 0, has_records: false, has_error: false }
}

fn served(fetching: &Fetching) -> Vec<(i32, i64)> {
    fetching.places.iter().map(|(place, asked)| (place.partition, asked.offset)).collect()
}

/// The session that a full fetch of these partitions gets.
fn created(sessions: &FetchSessions, partitions: &[i32], now: Instant) -> i32 {
    let fetching = sessions.begin(FULL, asked(partitions, 0), &[], now).unwrap();
    let told = sessions.end(&fetching, &vec![seen(0); partitions.len()], now).unwrap();
    assert!(told.places.iter().all(|told| *told), "a full fetch is answered in full");
    told.session_id
}

fn go_on(sessions: &FetchSessions, id: i32, epoch: i32) -> Result<Fetching, ErrorCode> {
    sessions.begin(Named { id, epoch, uses_ids: false }, Vec::new(), &[], Instant::now())
}

#[test]
fn an_answer_tells_only_what_changed_and_after_an_error_again() {
    let (sessions, now) = (FetchSessions::new(ROOM, 0, 1), Instant::now());
    let id = created(&sessions, &[0, 1, 2, 3], now);
    let tells = |epoch, seen: [Seen; 4]| {
        let fetching = go_on(&sessions, id, epoch).unwrap();
        let told = sessions.end(&fetching, &seen, now).unwrap();
        assert_eq!(told.session_id, id);
        told.places
    };
    assert_eq!(tells(1, [seen(0); 4]), [false; 4]);
    let failed = Seen { has_error: true, ..seen(0) };
    let started = Seen { log_start: 5, ..seen(0) };
    assert_eq!(tells(2, [seen(7), seen(0), failed, started]), [true, false, true, true]);
    assert_eq!(tells(3, [seen(7), seen(0), seen(0), started]), [false, false, true, false]);
    assert_eq!(tells(4, [seen(7), seen(0), seen(0), started]), [false; 4]);
}

#[test]
fn what_gave_records_is_served_last() {
    let (sessions, now) = (FetchSessions::new(ROOM, 0, 1), Instant::now());
    let id = created(&sessions, &[0, 1, 2], now);
    let fetching = go_on(&sessions, id, 1).unwrap();
    let full = Seen { has_records: true, ..seen(0) };
    assert_eq!(sessions.end(&fetching, &[full, seen(0), seen(0)], now).unwrap().places, [true, false, false]);
    assert_eq!(served(&go_on(&sessions, id, 2).unwrap()), [(1, 0), (2, 0), (0, 0)]);
}

#[test]
fn requests_add_change_and_forget_and_the_last_one_ends_it() {
    let (sessions, now) = (FetchSessions::new(ROOM, 0, 1), Instant::now());
    let id = created(&sessions, &[0, 1], now);
    let named = |epoch| Named { id, epoch, uses_ids: false };
    let fetching = sessions.begin(named(1), [asked(&[1], 9), asked(&[2], 0)].concat(), &[place(0)], now).unwrap();
    assert_eq!(served(&fetching), [(1, 9), (2, 0)]);
    let fetching = sessions.begin(named(2), Vec::new(), &[place(1), place(2)], now).unwrap();
    assert_eq!((served(&fetching).len(), sessions.end(&fetching, &[], now).unwrap().session_id), (0, NONE));
    assert_eq!(go_on(&sessions, id, 3).err(), Some(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(sessions.memory_bytes(), 0);
}

#[test]
fn wrong_epochs_ids_and_names_are_refused_and_a_full_fetch_ends_the_session() {
    let (sessions, now) = (FetchSessions::new(ROOM, 0, 1), Instant::now());
    let id = created(&sessions, &[0], now);
    assert_eq!(go_on(&sessions, id, 2).err(), Some(ErrorCode::InvalidFetchSessionEpoch));
    assert_eq!(go_on(&sessions, id ^ 1, 1).err(), Some(ErrorCode::FetchSessionIdNotFound));
    let by_id = sessions.begin(Named { id, epoch: 1, uses_ids: true }, Vec::new(), &[], now);
    assert_eq!(by_id.err(), Some(ErrorCode::FetchSessionTopicIdError));
    let (first, second) = (go_on(&sessions, id, 1).unwrap(), go_on(&sessions, id, 2).unwrap());
    assert_eq!(sessions.end(&first, &[seen(0)], now), Err(ErrorCode::InvalidFetchSessionEpoch));
    assert!(sessions.end(&second, &[seen(0)], now).is_ok());
    sessions.begin(Named { id, epoch: SESSIONLESS, uses_ids: false }, asked(&[0], 0), &[], now).unwrap();
    assert_eq!(go_on(&sessions, id, 3).err(), Some(ErrorCode::FetchSessionIdNotFound));
}

#[test]
fn a_full_cache_keeps_the_young_and_the_large_and_forgets_the_silent() {
    let (sessions, begun) = (FetchSessions::new(ROOM, 0, 1), Instant::now());
    let (small, large) = (created(&sessions, &[0], begun), created(&sessions, &[0, 1, 2], begun));
    assert_eq!(created(&sessions, &[0, 1], begun), NONE, "both are young");
    let later = begun + FETCH_SESSION_PROTECTED;
    let used = |id, epoch, at| sessions.begin(Named { id, epoch, uses_ids: false }, Vec::new(), &[], at);
    assert!(used(small, 1, later).is_ok() && used(large, 1, later).is_ok());
    let later = later + Duration::from_secs(1);
    assert_eq!(created(&sessions, &[0], later), NONE, "none is smaller");
    assert_ne!(created(&sessions, &[0, 1], later), NONE, "the small one made room");
    assert_eq!(used(small, 2, later).err(), Some(ErrorCode::FetchSessionIdNotFound));
    assert!(used(large, 2, later).is_ok());
    let later = later + FETCH_SESSION_PROTECTED + Duration::from_secs(1);
    assert_ne!(created(&sessions, &[0], later), NONE, "all are silent");
}

/// A session that could not be made after all had taken the places of those that could have gone for it.
#[test]
fn a_session_that_finds_no_room_takes_no_place_of_another() {
    let (sessions, begun) = (FetchSessions::new(Room { sessions: 9, partitions: 6 }, 0, 1), Instant::now());
    let old = created(&sessions, &[0], begun);
    let later = begun + FETCH_SESSION_PROTECTED + Duration::from_secs(1);
    let young = created(&sessions, &[0, 1, 2, 3], later);
    assert_eq!(created(&sessions, &[0, 1, 2], later), NONE, "the old one's place is not enough");
    assert!(go_on(&sessions, old, 1).is_ok() && go_on(&sessions, young, 1).is_ok());
}

#[test]
fn names_that_no_topic_can_have_are_not_kept() {
    let (sessions, now) = (FetchSessions::new(ROOM, 0, 1), Instant::now());
    let long = Place { topic: TopicKey::Name("x".repeat(250).into()), partition: 0 };
    let asked = Asked { offset: 0, bytes_max: 1, leader_epoch: -1 };
    let fetching = sessions.begin(FULL, vec![(long.clone(), asked)], &[], now).unwrap();
    assert_eq!(sessions.end(&fetching, &[seen(0)], now).unwrap().session_id, NONE);
    let id = created(&sessions, &[0], now);
    let grown = sessions.begin(Named { id, epoch: 1, uses_ids: false }, vec![(long, asked)], &[], now);
    assert_eq!(grown.err(), Some(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(sessions.memory_bytes(), 0);
}

#[test]
fn partitions_of_all_sessions_are_bounded() {
    let (sessions, now) = (FetchSessions::new(Room { sessions: 9, partitions: 5 }, 1, 2), Instant::now());
    assert_eq!(created(&sessions, &[0, 1, 2, 3, 4, 5], now), NONE);
    let id = created(&sessions, &[0, 1, 2, 3], now);
    assert_eq!(id % 2, 1, "an id tells its shard");
    assert_eq!(created(&sessions, &[0, 1], now), NONE);
    let grown = sessions.begin(Named { id, epoch: 1, uses_ids: false }, asked(&[4, 5], 0), &[], now);
    assert_eq!(grown.err(), Some(ErrorCode::FetchSessionIdNotFound), "its client asks in full");
    assert_eq!(sessions.memory_bytes(), 0);
}
