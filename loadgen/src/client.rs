//! A blocking connection for the calls around a run: versions, topics, offsets, producer ids. Every call has a time-out.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use protocol::api_key::ApiKey;
use protocol::header::RequestHeader;
use protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{Message, Request, Response, frame};
use serde::{Deserialize, Serialize};

use crate::connection::connect;
use crate::error::Error;
use crate::sasl::Login;

/// What we call ourselves.
pub const CLIENT_ID: &str = "loadgen";

/// Metadata of ten thousand partitions takes less than one.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The version of `ApiVersions` that also tells features.
const API_VERSIONS_WITH_FEATURES: i16 = 3;

/// A connection that has agreed on versions.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    address: String,
    timeout: Duration,
    correlation_id: i32,
    versions: Versions,
    frame: Vec<u8>,
}

/// What a broker speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    ranges: BTreeMap<i16, (i16, i16)>,
    features: Vec<String>,
}

impl Versions {
    /// The newest version that both sides speak, not above `newest`.
    pub fn choose(&self, api: ApiKey, newest: i16) -> Result<i16, Error> {
        let &(oldest_theirs, newest_theirs) = self.ranges.get(&(api as i16)).ok_or(Error::Version { api })?;
        let version = newest.min(newest_theirs).min(*api.versions().end());
        if version < oldest_theirs || version < *api.versions().start() {
            return Err(Error::Version { api });
        }
        Ok(version)
    }

    /// Each request that the broker speaks and we know by name, with its versions: `Produce` is `3-13`.
    pub fn describe(&self) -> BTreeMap<String, String> {
        let known = self.ranges.iter().filter_map(|(&key, range)| Some((ApiKey::from_i16(key)?, range)));
        known.map(|(api, (oldest, newest))| (format!("{api:?}"), format!("{oldest}-{newest}"))).collect()
    }

    /// Apache Kafka names the version of its metadata log; the brokers that only speak its protocol do not.
    pub fn is_apache_kafka(&self) -> bool {
        self.features.iter().any(|feature| feature == "metadata.version")
    }
}

impl Client {
    /// Connects and asks what the broker speaks.
    pub fn open(address: &str, timeout: Duration) -> Result<Self, Error> {
        Self::open_as(None, address, timeout)
    }

    /// The same under a name, which is proven first.
    pub fn open_as(login: Option<&Login>, address: &str, timeout: Duration) -> Result<Self, Error> {
        let stream = connect(login, address, timeout)?;
        let failed = |source| Error::Io { address: address.into(), source };
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        stream.set_write_timeout(Some(timeout)).map_err(failed)?;
        let mut client = Self {
            stream,
            address: address.into(),
            timeout,
            correlation_id: 0,
            versions: Versions::default(),
            frame: Vec::new(),
        };
        client.negotiate()?;
        Ok(client)
    }

    /// What the broker speaks.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Sends one request in the newest common version and waits for its answer.
    pub fn call<'s, 'q, Q: Request<'q>, R: Response<'s>>(&'s mut self, request: &Q) -> Result<R, Error> {
        let version = self.versions.choose(Q::API, i16::MAX)?;
        let correlation_id = self.exchange(Q::API, version, request)?;
        let address = &self.address;
        let decoded = frame::decode_response::<R>(&self.frame, Q::API, version);
        let (echoed, response) =
            decoded.map_err(|source| Error::Decode { api: Q::API, address: address.clone(), source })?;
        if echoed != correlation_id {
            return Err(Error::Answer { api: Q::API, address: address.clone(), what: "a foreign correlation id" });
        }
        Ok(response)
    }

    fn negotiate(&mut self) -> Result<(), Error> {
        let api = ApiKey::ApiVersions;
        let request =
            ApiVersionsRequest { client_software_name: CLIENT_ID, client_software_version: env!("CARGO_PKG_VERSION") };
        let mut version = API_VERSIONS_WITH_FEATURES;
        self.exchange(api, version, &request)?;
        // A broker that does not know the version answers in the format of version 0, error 35 in front.
        if self.frame.get(4..6) == Some(&[0, 35]) {
            version = 0;
            self.exchange(api, version, &request)?;
        }
        let decoded = frame::decode_response::<ApiVersionsResponse<'_>>(&self.frame, api, version);
        let (_, response) = decoded.map_err(|source| Error::Decode { api, address: self.address.clone(), source })?;
        refuse_error(api, response.error_code)?;
        let ranges = response.api_keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version))).collect();
        let features = response.supported_features.iter().map(|feature| feature.name.to_owned()).collect();
        self.versions = Versions { ranges, features };
        Ok(())
    }

    /// Writes a request and reads the next frame into `self.frame`.
    fn exchange<'q>(&mut self, api: ApiKey, version: i16, request: &impl Message<'q>) -> Result<i32, Error> {
        self.correlation_id += 1;
        let header = RequestHeader {
            api_key: api as i16,
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(CLIENT_ID),
        };
        let pieces = frame::encode_request(&header, request);
        let (address, limit) = (self.address.clone(), self.timeout);
        let failed = |source: io::Error| call_failed(&address, api, limit, source);
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            let written = self.stream.write_vectored(rest).map_err(failed)?;
            if written == 0 {
                return Err(failed(ErrorKind::WriteZero.into()));
            }
            IoSlice::advance_slices(&mut rest, written);
        }
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(failed)?;
        let length = i32::from_be_bytes(length);
        let bytes = usize::try_from(length).ok().filter(|bytes| (4..=FRAME_BYTES_MAX).contains(bytes));
        let Some(bytes) = bytes else {
            if is_tls_alert(length) {
                return Err(Error::Tls(self.address.clone()));
            }
            return Err(Error::FrameLength { address: self.address.clone(), length, max: FRAME_BYTES_MAX });
        };
        self.frame.resize(bytes, 0);
        self.stream.read_exact(&mut self.frame).map_err(failed)?;
        Ok(self.correlation_id)
    }
}

/// Why a call failed, in the words of its most likely cause.
fn call_failed(address: &str, api: ApiKey, limit: Duration, source: io::Error) -> Error {
    let address = address.to_owned();
    match source.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Error::HungUp { address, api },
        // What the kernel calls a read or write that took longer than the socket's time-out.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Silent { address, api, limit },
        _ => Error::Io { address, source },
    }
}

/// Whether what should be a frame's length is the head of a TLS alert: type 21, version 3.
fn is_tls_alert(length: i32) -> bool {
    length.to_be_bytes()[..2] == [21, 3]
}

/// Kafka's error code as ours.
pub fn refuse_error(api: ApiKey, code: i16) -> Result<(), Error> {
    if code == 0 { Ok(()) } else { Err(Error::Broker { api, code }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(api: ApiKey, oldest: i16, newest: i16) -> Versions {
        Versions { ranges: [(api as i16, (oldest, newest))].into(), features: Vec::new() }
    }

    #[test]
    fn the_newest_version_of_both_sides_is_chosen_and_none_is_named() {
        let produce = versions(ApiKey::Produce, 3, 13);
        assert_eq!(produce.choose(ApiKey::Produce, 8).ok(), Some(8));
        assert_eq!(versions(ApiKey::Produce, 3, 7).choose(ApiKey::Produce, 8).ok(), Some(7));
        assert!(versions(ApiKey::Produce, 9, 13).choose(ApiKey::Produce, 8).is_err());
        assert!(matches!(produce.choose(ApiKey::Fetch, 12), Err(Error::Version { api: ApiKey::Fetch })));
    }
}
