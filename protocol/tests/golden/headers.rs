//! Frames, headers and what is said before anything else.

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::header::RequestHeader;
use protocol::messages::{api_versions, heartbeat, produce};
use protocol::reader::{DecodeError, Reader};
use protocol::{Message, frame};

use crate::hex;

#[test]
fn a_classic_request_has_header_version_1() {
    let header = RequestHeader { api_key: 18, api_version: 0, correlation_id: 1, client_id: Some("kcat") };
    let request = api_versions::ApiVersionsRequest::default();
    let expected = hex("0000000e  0012 0000 00000001 0004 6b636174");
    assert_eq!(frame::encode_request(&header, &request).concat(), expected);

    let mut reader = Reader::new(&expected[4..]);
    assert_eq!(RequestHeader::decode(&mut reader), Ok(header));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_flexible_request_has_header_version_2_with_a_classic_client_id() {
    let header = RequestHeader { api_key: 18, api_version: 3, correlation_id: 2, client_id: Some("kcat") };
    let request =
        api_versions::ApiVersionsRequest { client_software_name: "librdkafka", client_software_version: "2.0.2" };
    let expected = hex("00000021  0012 0003 00000002 0004 6b636174 00
         0b 6c696272646b61666b61 06 322e302e32 00");
    assert_eq!(frame::encode_request(&header, &request).concat(), expected);

    let mut reader = Reader::new(&expected[4..]);
    assert_eq!(RequestHeader::decode(&mut reader), Ok(header));
    assert_eq!(api_versions::ApiVersionsRequest::decode(&mut reader, 3), Ok(request));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn unknown_tagged_fields_in_header_and_body_are_skipped() {
    let bytes = hex("000c 0004 00000007 ffff 01 05 02 aabb
         02 67 00000003 02 6d 00 02 01 01 cc 90 4e 00");
    let mut reader = Reader::new(&bytes);
    let header = RequestHeader::decode(&mut reader).expect("valid");
    assert_eq!(header, RequestHeader { api_key: 12, api_version: 4, correlation_id: 7, client_id: None });
    let request = heartbeat::HeartbeatRequest::decode(&mut reader, 4).expect("valid");
    let expected =
        heartbeat::HeartbeatRequest { group_id: "g", generation_id: 3, member_id: "m", group_instance_id: None };
    assert_eq!(request, expected);
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn the_header_of_an_unknown_api_is_still_read() {
    let bytes = hex("03e8 0009 00000007 0001 78 aabb");
    let header = RequestHeader::decode(&mut Reader::new(&bytes));
    let expected = RequestHeader { api_key: 1000, api_version: 9, correlation_id: 7, client_id: Some("x") };
    assert_eq!(header, Ok(expected));
}

#[test]
fn a_flexible_api_versions_answer_has_response_header_version_0() {
    let response = api_versions::ApiVersionsResponse {
        api_keys: vec![api_versions::ApiVersion::advertised(ApiKey::Produce)],
        ..Default::default()
    };
    let expected = hex("00000013  00000002  0000 02 0000 0000 000b 00 00000000 00");
    assert_eq!(frame::encode_response(2, ApiKey::ApiVersions, 3, &response).concat(), expected);
    assert_eq!(frame::decode_response(&expected[4..], ApiKey::ApiVersions, 3), Ok((2, response)));
}

#[test]
fn api_versions_features_are_tagged() {
    let response = api_versions::ApiVersionsResponse {
        supported_features: vec![api_versions::SupportedFeatureKey { name: "f", min_version: 1, max_version: 2 }],
        finalized_features_epoch: 0,
        zk_migration_ready: true,
        ..Default::default()
    };
    assert_golden!(
        response,
        4,
        "0000 01 00000000
         03  00 08 02 02 66 0001 0002 00  01 08 0000000000000000  03 01 01"
    );
}

#[test]
fn an_unknown_api_versions_version_is_answered_in_version_0_with_error_35() {
    let expected = hex("00000010  00000009  0023 00000001 0012 0000 0004");
    assert_eq!(frame::encode_unsupported_api_versions(9).concat(), expected);
}

#[test]
fn flexible_responses_have_header_version_1_and_classic_ones_0() {
    let response =
        heartbeat::HeartbeatResponse { error_code: ErrorCode::RebalanceInProgress.code(), ..Default::default() };
    let flexible = hex("0000000c  00000007 00  00000000 001b 00");
    let classic = hex("00000006  00000007  001b");
    assert_eq!(frame::encode_response(7, ApiKey::Heartbeat, 4, &response).concat(), flexible);
    assert_eq!(frame::encode_response(7, ApiKey::Heartbeat, 0, &response).concat(), classic);
    assert_eq!(frame::decode_response(&flexible[4..], ApiKey::Heartbeat, 4), Ok((7, response.clone())));
    assert_eq!(frame::decode_response(&classic[4..], ApiKey::Heartbeat, 0), Ok((7, response)));
}

#[test]
fn bytes_behind_a_response_are_refused() {
    let bytes = hex("00000007  001b 00");
    let read = frame::decode_response::<heartbeat::HeartbeatResponse>(&bytes, ApiKey::Heartbeat, 0);
    assert_eq!(read, Err(DecodeError::TrailingBytes(1)));
}

#[test]
fn versions_outside_the_range_are_refused() {
    let read = produce::ProduceRequest::decode(&mut Reader::new(&[0; 64]), 2).map(|_| ());
    assert_eq!(read, Err(DecodeError::UnsupportedVersion(2)));
    assert_eq!(ApiKey::Produce.versions(), 3..=11);
    assert_eq!(ApiKey::Produce.advertised_versions(), 0..=11);
}
