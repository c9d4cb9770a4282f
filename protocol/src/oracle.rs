//! Every message and version agrees byte for byte with the crate `kafka-protocol`, on random values, both ways.

use std::fmt::Debug;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, VersionRange};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::Message;
use crate::api_key::ApiKey;
use crate::error_code::ErrorCode;
use crate::messages;
use crate::messages::consumer_group_log::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};
use crate::messages::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue, decode_versioned, encode_versioned,
};
use crate::messages::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use crate::messages::transaction_log::{TransactionLogKey, TransactionLogValue};
use crate::random::RandomValue;
use crate::reader::Reader;
use crate::writer::Writer;

const VALUES_PER_VERSION: u32 = 40;

/// Writes a random value, reads it back, and returns its bytes. They live for the rest of the test, so that one
/// function serves messages of all lifetimes.
fn round_trip<M>(source: &mut StdRng, version: i16) -> &'static [u8]
where
    M: Message<'static> + RandomValue + PartialEq + Debug,
{
    let value = M::random(source, version);
    let mut writer = Writer::new();
    value.encode(&mut writer, version);
    let stated_len = writer.len();
    let bytes: &'static [u8] = Box::leak(writer.into_bytes().to_vec().into_boxed_slice());
    assert_eq!(bytes.len(), stated_len);

    let mut reader = Reader::new(bytes);
    let read = M::decode(&mut reader, version).unwrap_or_else(|error| panic!("{error}: v{version} {value:?}"));
    assert_eq!(read, value, "version {version}");
    assert_eq!(reader.finish(), Ok(()), "version {version}: {value:?}");
    bytes
}

fn agree<Ours, Theirs>(source: &mut StdRng, version: i16)
where
    Ours: Message<'static> + RandomValue + PartialEq + Debug,
    Theirs: Decodable + Encodable + Debug,
{
    for _ in 0..VALUES_PER_VERSION {
        let ours = round_trip::<Ours>(source, version);
        let mut unread = Bytes::from_static(ours);
        let read = Theirs::decode(&mut unread, version).expect("the oracle reads what we write");
        assert!(unread.is_empty(), "version {version}: the oracle leaves {} bytes of {read:?}", unread.len());
        let mut written = BytesMut::new();
        read.encode(&mut written, version).expect("the oracle writes what it has read");
        assert_eq!(written, ours, "version {version}: {read:?}");
    }
}

fn knows(versions: VersionRange, version: i16) -> bool {
    (versions.min..=versions.max).contains(&version)
}

macro_rules! oracle_tests {
    ($(
        $name:ident = $key:literal, $versions:expr, $flexible:literal, $module:ident $request:ident $response:ident;
    )*) => {
        $(
            #[test]
            fn $module() {
                let mut source = StdRng::seed_from_u64($key);
                for version in ApiKey::$name.versions() {
                    if knows(theirs::ApiKey::$name.valid_versions(), version) {
                        agree::<messages::$module::$request, theirs::$request>(&mut source, version);
                        agree::<messages::$module::$response, theirs::$response>(&mut source, version);
                    } else {
                        round_trip::<messages::$module::$request>(&mut source, version);
                        round_trip::<messages::$module::$response>(&mut source, version);
                    }
                }
            }
        )*

        #[test]
        fn header_versions_are_those_of_the_oracle() {
            $(
                for version in ApiKey::$name.versions() {
                    let (request, response) =
                        (theirs::$request::header_version(version), theirs::$response::header_version(version));
                    assert_eq!(ApiKey::$name.request_header_version(version), request, "{version}");
                    assert_eq!(ApiKey::$name.response_header_version(version), response, "{version}");
                }
            )*
        }

        #[test]
        fn only_one_version_is_beyond_the_oracle() {
            let mut beyond = Vec::new();
            $(
                assert_eq!(ApiKey::$name as i16, theirs::ApiKey::$name as i16);
                assert_eq!(ApiKey::from_i16($key), Some(ApiKey::$name));
                let known = theirs::ApiKey::$name.valid_versions();
                beyond.extend(ApiKey::$name.versions().filter(|&v| !knows(known, v)).map(|v| (ApiKey::$name, v)));
            )*
            // Golden bytes stand in for it.
            assert_eq!(beyond, [(ApiKey::OffsetCommit, 1)]);
        }

        /// One random message of each kind and version: the seeds of the allocation test and of the fuzzer.
        fn corpus() -> Vec<Vec<u8>> {
            let mut corpus = Vec::new();
            let mut source = StdRng::seed_from_u64(0);
            let mut put = |key: i16, kind: u8, version: i16, message: &[u8]| {
                let [key_high, key_low] = key.to_be_bytes();
                corpus.push([&[key_high, key_low, kind, version as u8], message].concat());
            };
            $(
                for version in ApiKey::$name.versions() {
                    put($key, 0, version, round_trip::<messages::$module::$request>(&mut source, version));
                    put($key, 1, version, round_trip::<messages::$module::$response>(&mut source, version));
                }
            )*
            corpus
        }
    };
}
crate::for_each_api!(oracle_tests);

