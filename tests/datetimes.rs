//! Datetimes against a table that the real python-dateutil made (`data/datetimes.py`).

#![expect(clippy::expect_used, reason = "a test may stop on a broken table")]

use chrono::{DateTime, FixedOffset};
use ess::event::Timestamp;
use ess::event::datetime::{DatetimeError, parse};
use ess::limits::DATETIME_BYTES_MAX;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const TABLE: &str = include_str!("data/datetimes.tsv");

/// The text, and milliseconds since 1970, negative before; `None` when refused.
type Row = (String, Option<i64>);

fn table() -> (Timestamp, Vec<Row>) {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let now = lines.next().and_then(|line| line.strip_prefix("now\t")).expect("`now` is first");
    let now = Timestamp::from_millis(now.parse().expect("`now` is a number"));
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let text = columns.next().expect("a line has a first column");
        let text = serde_json::from_str(text).expect("the first column is JSON");
        let expect = columns.next().expect("a line has a second column");
        let refused = expect == "refused";
        (text, (!refused).then(|| expect.parse().expect("the second column is a number")))
    };
    (now, lines.map(row).collect())
}

#[test]
fn every_row_of_the_table_is_read_as_dateutil_reads_it() {
    let (now, rows) = table();
    assert!(rows.len() > 500 && rows.iter().filter(|(_, expect)| expect.is_none()).count() > 100);
    let mut faults = Vec::new();
    for (text, expect) in &rows {
        let expect = expect.map(|millis| u64::try_from(millis).unwrap_or(0));
        let found = parse(text, now);
        if found.ok().map(Timestamp::millis) != expect {
            faults.push(format!("{text:?}: {found:?}, dateutil: {expect:?}"));
        }
    }
    assert!(faults.is_empty(), "of {} rows:\n{}", rows.len(), faults.join("\n"));
}

#[test]
fn the_length_is_bounded() {
    let padded = |bytes: usize| format!("{:bytes$}", "2025-04-30");
    let day = Timestamp::from_millis(1_745_971_200_000);
    assert_eq!(parse(&padded(DATETIME_BYTES_MAX), Timestamp::EPOCH), Ok(day));
    assert_eq!(
        parse(&padded(DATETIME_BYTES_MAX + 1), Timestamp::EPOCH),
        Err(DatetimeError::TooLong)
    );
}

#[test]
fn a_refusal_says_which_kind() {
    let (now, _) = table();
    assert_eq!(parse("", now), Err(DatetimeError::Empty));
    assert_eq!(parse("at, on", now), Err(DatetimeError::Empty));
    assert_eq!(parse("yesterday", now), Err(DatetimeError::Unreadable));
    assert_eq!(parse("2025-04-31", now), Err(DatetimeError::Impossible));
    assert_eq!(parse("10:00+24:00", now), Err(DatetimeError::Impossible));
}

#[test]
fn a_clock_gone_mad_does_no_harm() {
    let end = Timestamp::from_millis(u64::MAX);
    assert_eq!(parse("00:00", end), Ok(Timestamp::from_millis(253_402_214_400_000)));
    assert_eq!(parse("Sat", end), Err(DatetimeError::Impossible));
    assert_eq!(parse("Fri", end), Ok(Timestamp::from_millis(253_402_214_400_000)));
    assert_eq!(parse("00:00", Timestamp::EPOCH), Ok(Timestamp::EPOCH));
    assert_eq!(parse("69", Timestamp::EPOCH), Ok(Timestamp::EPOCH));
}

/// Pieces that together come near to everything the reader knows.
const PIECES: &str = "0 1 7 12 13 24 30 31 59 60 75 99 101 2025 0100 20250430 192037 1920 \
     20250430192037 99999999999 1.5 28,25 5. . , : : : - - / + + ( ) T Z z am pm p h m s hours \
     minute sec of th st at and Apr may Sept Feb Wed thursday UTC GMT EST PDT BRST nan inf ' x \
     é ² ٣ \u{a0} \0";

fn pieces() -> impl Strategy<Value = String> {
    let mut pieces: Vec<_> = PIECES.split(' ').collect();
    pieces.extend([" "; 12]);
    vec(select(pieces), 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_text_panics(text in prop_oneof![
        4 => pieces(),
        2 => "[0-9:./, +TZapmhs-]{0,40}",
        1 => "\\PC{0,40}",
    ], now: u64) {
        let _ = parse(&text, Timestamp::from_millis(now));
    }

    /// What is written with date, time and offset is that point, whatever today is; also when the
    /// query lost its `+`.
    #[test]
    fn a_full_text_depends_on_nothing_else(
        seconds in 0..LAST_SECOND,
        offset_minutes in -14 * 60..=14 * 60,
        form in select(FORMS),
        now: u64,
    ) {
        let offset = FixedOffset::east_opt(offset_minutes * 60).expect("less than a day");
        let point = DateTime::from_timestamp(seconds, 0).expect("in chrono's range");
        let text = point.with_timezone(&offset).format(form).to_string();
        let now = Timestamp::from_millis(now);
        let expect = Ok(Timestamp::from_millis(seconds.unsigned_abs() * 1_000));
        prop_assert_eq!(parse(&text, now), expect, "{}", text);
        let decoded = text.replace('+', " ");
        prop_assert_eq!(parse(&decoded, now), expect, "{}", decoded);
    }
}

/// As chrono writes them; month first where it could be the day.
const FORMS: &[&str] = &[
    "%Y-%m-%dT%H:%M:%S%:z",
    "%Y-%m-%dT%H:%M:%S%.3f%z",
    "%Y-%m-%d %H:%M:%S %:z",
    "%Y%m%dT%H%M%S%z",
    "%Y%m%d%H%M%S%z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%A, %d. %B %Y %H:%M:%S%:z",
    "%B %e, %Y %I:%M:%S %p %:z",
    "%b %e %Y %I:%M:%S%P%z",
    "%m/%d/%Y %H:%M:%S%z",
    "%d-%b-%Y %Hh%Mm%S.0s %z",
    "%d %b %Y T%H:%M:%S,000%:z",
];

/// 9999-12-31 has begun nowhere: its year keeps four digits everywhere.
const LAST_SECOND: i64 = 253_402_128_000;
