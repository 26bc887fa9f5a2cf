//! Durations and sizes as people write them.
//!
//! A duration is a whole number and a unit: `500ms`, `5s`, `10m`, `2h`, `7d`; a size is a number of
//! bytes with or without a unit: `512`, `64KiB` (×1024), `10MB` (×1000). `0` needs no unit. Writing
//! and reading are inverse. Fractions and sums (`1h30m`) are refused: one way to say a thing.

use std::time::Duration;

use crate::limits::DURATION_MILLIS_MAX;

/// Largest first, so that writing finds the largest that divides.
const DURATION_UNITS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// What a duration looks like, for messages.
pub(super) const DURATION_FORM: &str = "a whole number and ms, s, m, h or d, such as 500ms or 7d";

/// What a size looks like, for messages.
pub(super) const SIZE_FORM: &str = "a number of bytes such as 512, 64KiB or 10MB";

/// The duration that `text` says, at most [`DURATION_MILLIS_MAX`].
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let factor = match (number, unit) {
        (0, "") => 1,
        _ => DURATION_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    let millis = number.checked_mul(factor)?;
    (millis <= DURATION_MILLIS_MAX).then(|| Duration::from_millis(millis))
}

/// `duration` in the largest unit that says it exactly; what is below a millisecond is dropped.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let divides = |(_, factor): &&(&str, u64)| millis.is_multiple_of(u128::from(*factor));
    match DURATION_UNITS.iter().find(divides) {
        Some((unit, factor)) if millis > 0 => format!("{}{unit}", millis / u128::from(*factor)),
        _ => "0s".into(),
    }
}

/// The number of bytes that `text` says.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" => 1,
        _ => SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.checked_mul(factor)
}

/// `bytes` in the largest unit of 1024s that says it exactly.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let binary = |(unit, factor): &&(&str, u64)| {
        unit.len() == 3 && bytes.is_multiple_of(*factor) && bytes > 0
    };
    match SIZE_UNITS.iter().find(binary) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// The digits in front and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_people_write() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("5s"), Some(5_000));
        assert_eq!(millis(" 10m "), Some(600_000));
        assert_eq!(millis("2h"), Some(7_200_000));
        assert_eq!(millis("7d"), Some(604_800_000));
        assert_eq!(millis("0"), Some(0));
        for wrong in ["", "5", "s", "-5s", "+5s", "1.5h", "5 s", "5S", "7 days", "1h30m", "５s"] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_people_write() {
        assert_eq!(parse_size("512"), Some(512));
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("64kib"), Some(65_536));
        assert_eq!(parse_size("32MiB"), Some(33_554_432));
        assert_eq!(parse_size("1GiB"), Some(1_073_741_824));
        assert_eq!(parse_size("10MB"), Some(10_000_000));
        assert_eq!(parse_size("0"), Some(0));
        for wrong in ["", "MiB", "1K", "1.5MiB", "-1", "1 MiB", "0x10", "1e6"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn both_sides_of_the_largest() {
        assert!(parse_duration(&format!("{DURATION_MILLIS_MAX}ms")).is_some());
        assert!(parse_duration(&format!("{}ms", DURATION_MILLIS_MAX + 1)).is_none());
        assert!(parse_duration("18446744073709551615d").is_none());
        assert_eq!(parse_size("16777215TiB"), Some(16_777_215 << 40));
        assert_eq!(parse_size("16777216TiB"), None);
        assert_eq!(parse_size("18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_size("18446744073709551616"), None);
    }

    proptest! {
        #[test]
        fn a_duration_survives_writing(millis in 0..=DURATION_MILLIS_MAX, round in 0..5_usize) {
            let (_, factor) = DURATION_UNITS[round];
            let duration = Duration::from_millis(millis / factor * factor);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }

        #[test]
        fn a_size_survives_writing(bytes: u64, shift in 0..64_u32) {
            let bytes = bytes >> shift << (shift / 2);
            prop_assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (parse_duration(&text), parse_size(&text));
        }

        #[test]
        fn a_size_is_number_times_unit(number in 0..1_000_u64, unit in 0..9_usize) {
            let (name, factor) = SIZE_UNITS[unit];
            prop_assert_eq!(parse_size(&format!("{number}{name}")), Some(number * factor));
        }
    }
}
