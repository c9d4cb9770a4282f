//! What of the processors changes their speed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use procfs::CpuInfo;

use super::fact;

/// More vulnerabilities than the kernel knows of.
const MITIGATIONS_MAX: usize = 64;

/// Physical processors.
pub(super) fn sockets(processors: &CpuInfo) -> Option<usize> {
    let of_each = (0..processors.num_cores()).filter_map(|index| processors.physical_id(index));
    let sockets: BTreeSet<u32> = of_each.collect();
    (!sockets.is_empty()).then_some(sockets.len())
}

/// Version of the microcode of the first processor.
pub(super) fn microcode(processors: &CpuInfo) -> Option<String> {
    processors.get_field(0, "microcode").map(str::to_owned)
}

/// Whether processors may exceed their nominal frequency. Intel's driver says it the other way round.
pub(super) fn boost() -> Option<bool> {
    let boost = fact("/sys/devices/system/cpu/cpufreq/boost").map(|flag| flag == "1");
    boost.or_else(|| fact("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|flag| flag == "0"))
}

/// What the kernel does about vulnerabilities that concern the processor.
pub(super) fn mitigations(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().take(MITIGATIONS_MAX);
    let told = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, fact(entry.path())?)));
    told.filter(|(_, text)| text != "Not affected").collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use procfs::FromBufRead;

    use super::*;

    const TWO_SOCKETS: &str = "processor\t: 0\nphysical id\t: 0\nmicrocode\t: 0xd0003f6\nflags\t\t: fpu\n\n\
                               processor\t: 1\nphysical id\t: 1\nmicrocode\t: 0xd0003f6\nflags\t\t: fpu\n\n\
                               processor\t: 2\nphysical id\t: 0\nmicrocode\t: 0xd0003f6\nflags\t\t: fpu\n\n";

    #[test]
    fn sockets_are_counted_once_and_microcode_is_told() {
        let processors = CpuInfo::from_buf_read(Cursor::new(TWO_SOCKETS)).expect("a processor table");
        assert_eq!(sockets(&processors), Some(2));
        assert_eq!(microcode(&processors).as_deref(), Some("0xd0003f6"));
        let silent = CpuInfo::from_buf_read(Cursor::new("processor\t: 0\n\n")).expect("a processor table");
        assert_eq!((sockets(&silent), microcode(&silent)), (None, None));
    }

    #[test]
    fn only_vulnerabilities_that_concern_the_processor_are_told() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in
            [("meltdown", "Not affected\n"), ("spectre_v2", "Mitigation: Retpolines; IBPB: conditional\n")]
        {
            fs::write(directory.path().join(name), text).expect("written");
        }
        let told = mitigations(directory.path());
        assert_eq!(
            told.into_iter().collect::<Vec<_>>(),
            [("spectre_v2".to_owned(), "Mitigation: Retpolines; IBPB: conditional".to_owned())]
        );
        assert!(mitigations(Path::new("/nowhere")).is_empty());
    }
}
