//! The result file keeps its promises to readers that are not this program.

use loadgen::result::json_schema;

#[test]
fn committed_schema_is_the_one_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/schema/run-v1.json");
    let committed = std::fs::read_to_string(path).expect("results/schema/run-v1.json is committed");
    let committed: serde_json::Value = serde_json::from_str(&committed).expect("it is JSON");
    assert!(committed == json_schema(), "renew it: cargo run -p loadgen --example schema > results/schema/run-v1.json");
}
