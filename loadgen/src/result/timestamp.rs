//! Wall-clock time as text, for file names and result files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// RFC 3339 in UTC with whole seconds, `2026-11-23T14:08:00Z`. Times before 1970 read as 1970.
pub fn utc_timestamp(time: SystemTime) -> String {
    let secs = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil_date(secs / 86_400);
    let (hour, minute, second) = (secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Time since 1970 of what [`utc_timestamp`] wrote; none for any other text.
pub fn parse_utc_timestamp(text: &str) -> Option<Duration> {
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    let bytes = text.as_bytes();
    if bytes.len() != 20 || separators.iter().any(|(at, separator)| bytes[*at] != *separator) {
        return None;
    }
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    if year < 1970 || month == 0 || day == 0 {
        return None;
    }
    // March is the first month, as below: the leap day comes last.
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_from_march = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month_from_march + 2) / 5 + day - 1;
    let days = days_from_march.checked_sub(719_468)?;
    let since = Duration::from_secs(days * 86_400 + digits(11, 13)? * 3_600 + digits(14, 16)? * 60 + digits(17, 19)?);
    // Day 31 of a short month, hour 25 and `+1` are numbers too; what does not come back was no date.
    (utc_timestamp(UNIX_EPOCH + since) == text).then_some(since)
}

/// Year, month and day of a day number since 1970-01-01. Years are counted from March, so that the leap day
/// is the last day of a year and months have a closed form.
fn civil_date(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097; // 400 years
    const EPOCH_FROM_MARCH_YEAR_0: u64 = 719_468;
    let days = days_since_epoch + EPOCH_FROM_MARCH_YEAR_0;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_century_ends_are_named_right() {
        let at = |secs| utc_timestamp(UNIX_EPOCH + Duration::from_secs(secs));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(at(1_709_251_200), "2024-03-01T00:00:00Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_written_time_reads_back_and_no_other_text_does() {
        for secs in [0, 951_782_400, 1_709_251_199, 1_709_251_200, 1_795_618_800, 4_107_542_400] {
            let text = utc_timestamp(UNIX_EPOCH + Duration::from_secs(secs));
            assert_eq!(parse_utc_timestamp(&text), Some(Duration::from_secs(secs)), "{text}");
        }
        let wrong =
            ["2026-02-29T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "", "é"];
        for text in wrong {
            assert_eq!(parse_utc_timestamp(text), None, "{text}");
        }
    }
}
