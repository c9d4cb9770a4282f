//! A folder of results: every rule finds its breach, and what is committed keeps them all.

#[allow(dead_code, reason = "each test takes the runs that it needs")]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use loadgen::exchange::{Given, ImportFormat, import};
use loadgen::result::{RunResult, parse_utc_timestamp};
use loadgen::result_folder::{COMMITTED_BYTES_MAX, Rule, check, index_text, stale};
use serde_json::{Value, json};
use tempfile::TempDir;

const CAMPAIGN: &str = "standard/posthaste/20261123-f71ac70/lab";

/// Its histograms take a while to make, so they are made once.
static RUN: LazyLock<RunResult> = LazyLock::new(sample::calm_run);

/// A folder with five repeats and their machine.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let machine = json!({"id": "lab", "env": RUN.env, "noise_floor": {"p99": 0.04}});
        folder.write("machines/lab.json", &machine.to_string());
        for repeat in 1..=5 {
            folder.put(repeat, |_| {});
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    fn file(repeat: u32) -> String {
        format!("{CAMPAIGN}/r0{repeat}.json")
    }

    /// Writes one repeat with a last touch to its JSON.
    fn put(&self, repeat: u32, touch: impl FnOnce(&mut Value)) {
        let mut run = RUN.clone();
        run.id = format!("20261123t140800z-0000000{repeat}");
        run.tags = vec!["published".into()];
        run.set_series_key();
        let mut value = serde_json::to_value(&run).expect("a plain struct");
        touch(&mut value);
        self.write(&Self::file(repeat), &value.to_string());
    }

    /// What a check tells, as `file: key [rule]`.
    fn findings(&self) -> Vec<(String, String, Rule)> {
        let findings = check(self.path(), now()).expect("readable");
        assert!(findings.iter().all(|one| !one.what.is_empty() && !one.to_string().contains('\n')));
        findings.into_iter().map(|one| (one.file, one.key, one.rule)).collect()
    }

    /// The only finding after a change to the third repeat.
    fn only(touch: impl FnOnce(&mut Value)) -> (String, Rule) {
        let folder = Self::new();
        folder.put(3, touch);
        let found = folder.findings();
        let [(file, key, rule)] = &found[..] else { panic!("one finding, not {found:?}") };
        assert_eq!(*file, Self::file(3));
        (key.clone(), *rule)
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + parse_utc_timestamp("2026-12-24T00:00:00Z").expect("a date")
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().expect("the program runs")
}

#[test]
fn the_committed_folder_keeps_its_rules() {
    let findings = check(&committed(), SystemTime::now() + Duration::from_secs(1)).expect("readable");
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn the_committed_index_is_that_of_the_files() {
    let fresh = index_text(&committed()).expect("readable");
    let index = fs::read_to_string(committed().join("index.json")).expect("results/index.json is committed");
    let words = stale(&index, &fresh);
    assert!(words.is_empty(), "renew it: cargo run -p loadgen -- results index\n{}", words.join("\n"));
    assert_eq!(fresh, index_text(&committed()).expect("readable"), "the same bytes again");
}

#[test]
fn a_folder_that_keeps_the_rules_has_no_finding() {
    assert_eq!(Folder::new().findings(), []);
}

#[test]
fn keys_that_nobody_knows_and_nulls_are_found_where_they_stand() {
    assert_eq!(
        Folder::only(|run| run["workload"]["partitons"] = json!(8)),
        ("workload.partitons".into(), Rule::Format)
    );
    assert_eq!(Folder::only(|run| run["label"] = Value::Null), ("label".into(), Rule::Format));
    let null_memory = Folder::only(|run| run["resources"]["loadgen"]["rss_idle_bytes"] = Value::Null);
    assert_eq!(null_memory, ("resources.loadgen.rss_idle_bytes".into(), Rule::Format));
    let zero_memory = Folder::only(|run| run["resources"]["broker"]["rss_idle_bytes"] = json!(0));
    assert_eq!(zero_memory, ("resources.broker.rss_idle_bytes".into(), Rule::Units));
    assert_eq!(Folder::only(|run| run["schema_version"] = json!(2)), ("schema_version".into(), Rule::Format));
}

#[test]
fn files_that_are_no_results_are_found() {
    let folder = Folder::new();
    folder.put(3, |run| run["workload"]["acks"] = json!("most"));
    folder.write(&Folder::file(4), "{\"schema_version\": 1, \"id\": ");
    folder.write(&Folder::file(5), "{\"seconds\": 4.0}");
    let rules: Vec<Rule> = folder.findings().into_iter().map(|(_, _, rule)| rule).collect();
    // Two published repeats are left, which is too few.
    assert_eq!(rules, [Rule::Format, Rule::Format, Rule::NoResult, Rule::Repeats]);
}

#[test]
fn a_large_file_is_found_before_it_is_read() {
    let folder = Folder::new();
    let large = folder.path().join("standard/posthaste/20261123-f71ac70/lab/r06.json");
    fs::File::create(large).and_then(|file| file.set_len(COMMITTED_BYTES_MAX + 1)).expect("a sparse file");
    let findings = folder.findings();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].0.ends_with("r06.json"), findings[0].2), (true, Rule::Size));
}

