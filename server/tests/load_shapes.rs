//! Shapes of load that use up memory elsewhere: each in a small form that runs with the other tests, and in its full form by
//! `cargo test --release -p server --test load_shapes -- --ignored --nocapture --test-threads 1`, which prints what it saw.
//!
//! Every shape runs under a stated `memory.max.bytes`, and in its full form the kernel's own count of resident memory is held against it. A few
//! megabytes of the kernel's count are the program's text.

#[path = "load_shapes/apart.rs"]
mod apart;
mod broker;
#[path = "load_shapes/clients.rs"]
mod clients;
#[path = "load_shapes/consumers.rs"]
mod consumers;
#[path = "load_shapes/idle.rs"]
mod idle;
#[path = "load_shapes/partitions.rs"]
mod partitions;
#[path = "load_shapes/producers.rs"]
mod producers;

use broker::Broker;

/// A broker with a limit, and what is checked of it whatever the shape.
struct Limited {
    broker: Broker,
    max_bytes: u64,
}

impl Limited {
    fn start(max_bytes: u64, settings: &[&str]) -> Limited {
        let limit = format!("memory.max.bytes={max_bytes}");
        let fixed = [limit.as_str(), "posthaste.admin.listener=127.0.0.1:0"];
        Limited { broker: Broker::start(&[&fixed[..], settings].concat()), max_bytes }
    }

    /// The most that was ever resident, as the kernel counts; below the limit.
    fn peak_bytes(&self) -> u64 {
        let peak = self.broker.status_bytes("VmHWM");
        assert!(peak <= self.max_bytes, "{peak} bytes were resident, the limit is {}", self.max_bytes);
        peak
    }
}
