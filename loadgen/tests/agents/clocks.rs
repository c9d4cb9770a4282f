//! Whether the stated error of an agent's clock is true: on one clock, over an uneven way, and between clocks that differ.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use loadgen::result::{RunResult, Verdict};

use crate::faulty_broker::Fault;
use crate::process::{Agent, PATIENCE, run};

/// One way of the uneven relay.
const DELAY: Duration = Duration::from_millis(5);

#[test]
fn processes_of_one_machine_share_a_clock_and_the_estimate_says_so() {
    let agents = [Agent::start(&[]), Agent::start(&[])];
    let result = run(Fault::None, &agents.each_ref(), "--producers 2 --consumers 2");
    assert_eq!(result.calibration.agents.len(), 2);
    for clock in &result.calibration.agents {
        let offset = clock.clock_offset;
        assert!(offset.est_ns.unsigned_abs() <= offset.err_ns, "the bound contains 0: {clock:?}");
        assert!(offset.probes > 20 && offset.jumps == 0, "{clock:?}");
        let (drift, err) = (offset.drift_ppm.expect("seconds"), offset.drift_err_ppm.expect("seconds"));
        assert!(drift.abs() <= err, "{clock:?}");
    }
    assert!(result.quality.notes.iter().any(|note| note.contains("either way")), "{:?}", result.quality.notes);
}

#[test]
fn the_bound_holds_when_the_way_there_is_slower_than_the_way_back() {
    let mut far = Agent::start(&[]);
    far.address = relay(far.address.clone());
    let result = run(Fault::None, &[&far], "");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    let offset = result.calibration.agents[0].clock_offset;
    assert!(offset.round_trip_min_ns >= DELAY.as_nanos() as u64, "{offset:?}");
    // Half of the delay looks like an offset, and nothing could tell the two apart.
    assert!(offset.err_ns >= offset.round_trip_min_ns / 2, "{offset:?}");
    assert!(offset.est_ns.unsigned_abs() <= offset.err_ns && offset.est_ns > 0, "{offset:?}");
}

/// Passes everything on to `address`, a while later on the way there and at once on the way back.
fn relay(address: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let (near, _) = listener.accept().expect("a coordinator");
        let far = TcpStream::connect(address).expect("an agent");
        for stream in [&near, &far] {
            stream.set_nodelay(true).expect("a socket");
        }
        let (from, to) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
        thread::spawn(move || pass_on(from, to, DELAY));
        pass_on(far, near, Duration::ZERO);
    });
    here
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        thread::sleep(delay);
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            let _ = to.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

/// Two network namespaces joined by a cable, as two hosts are.
struct TwoHosts {
    names: [String; 2],
}

impl TwoHosts {
    fn new() -> Self {
        let id = std::process::id();
        let hosts = Self { names: [format!("loadgen-a-{id}"), format!("loadgen-b-{id}")] };
        let [a, b] = &hosts.names;
        for line in [
            format!("ip netns add {a}"),
            format!("ip netns add {b}"),
            format!("ip link add cable netns {a} type veth peer name cable netns {b}"),
            format!("ip -n {a} address add 10.77.0.1/24 dev cable"),
            format!("ip -n {b} address add 10.77.0.2/24 dev cable"),
            format!("ip -n {a} link set lo up"),
            format!("ip -n {b} link set lo up"),
            format!("ip -n {a} link set cable up"),
            format!("ip -n {b} link set cable up"),
        ] {
            assert!(carry_out(&line), "this test needs root and network namespaces: {line}");
        }
        // A kernel without netem joins the hosts by a cable of no length; the bound must hold there too.
        if !carry_out(&format!("tc -n {a} qdisc add dev cable root netem delay 5ms")) {
            eprintln!("no netem in this kernel: the way between the hosts has no delay");
        }
        hosts
    }

