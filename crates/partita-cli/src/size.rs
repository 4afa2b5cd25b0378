//! Amounts of data, as people read them.

/// Units above the byte, each 1000 of the one before, as in the configuration of memory.
const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];

/// Returns an amount of data, as in `19 B`, `1.6 KB` and `16.0 MB`.
pub fn short(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut shown = None;
    for unit in UNITS {
        // What would be rounded to 1000 is said in the next unit.
        if amount < 999.95 {
            break;
        }
        amount /= 1000.0;
        shown = Some(unit);
    }
    match shown {
        Some(unit) => format!("{amount:.1} {unit}"),
        None => format!("{bytes} B"),
    }
}

/// Returns an amount of data, with all its bytes where [`short`] leaves some out.
pub fn exact(bytes: u64) -> String {
    let (short, all) = (short(bytes), format!("{bytes} bytes"));
    if short.ends_with(" B") { all } else { format!("{short} ({all})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_the_unit_that_fits() {
        let check = |bytes: u64, text: &str| assert_eq!(short(bytes), text);
        check(0, "0 B");
        check(999, "999 B");
        check(1000, "1.0 KB");
        check(1605, "1.6 KB");
        check(999_949, "999.9 KB");
        check(999_950, "1.0 MB");
        check(16_000_128, "16.0 MB");
        check(u64::MAX, "18446.7 PB");
        assert_eq!(exact(19), "19 bytes");
        assert_eq!(exact(1605), "1.6 KB (1605 bytes)");
    }
}