#[test]
fn an_id_is_the_start_and_eight_digits_and_nobody_elses() {
    let id = |id: &'static str| Folder::only(move |run| run["id"] = json!(id));
    for wrong in ["20261123t140801z-00000003", "20261123t140800z-0000003", "20261123t140800z-0000000g", "r03"] {
        assert_eq!(id(wrong), ("id".into(), Rule::Id), "{wrong}");
    }
    let folder = Folder::new();
    folder.put(3, |run| run["id"] = json!("20261123t140800z-00000002"));
    assert_eq!(folder.findings(), [(Folder::file(3), "id".into(), Rule::Id)]);
}

#[test]
fn dates_are_in_order_of_this_world_and_of_the_folder() {
    assert_eq!(Folder::only(|run| run["ended_utc"] = json!("2026-11-23T14:07:00Z")).1, Rule::Dates);
    assert_eq!(Folder::only(|run| run["ended_utc"] = json!("2027-11-23T14:07:00Z")).1, Rule::Dates);
    assert_eq!(Folder::only(|run| run["ended_utc"] = json!("Monday")), ("ended_utc".into(), Rule::Dates));
    let other_month = Folder::only(|run| {
        run["started_utc"] = json!("2026-10-23T14:08:00Z");
        run["id"] = json!("20261023t140800z-00000003");
    });
    assert_eq!(other_month, ("started_utc".into(), Rule::Dates));
}

#[test]
fn a_machine_that_is_not_described_is_found() {
    assert_eq!(Folder::only(|run| run["env"][0]["kernel"] = json!("")), ("env[0].kernel".into(), Rule::Environment));
    let without_model = Folder::only(|run| {
        run["env"][0].as_object_mut().expect("a host").remove("clocksource");
    });
    assert_eq!(without_model, ("env[0].clocksource".into(), Rule::Environment));
    let folder = Folder::new();
    folder.write("machines/lab.json", "{\"id\": \"other\", \"env\": []}");
    let keys: Vec<String> = folder.findings().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["id", "env", "noise_floor"]);
}

#[test]
fn figures_that_contradict_each_other_are_found() {
    let p99 = "summary.produce.latency.response.p99_ns";
    let swapped = Folder::only(|run| run["summary"]["produce"]["latency"]["lag"]["p75_ns"] = json!(3));
    assert_eq!(swapped, ("summary.produce.latency.lag.p75_ns".into(), Rule::Units));
    let folder = Folder::new();
    // Milliseconds for nanoseconds: below the median, and not what the histogram has.
    folder.put(3, |run| *run.pointer_mut(&format!("/{}", p99.replace('.', "/"))).expect("it is there") = json!(2));
    let keys: Vec<String> = folder.findings().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, [p99, "histograms.produce.response"]);
    let rate = Folder::only(|run| run["summary"]["produce"]["bytes"] = json!(400_000_000_000_u64));
    assert_eq!(rate, ("summary.produce.bytes".into(), Rule::Units));
    let column = Folder::only(|run| run["series"]["steal_share"] = json!([0.1]));
    assert_eq!(column, ("series.steal_share".into(), Rule::Units));
    let share = Folder::only(|run| run["series"]["steal_share"][3] = json!(7.0));
    assert_eq!(share, ("series.steal_share".into(), Rule::Units));
    let window = Folder::only(|run| run["ended_utc"] = json!("2026-11-23T14:08:02Z"));
    assert_eq!(window, ("summary.measured_secs".into(), Rule::Units));
}

#[test]
fn a_failed_run_is_data_only_under_its_tag() {
    let untagged = |run: &mut Value| {
        run["integrity"]["verdict"] = json!("fail");
        run["tags"] = json!([]);
    };
    let folder = Folder::new();
    folder.put(3, untagged);
    let rules: Vec<Rule> = folder.findings().into_iter().map(|(_, _, rule)| rule).collect();
    assert_eq!(rules, [Rule::Integrity, Rule::Repeats], "and four published repeats are too few");
    let folder = Folder::new();
    folder.put(6, |run| {
        untagged(run);
        run["tags"] = json!(["failed"]);
    });
    assert_eq!(folder.findings(), []);
    let published = Folder::only(|run| {
        run["error"] = json!("interrupted");
        run["tags"] = json!(["failed", "published"]);
    });
    assert_eq!(published, ("tags".into(), Rule::Tags));
}

