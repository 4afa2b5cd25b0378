//! Lengths of time and points in time, as people read them.

use jiff::tz::TimeZone;
use partita_core::time::Timestamp;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// Returns a length of time in seconds, as in `3ms`, `1.2s`, `4m 05s`, `2h 10m` and `3d 4h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 0.9995 {
        return format!("{}ms", (seconds * 1000.0).round());
    }
    if seconds < 59.95 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds.round();
    let (days, hours) = ((whole / DAY).floor(), (whole % DAY / HOUR).floor());
    let (minutes, rest) = ((whole % HOUR / MINUTE).floor(), whole % MINUTE);
    if whole < HOUR {
        format!("{minutes}m {rest:02}s")
    } else if whole < DAY {
        format!("{hours}h {minutes:02}m")
    } else {
        format!("{days}d {hours}h")
    }
}

/// Returns how long ago something was, as in `5m ago`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.seconds_since(at);
    let (count, unit) = match seconds {
        s if s < 5.0 => return "just now".to_owned(),
        s if s < MINUTE => (s, "s"),
        s if s < HOUR => (s / MINUTE, "m"),
        s if s < DAY => (s / HOUR, "h"),
        s => (s / DAY, "d"),
    };
    format!("{}{unit} ago", count.floor())
}

/// Returns a point in time on this machine's clock, to the second.
pub fn local(at: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(at.0) {
        Ok(moment) => moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "—".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: f64, text: &str) {
        assert_eq!(duration(seconds), text);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        check(-1.0, "0ms");
        check(0.0034, "3ms");
        check(0.9999, "1.0s");
        check(12.34, "12.3s");
        check(59.99, "1m 00s");
        check(245.0, "4m 05s");
        check(7800.0, "2h 10m");
        check(3.0 * DAY + 4.0 * HOUR + 5.0, "3d 4h");
    }

    #[test]
    fn the_past_is_told_in_its_largest_unit() {
        let at = |seconds: i64| ago(Timestamp(0), Timestamp(seconds * 1_000_000));
        assert_eq!(
            [at(1), at(59), at(3599), at(90_000)],
            ["just now", "59s ago", "59m ago", "1d ago"]
        );
    }
}
