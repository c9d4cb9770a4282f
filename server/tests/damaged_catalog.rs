//! A catalog whose records are whole but not what this version writes is refused by name: never a guess, never an empty broker.

mod broker;

use std::sync::{Arc, Mutex};

use broker::{Broker, batch, command, refusal};
use bytes::Bytes;
use engine::memory::ShardMemory;
use engine::offset::{CATALOG_LOG, ShardId};
use engine::shard::core::{Acks, Core, LogRef};
use engine::shard::engine::{Engine, EngineConfig};

/// Appends a batch to the catalog's log, past the server.
fn append_to_catalog(data: &std::path::Path, records: Vec<u8>) {
    let config = EngineConfig {
        directory: data.to_path_buf(),
        shards: None,
        segment_bytes: engine::limits::SEGMENT_BYTES_DEFAULT,
        pin: false,
        record_codec: None,
    };
    let records = Arc::new(Mutex::new(Some(Bytes::from(records))));
    let append = move |core: Core| {
        let records = Arc::clone(&records);
        async move {
            if core.shard() == ShardId(0) {
                let batch = records.lock().expect("not poisoned").take().expect("once");
                let log = LogRef { shard: ShardId(0), log: CATALOG_LOG };
                core.append(core.new_source(), log, batch, Acks::Durable).await.expect("durable");
            }
        }
    };
    Engine::open(config).expect("opens").start(ShardMemory::LEAST, append).expect("starts").join().expect("stops");
}

#[test]
fn a_foreign_record_in_the_catalog_is_named_and_nothing_is_changed() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("letters", 3, &[]), 0);
    assert_eq!(client.produce("letters", 0, &batch(&["kept"])), (0, 0));
    assert_eq!(broker.terminate().code(), Some(0));

    append_to_catalog(broker.data(), batch(&["{\"change\":\"of no kind\"}"]));
    for _ in 0..2 {
        let (code, said) = refusal(command(broker.data(), &[]));
        assert_eq!(code, Some(6), "{said}");
        let line = said.lines().find(|line| line.starts_with("posthaste: ")).expect("one line says why");
        assert!(line.contains("catalog") && line.contains("malformed record at offset"), "{line}");
    }
}
