//! The start block: what the machine grants and what was resolved, once, before the first connection.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use engine::io::runtime::{RingReport, file_system_report};

use crate::config::{HostPort, ListenerMode, Settings};
use crate::memory_plan::MemoryPlan;

/// Width of the first column: the longest name of a setting and two blanks.
const NAME_CHARS: usize = 44;

/// What goes into the block.
pub struct StartReport<'a> {
    /// What the kernel grants.
    pub ring: &'a RingReport,
    /// The configuration.
    pub settings: &'a Settings,
    /// Shards of the directory.
    pub shards: usize,
    /// How memory is split.
    pub memory: &'a MemoryPlan,
    /// Descriptors that may be open.
    pub descriptors_max: u64,
    /// Connections that are taken.
    pub connections_max: usize,
    /// Where it listens, and as which node.
    pub addresses: Vec<(i32, SocketAddr)>,
    /// Where the admin page is.
    pub admin: Option<SocketAddr>,
}

impl StartReport<'_> {
    /// The block as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", format!("{name:<NAME_CHARS$}{value}").trim_end());
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        line("version", env!("CARGO_PKG_VERSION"));
        line("kernel", &self.ring.kernel);
        line("io_uring flags", self.ring.flags);
        disk_lines(&self.settings.data, &mut line);
        line("cores / shards", &format!("{cores} / {}", self.shards));
        line("huge pages", huge_pages(std::fs::read_to_string(HUGE_PAGES).ok().as_deref()));
        for (name, value) in self.memory.lines() {
            line(name, &value);
        }
        line("descriptors", &self.descriptors_max.to_string());
        line("connections at most", &self.connections_max.to_string());
        for (node, address) in &self.addresses {
            line("listening on", &format!("{address} (node {node})"));
        }
        if let Some(address) = self.admin {
            line("admin page", &format!("http://{address}/metrics"));
        }
        if self.settings.advertised_listeners.is_empty() {
            line("advertised", "the address that a client has connected to");
        }
        for advertised in &self.settings.advertised_listeners {
            let address = HostPort(&advertised.host, advertised.port);
            let ports = match self.settings.listener_mode {
                ListenerMode::PerCore => ", and the ports behind it, one a node",
                ListenerMode::Shared => "",
            };
            line("advertised", &format!("{address} ({}){ports}", advertised.name));
        }
        for (name, value) in self.settings.resolved() {
            line(name, &value);
        }
        text
    }
}

/// Where the kernel says who gets huge pages: all choices, the one that holds in brackets.
const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// What becomes of the buffers, which ask for huge pages by `madvise`.
fn huge_pages(choices: Option<&str>) -> &'static str {
    match choices {
        Some(choices) if choices.contains("[never]") => "switched off: buffers have small pages, which cost some CPU",
        Some(_) => "for buffers",
        None => "this kernel has none",
    }
}

fn disk_lines(data: &Path, line: &mut impl FnMut(&str, &str)) {
    line("data directory", &data.display().to_string());
    match file_system_report(data) {
        Ok(report) => {
            line("file system", &report.file_system);
            let alignment =
                report.direct_alignment_bytes.map_or("refused".to_owned(), |bytes| format!("{bytes} bytes"));
            line("O_DIRECT alignment", &alignment);
            line("write cache", report.write_cache.as_deref().unwrap_or("unknown"));
            line("durability", report.durability);
        }
        Err(error) => line("file system", &format!("unknown ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_told_by_the_choice_in_brackets() {
        assert_eq!(huge_pages(Some("always [madvise] never")), "for buffers");
        assert_eq!(huge_pages(Some("[always] madvise never")), "for buffers");
        assert!(huge_pages(Some("always madvise [never]")).contains("switched off"));
        assert!(huge_pages(None).contains("none"));
    }

    #[test]
    fn every_name_leaves_room_for_its_value_in_the_same_column() {
        for (name, _) in Settings::default().resolved() {
            assert!(name.len() + 2 <= NAME_CHARS, "{name}");
        }
    }
}
