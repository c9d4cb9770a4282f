//! docs/CONFIGS.md says what the tables of keys say. `WRITE_PAGES=1 cargo test -p server --test config_page` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use server::config::{BrokerKey, Effect, Settings, broker_keys};
use server::group_config::GROUP_KEYS;
use server::topic_config::TOPIC_KEYS;

const HEAD: &str = "# Configurations

Names, types and defaults are those of Kafka 4.1. What acts does here what it does in Kafka, but for what its row says. What does not is *stored*: taken, checked, told by
`DescribeConfigs`, and said in the log when it is set to something else. An unknown name is refused (INVALID_CONFIG, or the start ends with the most similar name); as one of a
running broker it is, as in Kafka, taken, and here forgotten. This page is made from the tables in the code, and a test holds it to them.

";

const GROUP_HEAD: &str = "
## Groups

Of single groups (`kafka-configs.sh --entity-type groups`), which need not be there yet. They must lie between the broker's `group.consumer.min.*` and `group.consumer.max.*`, and count
from the next heartbeat of each member.

| name | default | the broker's key for it | here | what it does |
|---|---|---|---|---|
";

const BROKER_HEAD: &str = "
## Brokers

`--config FILE.toml` or `--set NAME=VALUE` at the start. *Live* ones can be changed while the broker runs (`kafka-configs.sh`, IncrementalAlterConfigs), for this broker or, with
`--entity-default`, for all of its cluster; the broker's own goes before the cluster's, and both before the start's. They act at once, and survive a restart and a kill. `max.connections`
cannot be raised above what the start had memory and descriptors for.

| name | default | live | what it does |
|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "## Topics\n\n| name | default | the broker's keys for it | here | what it does |\n|---|---|---|---|---|\n";
    for key in TOPIC_KEYS {
        let broker_keys: Vec<String> = key.broker_keys.iter().map(|name| format!("`{name}`")).collect();
        let (name, default, acts) = (key.name, code(Some(key.default)), if key.acts { "acts" } else { "stored" });
        row(&mut page, &[&format!("`{name}`"), &default, &broker_keys.join(", "), acts, key.documentation]);
    }
    page += GROUP_HEAD;
    for key in GROUP_KEYS {
        let acts = if key.acts { "acts" } else { "stored" };
        let of_broker = key.broker_key();
        let of_broker =
            if broker_keys().any(|key| key.name == of_broker) { format!("`{of_broker}`") } else { String::new() };
        row(&mut page, &[&format!("`{}`", key.name), &code(Some(key.default)), &of_broker, acts, key.documentation]);
    }
    page += BROKER_HEAD;
    for key in broker_keys().filter(|key| key.acts()) {
        let live = if key.is_dynamic() { "yes" } else { "" };
        row(&mut page, &[&format!("`{}`", key.name), &default_of(key), live, key.documentation]);
    }
    page += "\n### Stored\n\nThey do nothing here. In brackets: Kafka's default.\n\n";
    for key in broker_keys().filter(|key| !key.acts() && !matches!(key.effect, Effect::Refused(_))) {
        let live = if key.is_dynamic() { ", live" } else { "" };
        let _ = writeln!(page, "- `{}` ({}{live})", key.name, default_of(key));
    }
    page += "\n### Refused\n\nThe start ends, because to accept them would be a lie.\n\n";
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for key in broker_keys() {
        if let Effect::Refused(reason) = key.effect {
            refused.entry(reason).or_default().push(format!("`{}`", key.name));
        }
    }
    for (reason, names) in refused {
        let _ = writeln!(page, "- {reason}: {}", names.join(", "));
    }
    page
}

fn row(page: &mut String, cells: &[&str]) {
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn default_of(key: &BrokerKey) -> String {
    code(key.value(&Settings::default()).as_deref())
}

fn code(value: Option<&str>) -> String {
    match value {
        Some("") => "empty".to_owned(),
        Some(value) => format!("`{value}`"),
        None => "none".to_owned(),
    }
}

#[test]
fn the_page_of_configurations_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CONFIGS.md");
    let page = page();
    if std::env::var_os("WRITE_PAGES").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).expect("the page is there");
    assert!(written == page, "docs/CONFIGS.md is not what the tables say: WRITE_PAGES=1 writes it anew");
}