#[test]
fn tags_are_known_and_keep_what_they_promise() {
    assert_eq!(Folder::only(|run| run["tags"] = json!(["published", "best"])), ("tags".into(), Rule::Tags));
    let debug = Folder::only(|run| run["loadgen"]["build_profile"] = json!("debug"));
    // The profile is part of the series, but its key was computed before.
    assert_eq!(debug, ("loadgen.build_profile".into(), Rule::Tags));
    assert_eq!(Folder::only(|run| run["quality"]["noisy"] = json!(true)), ("quality.noisy".into(), Rule::Tags));
    let folder = Folder::new();
    folder.put(6, |run| run["tags"] = json!(["published", "retracted"]));
    let unexplained = vec![(Folder::file(6), "quality.notes".to_owned(), Rule::Tags)];
    assert_eq!(folder.findings(), unexplained);
    folder.put(6, |run| {
        run["tags"] = json!(["published", "retracted"]);
        run["quality"]["notes"] = json!(["Retracted 2026-11-24: the disk was full."]);
    });
    assert_eq!(folder.findings(), []);
}

#[test]
fn an_edited_load_no_longer_hashes_to_its_id() {
    assert_eq!(Folder::only(|run| run["workload"]["linger_ms"] = json!(5.0)), ("workload_id".into(), Rule::WorkloadId));
}

#[test]
fn repeats_are_of_one_series_and_enough() {
    let key = Folder::only(|run| run["series_key"] = json!("0000000000000000"));
    assert_eq!(key, ("series_key".into(), Rule::SeriesKey));
    let absent = Folder::only(|run| {
        run.as_object_mut().expect("an object").remove("series_key");
    });
    assert_eq!(absent, ("series_key".into(), Rule::SeriesKey));
    let folder = Folder::new();
    fs::remove_file(folder.path().join(Folder::file(5))).expect("it is there");
    assert_eq!(folder.findings(), [(Folder::file(1), "tags".into(), Rule::Repeats)]);
}

#[test]
fn files_lie_where_the_layout_says() {
    let text = fs::read_to_string(Folder::new().path().join(Folder::file(1))).expect("it is there");
    let places = [
        ("r01.json", 1),
        ("standard/posthaste/20261123-f71ac70/other/r01.json", 1),
        ("standard/posthaste/2026-11-23/lab/r01.json", 1),
        ("standard/posthaste/20261123-f71ac70/lab/first.json", 1),
    ];
    for (place, count) in places {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        let machine = json!({"id": "lab", "env": RUN.env, "noise_floor": {"p99": 0.04}});
        folder.write("machines/lab.json", &machine.to_string());
        folder.write(place, &text.replace("published", "tuned"));
        let found = folder.findings();
        assert_eq!((found.len(), found[0].2), (count, Rule::Layout), "{place}: {found:?}");
    }
    assert_eq!(Folder::only(|run| run["suite"] = json!("other")), ("suite".into(), Rule::Layout));
}

#[test]
fn an_exception_excuses_what_it_names_and_is_found_when_it_excuses_nothing() {
    let folder = Folder::new();
    folder.put(3, |run| run["workload"]["linger_ms"] = json!(5.0));
    let exception = |rule: &str| {
        format!(
            "[[exception]]\nrule = \"{rule}\"\nfiles = \"standard/\"\nadded = \"2026-11-25\"\nreason = \"A test.\"\n"
        )
    };
    folder.write("exceptions.toml", &exception("workload-id"));
    assert_eq!(folder.findings(), []);
    folder.write("exceptions.toml", &(exception("workload-id") + &exception("size")));
    assert_eq!(folder.findings(), [("exceptions.toml".into(), "exception".into(), Rule::Exception)]);
    for wrong in ["2026-11-25", "A test.", "standard/"] {
        folder.write("exceptions.toml", &exception("workload-id").replace(wrong, ""));
        assert!(check(folder.path(), now()).is_err(), "{wrong} is needed");
    }
}