    fn line<'w>(&'w self, host: usize, words: &[&'w str]) -> Vec<&'w str> {
        ["ip", "netns", "exec", &self.names[host]].iter().chain(words).copied().collect()
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        for name in &self.names {
            carry_out(&format!("ip netns delete {name}"));
        }
    }
}

fn carry_out(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success())
}

/// A broker that ends when its standard input does.
fn start_broker(line: &[&str], ready_file: &Path) -> (Child, String) {
    let mut command = Command::new(line[0]);
    let broker = command.args(&line[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ready = fs::read_to_string(ready_file).unwrap_or_default();
        if let Ok(ready) = serde_json::from_str::<serde_json::Value>(&ready) {
            return (broker.expect("it starts"), ready["bootstrap"].as_str().expect("an address").to_owned());
        }
        assert!(Instant::now() < deadline, "the broker did not come up");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The second host's monotonic clock is ahead by exactly this much.
const AHEAD_SECS: u64 = 5_000;

#[test]
#[ignore = "needs root, network and time namespaces: cargo test -p loadgen --test agents -- --ignored"]
fn two_hosts_with_clocks_of_their_own_measure_one_run() {
    let program = env!("CARGO_BIN_EXE_loadgen");
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("a plain path").to_owned();
    let (token, data, ready, json) = (path("token"), path("data"), path("ready"), path("result.json"));
    fs::write(&token, "a token of this test alone").expect("written");
    let hosts = TwoHosts::new();
    let words = [
        program,
        "embedded-broker",
        "--data",
        &data,
        "--listen",
        "10.77.0.1:0",
        "--stop-on-stdin-eof",
        "--ready-file",
        &ready,
    ];
    let (mut broker, bootstrap) = start_broker(&hosts.line(0, &words), Path::new(&ready));

    let near = Agent::start_line(&hosts.line(0, &[program, "agent", "--listen", "127.0.0.1:0"]));
    let ahead = AHEAD_SECS.to_string();
    let words = [
        "unshare",
        "--time",
        "--monotonic",
        &ahead,
        "--fork",
        "--kill-child",
        program,
        "agent",
        "--listen",
        "10.77.0.2:0",
        "--token-file",
        &token,
    ];
    let far = Agent::start_line(&hosts.line(1, &words));

    // One producer at the near agent and one consumer at the far one: every end-to-end time is between the two clocks.
    let agents = format!("{},{}", near.address, far.address);
    let words = format!(
        "run --bootstrap {bootstrap} --agents {agents} --duration 4s --warmup 1s --rate 2000 --quiet --json {json}"
    );
    let out = path("out");
    let words: Vec<&str> =
        [program].into_iter().chain(words.split(' ')).chain(["--token-file", &token, "--out", &out]).collect();
    let line = hosts.line(0, &words);
    let status = Command::new(line[0]).args(&line[1..]).status().expect("the program starts");
    drop(broker.stdin.take());
    broker.wait().expect("it ends");
    assert!(status.success(), "{status}");

    let result: RunResult = serde_json::from_str(&fs::read_to_string(&json).expect("written")).expect("a result");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    let [near, far] = [0, 1].map(|agent| result.calibration.agents[agent].clock_offset);
    eprintln!("near {near:?}\nfar  {far:?}");
    let true_ns = (AHEAD_SECS * 1_000_000_000) as i64;
    assert!(near.est_ns.unsigned_abs() <= near.err_ns, "{near:?}");
    assert!(far.est_ns.abs_diff(true_ns) <= far.err_ns && far.err_ns < 1_000_000_000, "{far:?}");
    let end_to_end = result.summary.consume.and_then(|consume| consume.latency.end_to_end).expect("consumed");
    eprintln!("end to end {end_to_end:?}");
    assert!(end_to_end.p50_ns.is_some_and(|ns| ns < 5_000_000_000), "in seconds of one clock: {end_to_end:?}");
    assert!(result.resources.agents.iter().any(|agent| agent.beside_broker), "the near agent sees the broker");
}