#[test]
#[ignore = "writes tests/messages.bin and the fuzzer's seeds; run after adding a message or version"]
fn write_corpus() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = directory.join("fuzz/corpus/messages");
    std::fs::create_dir_all(&seeds).expect("fuzz/ is writable");
    let mut all = Vec::new();
    for message in corpus() {
        let name = format!("{}-{}-{}", message[1], message[2], message[3]);
        std::fs::write(seeds.join(name), &message).expect("fuzz/ is writable");
        all.extend_from_slice(&(message.len() as u32).to_be_bytes());
        all.extend_from_slice(&message);
    }
    std::fs::write(directory.join("tests/messages.bin"), all).expect("tests/ is writable");
}

#[test]
fn versioned_records_round_trip() {
    fn check<M: Message<'static> + RandomValue + PartialEq + Debug>(source: &mut StdRng, versions: &[i16]) {
        for &version in versions {
            for _ in 0..VALUES_PER_VERSION {
                round_trip::<M>(source, version);
            }
            let value = M::random(source, version);
            let bytes = Box::leak(Box::new(encode_versioned(&value, version)));
            assert_eq!(decode_versioned::<M>(bytes), Ok((version, value)));
        }
    }
    let mut source = StdRng::seed_from_u64(1);
    check::<OffsetCommitKey<'_>>(&mut source, &[0, 1]);
    check::<OffsetCommitValue<'_>>(&mut source, &[0, 1, 2, 3, 4]);
    check::<GroupMetadataKey<'_>>(&mut source, &[2]);
    check::<GroupMetadataValue<'_>>(&mut source, &[0, 1, 2, 3, 4]);
    check::<ConsumerGroupMetadataKey<'_>>(&mut source, &[3]);
    check::<ConsumerGroupMetadataValue>(&mut source, &[0]);
    check::<ConsumerGroupMemberMetadataKey<'_>>(&mut source, &[5]);
    check::<ConsumerGroupMemberMetadataValue<'_>>(&mut source, &[0]);
    check::<ConsumerGroupTargetAssignmentMetadataKey<'_>>(&mut source, &[6]);
    check::<ConsumerGroupTargetAssignmentMetadataValue>(&mut source, &[0]);
    check::<ConsumerGroupTargetAssignmentMemberKey<'_>>(&mut source, &[7]);
    check::<ConsumerGroupTargetAssignmentMemberValue>(&mut source, &[0]);
    check::<ConsumerGroupCurrentMemberAssignmentKey<'_>>(&mut source, &[8]);
    check::<ConsumerGroupCurrentMemberAssignmentValue>(&mut source, &[0]);
    check::<ConsumerProtocolSubscription<'_>>(&mut source, &[0, 1]);
    check::<ConsumerProtocolAssignment<'_>>(&mut source, &[0, 1]);
}

#[test]
fn transaction_log_records_round_trip() {
    let mut source = StdRng::seed_from_u64(2);
    for _ in 0..VALUES_PER_VERSION {
        // The oracle has no records of this topic; golden bytes stand in for it.
        round_trip::<TransactionLogKey<'_>>(&mut source, 0);
        round_trip::<TransactionLogValue<'_>>(&mut source, 0);
    }
}

#[test]
fn error_codes_are_those_of_the_oracle() {
    for code in -10..200 {
        let known = theirs_error(code);
        assert_eq!(ErrorCode::from_code(code).map(|error| (format!("{error:?}"), error.is_retriable())), known);
        assert!(ErrorCode::from_code(code).is_none_or(|error| error.code() == code));
    }
}

fn theirs_error(code: i16) -> Option<(String, bool)> {
    use kafka_protocol::ResponseError;
    match ResponseError::try_from_code(code) {
        None => Some(("None".into(), false)),
        Some(ResponseError::Unknown(_)) => None,
        Some(error) => Some((format!("{error:?}"), error.is_retriable())),
    }
}
