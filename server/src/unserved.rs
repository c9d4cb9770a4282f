//! What clients asked for in versions that are not served: said once for each, so that an old client in a loop does not fill the log, and one that
//! is turned away is found by its name.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use protocol::api_key::ApiKey;

use crate::limits::UNSERVED_REMEMBERED_MAX;

/// A request in a version that is not served, or of an API that is not there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Unserved {
    /// The API, as on the wire.
    pub key: i16,
    /// Its version, as on the wire.
    pub version: i16,
    /// What the client calls itself; empty when it does not.
    pub client_id: String,
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "api key {} version {} is not supported, ", self.key, self.version)?;
        match ApiKey::from_i16(self.key) {
            Some(api) => write!(f, "{api:?} is served from {} to {}", api.versions().start(), api.versions().end()),
            None => f.write_str("the api does not exist here"),
        }
    }
}

impl std::error::Error for Unserved {}

/// Whether an unserved version is news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Novelty {
    /// The first of its kind from that address, by that name.
    First,
    /// It was told.
    Told,
    /// All places are taken by others: it may have been told or not.
    Unknown,
}

/// Who was told of already, in the whole process. Only what is refused comes here.
#[derive(Debug, Default)]
pub struct UnservedLog {
    told: Mutex<HashSet<(IpAddr, Unserved)>>,
}

impl UnservedLog {
    /// Whether it was told before of that address, by that name.
    pub fn novelty(&self, address: IpAddr, unserved: &Unserved) -> Novelty {
        // Nothing panics while it is locked.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let one = (address.to_canonical(), unserved.clone());
        if told.contains(&one) {
            Novelty::Told
        } else if told.len() == UNSERVED_REMEMBERED_MAX {
            Novelty::Unknown
        } else {
            told.insert(one);
            Novelty::First
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unserved(version: i16) -> Unserved {
        Unserved { key: 1, version, client_id: "old".into() }
    }

    #[test]
    fn each_is_news_once_and_the_memory_is_bounded() {
        let log = UnservedLog::default();
        let address = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(log.novelty(address, &unserved(0)), Novelty::First);
        assert_eq!(log.novelty(address, &unserved(0)), Novelty::Told);
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(log.novelty(mapped, &unserved(0)), Novelty::Told, "the same client by IPv6");
        assert_eq!(log.novelty(IpAddr::from([10, 0, 0, 2]), &unserved(0)), Novelty::First);
        let other = Unserved { client_id: "other".into(), ..unserved(0) };
        assert_eq!(log.novelty(address, &other), Novelty::First);
        let is_news = |version| log.novelty(address, &unserved(version)) == Novelty::First;
        let news = (0..10_000).filter(|version| is_news(*version)).count();
        assert_eq!(news, UNSERVED_REMEMBERED_MAX - 3);
        assert_eq!(log.novelty(address, &unserved(9_999)), Novelty::Unknown);
        assert_eq!(log.novelty(address, &unserved(0)), Novelty::Told);
    }

    #[test]
    fn it_says_what_is_served() {
        let text = unserved(99).to_string();
        assert!(text.starts_with("api key 1 version 99 is not supported, Fetch is served from 4 to "), "{text}");
        let text = Unserved { key: 999, ..unserved(0) }.to_string();
        assert_eq!(text, "api key 999 version 0 is not supported, the api does not exist here");
    }
}