#[test]
fn the_index_has_no_series_and_says_what_changed() {
    let folder = Folder::new();
    let text = index_text(folder.path()).expect("readable");
    let entries: Vec<Value> = serde_json::from_str(&text).expect("a list");
    assert_eq!(entries.len(), 5);
    assert!(entries.iter().all(|entry| entry.get("series").is_none() && entry.get("histograms").is_none()));
    assert_eq!(entries[0]["path"], json!(Folder::file(1)));
    assert!(entries[0]["produce"]["response_p99_ns"].as_u64().is_some_and(|ns| ns > 0));
    let paths: Vec<&str> = entries.iter().filter_map(|entry| entry["path"].as_str()).collect();
    assert!(paths.is_sorted());
    fs::remove_file(folder.path().join(Folder::file(1))).expect("it is there");
    folder.put(2, |run| run["tags"] = json!([]));
    folder.put(6, |_| {});
    let words = stale(&text, &index_text(folder.path()).expect("readable"));
    assert_eq!(words.len(), 3, "{words:?}");
    assert!(words[0].contains("r02.json was rewritten: results are only added"));
    assert!(words[1].ends_with("r06.json is new") && words[2].ends_with("r01.json is gone"));
}

#[test]
fn an_imported_result_needs_no_machine_and_is_never_published() {
    let output = include_bytes!("samples/producer-perf.txt");
    let result = import(ImportFormat::KafkaProducerPerfTest, output, &Given::default()).expect("a whole output");
    let folder = Folder::new();
    let file = "standard/apache-kafka/20261123-f71ac70/lab/r01.json";
    let mut value = serde_json::to_value(&result).expect("a plain struct");
    folder.write(file, &value.to_string());
    assert_eq!(folder.findings(), []);
    let index = index_text(folder.path()).expect("readable");
    let entries: Vec<Value> = serde_json::from_str(&index).expect("a list");
    assert_eq!(entries[0]["path"], json!(file));
    for absent in ["integrity", "durability", "started_utc", "product"] {
        assert_eq!(entries[0].get(absent), None, "the source does not tell {absent}");
    }
    value["tags"] = json!(["published"]);
    value["id"] = json!("imported-0000000000000000");
    folder.write(file, &value.to_string());
    let rules: Vec<Rule> = folder.findings().into_iter().map(|(_, _, rule)| rule).collect();
    assert_eq!(rules, [Rule::Id, Rule::Tags, Rule::Repeats]);
}

#[test]
fn commands_tell_scripts_what_they_found() {
    let folder = Folder::new();
    let path = folder.path().to_str().expect("text");
    assert_eq!(loadgen(&["results", "check", path]).status.code(), Some(0));
    let output = loadgen(&["results", "index", "--check", path]);
    assert_eq!(output.status.code(), Some(3), "there is none yet: {output:?}");
    assert_eq!(loadgen(&["results", "index", path]).status.code(), Some(0));
    assert_eq!(loadgen(&["results", "index", "--check", path]).status.code(), Some(0));
    folder.put(3, |run| run["id"] = json!("r03"));
    let output = loadgen(&["results", "check", path]);
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8_lossy(&output.stdout);
    assert!(line.starts_with(&format!("{}: id: ", Folder::file(3))) && line.ends_with("[id]\n"), "{line}");
    let output = loadgen(&["results", "index", "--check", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("r03.json was rewritten"));
    assert_eq!(loadgen(&["results", "check", "/nowhere/at/all"]).status.code(), Some(3));
}

#[test]
fn import_writes_a_result_once_that_export_reads_and_refuses_a_huge_file_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let out = out.to_str().expect("text");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/producer-perf.txt");
    let run = |file: &str| loadgen(&["import", "--from", "kafka-producer-perf-test", file, "--out", out]);
    let first = run(sample);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let path = String::from_utf8_lossy(&first.stdout).trim().trim_start_matches("result").trim().to_owned();
    let result: RunResult = serde_json::from_slice(&fs::read(&path).expect("it was written")).expect("a result file");
    assert!(result.imported.is_some_and(|imported| imported.tool == "kafka-producer-perf-test"));
    let csv = loadgen(&["export", "--to", "csv", &path]);
    assert_eq!((csv.status.code(), csv.stdout.split(|byte| *byte == b'\n').count()), (Some(0), 3));
    let second = run(sample);
    assert_eq!(second.status.code(), Some(3), "a result is never written over");
    let huge = folder.path().join("huge.txt");
    fs::File::create(&huge).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    for output in [
        run(huge.to_str().expect("text")),
        run("/nowhere/at/all"),
        loadgen(&["export", "--to", "csv", huge.to_str().expect("text")]),
        loadgen(&["export", "--to", "csv", sample]),
    ] {
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{output:?}");
    }
}
