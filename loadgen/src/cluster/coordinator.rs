//! Where the coordinator of a group or of a producer's transactions is, asked before a run begins.

use std::thread;
use std::time::Instant;

use protocol::api_key::ApiKey;
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::{CALL_TIMEOUT, RETRY_PAUSE, is_retriable, socket_address};
use crate::client::Client;
use crate::error::Error;

/// What has a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coordinated {
    /// A consumer group, by its name.
    Group(String),
    /// A producer's transactions, by their id.
    Transactions(String),
}

impl Coordinated {
    /// Its name.
    pub fn key(&self) -> &str {
        match self {
            Self::Group(key) | Self::Transactions(key) => key,
        }
    }

    /// Kafka's number of its kind.
    pub fn key_type(&self) -> i8 {
        match self {
            Self::Group(_) => 0,
            Self::Transactions(_) => 1,
        }
    }
}

/// Where the coordinator is. The broker may first have to make its topic of offsets or of transactions.
pub fn find_coordinator(address: &str, subject: &Coordinated) -> Result<String, Error> {
    let mut client = Client::open(address, CALL_TIMEOUT)?;
    let deadline = Instant::now() + CALL_TIMEOUT;
    let (key, key_type) = (subject.key(), subject.key_type());
    // Old versions look at the key, new ones at the list.
    let request = FindCoordinatorRequest { key, key_type, coordinator_keys: vec![key] };
    loop {
        let response: FindCoordinatorResponse<'_> = client.call(&request)?;
        let found = response.coordinators.first();
        let code = found.map_or(response.error_code, |found| found.error_code);
        if code == 0 {
            let (host, port) = found.map_or((response.host, response.port), |found| (found.host, found.port));
            return Ok(socket_address(host, port));
        }
        if !is_retriable(code) || Instant::now() >= deadline {
            return Err(Error::Broker { api: ApiKey::FindCoordinator, code });
        }
        thread::sleep(RETRY_PAUSE);
    }
}
