//! The words that mean something in a datetime, in any mix of capitals.
//!
//! English, as dateutil's default `parserinfo` has them.

use chrono::Weekday;

/// `Wed`, `Wednesday`.
pub(super) fn weekday(token: &str) -> Option<Weekday> {
    const DAYS: [(Weekday, &str); 7] = [
        (Weekday::Mon, "monday"),
        (Weekday::Tue, "tuesday"),
        (Weekday::Wed, "wednesday"),
        (Weekday::Thu, "thursday"),
        (Weekday::Fri, "friday"),
        (Weekday::Sat, "saturday"),
        (Weekday::Sun, "sunday"),
    ];
    DAYS.iter().find(|(_, name)| is_name(token, name)).map(|(day, _)| *day)
}

/// `Apr`, `April`: 1–12.
pub(super) fn month(token: &str) -> Option<u32> {
    if token.eq_ignore_ascii_case("sept") {
        return Some(9);
    }
    (1..).zip(MONTHS).find(|(_, name)| is_name(token, name)).map(|(number, _)| number)
}

/// `h`, `minute`, `seconds`.
pub(super) fn unit(token: &str) -> Option<Unit> {
    if is_one_of(token, &["h", "hour", "hours"]) {
        Some(Unit::Hour)
    } else if is_one_of(token, &["m", "minute", "minutes"]) {
        Some(Unit::Minute)
    } else if is_one_of(token, &["s", "second", "seconds"]) {
        Some(Unit::Second)
    } else {
        None
    }
}

/// A part of a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    Hour,
    Minute,
    Second,
}

impl Unit {
    /// What a number behind a number of this unit means: in `10h36`, minutes.
    pub(super) const fn smaller(self) -> Option<Self> {
        match self {
            Self::Hour => Some(Self::Minute),
            Self::Minute => Some(Self::Second),
            Self::Second => None,
        }
    }
}

/// `am`, `p`.
pub(super) fn half(token: &str) -> Option<Half> {
    if is_one_of(token, &["am", "a"]) {
        Some(Half::Morning)
    } else if is_one_of(token, &["pm", "p"]) {
        Some(Half::Afternoon)
    } else {
        None
    }
}

/// A half of the day, on a clock of 12 hours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Half {
    Morning,
    Afternoon,
}

impl Half {
    /// `hour` of this half on a clock of 24 hours.
    pub(super) const fn on_24(self, hour: u32) -> u32 {
        match (self, hour) {
            (Self::Afternoon, 0..12) => hour + 12,
            (Self::Morning, 12) => 0,
            _ => hour,
        }
    }
}

/// Says nothing and may stand anywhere.
pub(super) fn is_filler(token: &str) -> bool {
    is_one_of(token, &[" ", ".", ",", ";", "-", "/", "'", "at", "on", "and", "ad", "m", "t"])
        || is_one_of(token, &["of", "st", "nd", "rd", "th"])
}

/// Stands between a month and its year.
pub(super) fn is_of(token: &str) -> bool {
    token.eq_ignore_ascii_case("of")
}

/// Looks like the name of a zone.
pub(super) fn is_zone(token: &str) -> bool {
    let capitals = token.len() <= 5 && token.bytes().all(|byte| byte.is_ascii_uppercase());
    capitals || token == "z"
}

/// `UTC`, `GMT`, `Z`.
pub(super) fn is_utc(zone: &str) -> bool {
    is_one_of(zone, &["utc", "gmt", "z"])
}

/// Seconds that a zone of RFC 2822 §4.3 is ahead of UTC. The others of that list, and all that are
/// not in it, mean UTC.
pub(super) fn zone_offset_seconds(zone: &str) -> i64 {
    let hours = match zone {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => 0,
    };
    hours * 3_600
}

/// What Python takes for a number, but no finite one.
pub(super) fn is_not_finite(token: &str) -> bool {
    is_one_of(token, &["nan", "inf", "infinity"])
}

/// The whole of `name`, or its first three letters.
fn is_name(token: &str, name: &str) -> bool {
    token.eq_ignore_ascii_case(name)
        || name.get(..3).is_some_and(|short| token.eq_ignore_ascii_case(short))
}

fn is_one_of(token: &str, words: &[&str]) -> bool {
    words.iter().any(|word| token.eq_ignore_ascii_case(word))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
