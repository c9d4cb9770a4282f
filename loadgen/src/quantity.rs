//! Numbers with units as people type them: sizes (`16KiB`), durations (`500ms`) and rates (`20MB/s`, `50000`).

use std::time::Duration;

/// What a load offers each second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As fast as it goes: closed loop.
    Unlimited,
    /// Records a second.
    Records(f64),
    /// Payload bytes a second.
    Bytes(f64),
}

impl Rate {
    /// Records a second at the given payload size; 0 means closed loop.
    pub fn records_per_s(self, record_bytes: usize) -> f64 {
        self.records_per_s_of(record_bytes as f64)
    }

    /// The same for records of this size on average.
    pub fn records_per_s_of(self, record_bytes: f64) -> f64 {
        match self {
            Self::Unlimited => 0.0,
            Self::Records(records) => records,
            Self::Bytes(bytes) => bytes / record_bytes,
        }
    }
}

/// Parses `16384`, `16KiB`, `1MB`: bytes, decimal and binary units.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text)?;
    let scale = byte_scale(unit).ok_or_else(|| format!("unknown size unit {unit:?} (B, kB, MB, GB, KiB, MiB, GiB)"))?;
    let bytes = number * scale;
    if bytes.fract() == 0.0 { Ok(bytes as u64) } else { Err(format!("{text} is not a whole number of bytes")) }
}

/// Parses `20s`, `500ms`, `250us`, `2m`, `1h`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1e3,
        "us" => number / 1e6,
        "m" | "min" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return Err(format!("unknown time unit {unit:?} (us, ms, s, m, h)")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Parses `0` (as fast as it goes), `50000` (records a second) or `20MB/s` (payload bytes a second).
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let (number, unit) = split_unit(text)?;
    if number == 0.0 {
        return Ok(Rate::Unlimited);
    }
    match unit {
        "" | "/s" | "rec/s" => Ok(Rate::Records(number)),
        _ => unit.strip_suffix("/s").and_then(byte_scale).map(|scale| Rate::Bytes(number * scale)).ok_or_else(|| {
            format!("unknown rate unit {unit:?} (nothing for records/s, or kB/s, MB/s, GB/s, KiB/s, MiB/s)")
        }),
    }
}

/// Parses `5%` or `0.05`: a share above 0.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let (number, unit) = split_unit(text)?;
    let share = match unit {
        "%" => number / 100.0,
        "" => number,
        _ => return Err(format!("{text:?} is no share, as in 5% or 0.05")),
    };
    if share > 0.0 && share.is_finite() { Ok(share) } else { Err(format!("{text:?} must be above 0")) }
}

fn byte_scale(unit: &str) -> Option<f64> {
    Some(match unit {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

fn split_unit(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.replace('_', "").parse().map_err(|_| format!("{text:?} does not start with a number"))?;
    Ok((number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_decimal_and_binary_units() {
        assert_eq!(parse_bytes("16384"), Ok(16_384));
        assert_eq!(parse_bytes("16KiB"), Ok(16_384));
        assert_eq!(parse_bytes("1.5MB"), Ok(1_500_000));
        assert!(parse_bytes("16 parsecs").is_err());
        assert!(parse_bytes("-1").is_err());
        assert!(parse_bytes("0.3").is_err());
    }

    #[test]
    fn durations_default_to_seconds() {
        assert_eq!(parse_duration("20"), Ok(Duration::from_secs(20)));
        assert_eq!(parse_duration("5ms"), Ok(Duration::from_millis(5)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5_400)));
        assert!(parse_duration("5 fortnights").is_err());
    }

    #[test]
    fn rates_are_records_unless_a_byte_unit_is_given() {
        assert_eq!(parse_rate("0"), Ok(Rate::Unlimited));
        assert_eq!(parse_rate("50_000"), Ok(Rate::Records(50_000.0)));
        assert_eq!(parse_rate("20MB/s").map(|rate| rate.records_per_s(1_000)), Ok(20_000.0));
        assert!(parse_rate("20MB").is_err());
        assert!(parse_rate("fast").is_err());
    }
}
