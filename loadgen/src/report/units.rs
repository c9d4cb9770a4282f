//! Figures as people read them: three digits that matter, a unit that fits.

/// A duration: `950 ns`, `12.3 µs`, `1.23 ms`, `4.56 s`.
pub fn duration_ns(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => return format!("{ns:.0} ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", decimal(value))
}

/// A rate in bytes, in the unit that disks and networks are sold in: `20.0 MB/s`.
pub fn megabytes_per_s(bytes_per_s: f64) -> String {
    format!("{} MB/s", decimal(bytes_per_s / 1e6))
}

/// A size in memory or on disk: `512 B`, `38.0 MiB`.
pub fn binary_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        value /= 1_024.0;
        unit = larger;
    }
    format!("{} {unit}", decimal(value))
}

/// A whole number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three digits that matter: `0.123`, `1.23`, `12.3`, `1,234`.
pub fn decimal(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "n/a".into(),
        size if size >= 99.95 => count_of(value),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.995 => format!("{value:.2}"),
        0.0 => "0".into(),
        _ => format!("{value:.3}"),
    }
}

/// A share of a whole: `99.8 %`. Only the whole reads 100: what rounds up to it without being it does not.
pub(super) fn percent(share: f64) -> String {
    let tenths = share * 1_000.0;
    let shown = if share < 1.0 { tenths.floor().min(999.0) } else { tenths.round() };
    format!("{:.1} %", shown / 10.0)
}

fn count_of(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", count(value.abs().round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_into_the_next_unit_never_past_it() {
        assert_eq!(duration_ns(950.0), "950 ns");
        assert_eq!(duration_ns(999.7), "1.00 µs");
        assert_eq!(duration_ns(999_700.0), "1.00 ms");
        assert_eq!(duration_ns(12_340_000.0), "12.3 ms");
        assert_eq!(duration_ns(2.5e9), "2.50 s");
        assert_eq!(duration_ns(300e9), "300 s");
    }

    #[test]
    fn sizes_and_counts_keep_three_digits_that_matter() {
        assert_eq!(binary_bytes(512), "512 B");
        assert_eq!(binary_bytes(1_023 << 20), "1.00 GiB");
        assert_eq!(binary_bytes(40 << 20), "40.0 MiB");
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(decimal(0.0), "0");
        assert_eq!(decimal(99.96), "100");
        assert_eq!(decimal(f64::NAN), "n/a");
    }

    #[test]
    fn almost_all_is_not_printed_as_all() {
        assert_eq!(percent(0.999_99), "99.9 %");
        assert_eq!(percent(1.0), "100.0 %");
        assert_eq!(percent(0.614), "61.4 %");
    }
}
