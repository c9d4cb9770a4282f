//! The admin page: metrics that count what was done, and health that tests the write path.

mod broker;

use broker::{Broker, FETCH, admin_get, batch, fetch_request, fetched, values};

/// The sum of a metric over all its labels.
fn sum(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let values = samples.filter_map(|line| {
        let (metric, value) = line.rsplit_once(' ')?;
        (metric.split('{').next() == Some(name)).then(|| value.parse::<f64>().expect("a number"))
    });
    values.sum()
}

#[test]
fn metrics_count_what_was_served() {
    let broker = Broker::start(&["posthaste.admin.listener=127.0.0.1:0"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let (_, before) = admin_get(&broker, "/metrics");
    assert_eq!(client.produce("t", 0, &batch(&["a", "b"])).0, 0);
    assert_eq!(client.produce("t", 1, &batch(&["c"])).0, 0);
    assert_ne!(client.produce("t", 7, &batch(&["nowhere"])).0, 0);
    let (_, _, bytes) = client.fetch("t", 0, 0);
    let (status, page) = admin_get(&broker, "/metrics");
    assert_eq!(status, 200);
    let rise = |name: &str| sum(&page, name) - sum(&before, name);
    assert!((rise("posthaste_appended_records_total") - 3.0).abs() < 0.1, "{page}");
    assert!((rise("posthaste_fetched_bytes_total") - bytes.len() as f64).abs() < 0.1, "{page}");
    assert!((sum(&page, "posthaste_shards_answering") - 2.0).abs() < 0.1);
    assert!(rise("posthaste_journal_flush_duration_seconds_count") >= 2.0, "an ack is a flush");
    assert!(page.contains("api=\"Produce\",code=\"UnknownTopicOrPartition\"} 1"), "{page}");
    assert!(page.contains("posthaste_request_duration_seconds_count{shard="));
    assert!(sum(&page, "posthaste_connections") >= 1.0);
    assert!(sum(&page, "posthaste_pool_used_bytes") > 0.0, "the tail holds what was written");
    assert!(sum(&page, "posthaste_disk_free_bytes") > 1e6);
    assert!(rise("posthaste_requests_between_shards_total") >= 1.0, "one of two partitions is on the other shard");
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        assert!(
            page.contains(&format!("# TYPE {}", name.trim_end_matches("_bucket").trim_end_matches("_sum")))
                || name.ends_with("_count"),
            "{line}"
        );
    }
    for purpose in ["received frames", "answers", "tail", "undurable commits", "index cache"] {
        assert!(page.contains(&format!("posthaste_memory_bytes{{shard=\"0\",purpose=\"{purpose}\"}}")), "{purpose}");
        assert!(
            page.contains(&format!("posthaste_memory_limit_bytes{{shard=\"1\",purpose=\"{purpose}\"}}")),
            "{purpose}"
        );
    }
}

#[test]
fn a_consumer_at_the_tail_costs_one_request_between_shards_a_fetch() {
    const ROUNDS: i64 = 50;
    let broker = Broker::start(&["posthaste.admin.listener=127.0.0.1:0"]);
    let (mut consumer, mut producer) = (broker.connect(), broker.connect());
    assert_eq!(producer.create_topic("t", 2, &[]), 0);
    let requests = || sum(&admin_get(&broker, "/metrics").1, "posthaste_requests_between_shards_total");
    let before = requests();
    for offset in 0..ROUNDS {
        for partition in 0..2 {
            consumer.send(FETCH, &fetch_request("t", partition, offset, 30_000));
            assert_eq!(producer.produce("t", partition, &batch(&["v"])), (0, offset));
            let (error, _, bytes) = fetched(&consumer.receive().expect("an answer"));
            assert_eq!((error, values(&bytes)), (0, vec![(offset, "v".to_owned())]));
        }
    }
    // One of the two partitions is elsewhere, for the consumer as for the producer; scrapes and the broker's own questions come on top.
    let asked = requests() - before;
    assert!(asked <= 2.5 * ROUNDS as f64, "{asked} requests for {ROUNDS} fetches and as many produces");
}

#[test]
fn ready_means_that_every_shard_has_just_flushed_a_write() {
    let broker = Broker::start(&["posthaste.admin.listener=127.0.0.1:0"]);
    let flushes = |page: &str| sum(page, "posthaste_journal_flush_duration_seconds_count");
    let before = flushes(&admin_get(&broker, "/metrics").1);
    assert_eq!(admin_get(&broker, "/readyz"), (200, "ok\n".to_owned()));
    let after = flushes(&admin_get(&broker, "/metrics").1);
    assert!(after >= before + 2.0, "one flush on each of two shards, {before} before and {after} after");
    assert_eq!(admin_get(&broker, "/livez"), (200, "ok\n".to_owned()));
    assert_eq!(admin_get(&broker, "/elsewhere").0, 404);
}

#[test]
fn probes_leave_nothing_behind_that_a_restart_sees() {
    let mut broker = Broker::start(&["posthaste.admin.listener=127.0.0.1:0"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    for at in 0..20 {
        assert_eq!(client.produce("t", 0, &batch(&["v"])), (0, at));
        assert_eq!(admin_get(&broker, "/readyz").0, 200);
    }
    broker.kill_and_restart();
    assert_eq!(broker.connect().fetch("t", 0, 0).1, 20);
    assert_eq!(admin_get(&broker, "/readyz").0, 200);
}
