//! Where a client asks to begin: query parameters (version 3) or headers (version 2).
//!
//! | query | headers |
//! |---|---|
//! | `stream_from_ordinal` | `X-StreamOffsetFromOrdinal`, `X-StreamFromOrdinal` |
//! | `stream_from_timestamp` | `X-StreamOffsetFromTimestamp`, `X-StreamFromTimestamp` |
//! | `stream_from_datetime` | `X-StreamOffsetFromDatetime`, `X-StreamFromDatetime` |
//!
//! An empty value is an absent one; at most one may be present in all.

use std::borrow::Cow;

use crate::event::{Cause, Ordinal, Reason, Start, Timestamp, datetime};
use crate::limits::ORDINAL_MAX;
use crate::proto::http::{Head, pairs};

/// What a start is counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unit {
    Ordinal,
    Timestamp,
    Datetime,
}

/// A start as the client gave it.
struct Given<'a> {
    unit: Unit,
    /// The parameter's or header's name, as the contract writes it.
    name: &'static str,
    in_query: bool,
    value: Cow<'a, str>,
}

/// Where the client of `head` asks to begin. `now` completes a datetime without a date.
///
/// # Errors
///
/// The reason to close with: what was wrong and what is expected.
pub fn start(head: &Head, now: Timestamp) -> Result<Start, Reason> {
    let mut given = in_query(head.query().unwrap_or_default());
    given.extend(in_headers(head));
    if given.len() > 1 {
        return Err(Reason::fixed(
            Cause::Start,
            1002,
            if given.iter().any(|one| one.in_query) {
                "Cannot provide more than one 'stream_from_' variable"
            } else {
                "Cannot provide more than one X-StreamOffsetFrom variable"
            },
        ));
    }
    given.first().map_or(Ok(Start::Next), |one| resolve(one, now))
}

fn in_query(query: &str) -> Vec<Given<'_>> {
    pairs(query)
        .filter_map(|(name, value)| {
            let unit = match &*name {
                "stream_from_ordinal" => Unit::Ordinal,
                "stream_from_timestamp" => Unit::Timestamp,
                "stream_from_datetime" => Unit::Datetime,
                _ => return None,
            };
            let name = IN_QUERY.iter().find(|known| **known == name)?;
            (!value.is_empty()).then_some(Given { unit, name, in_query: true, value })
        })
        .collect()
}

fn in_headers(head: &Head) -> Vec<Given<'_>> {
    let given = |(unit, name): &(Unit, &'static str)| {
        let value = String::from_utf8_lossy(head.header(name)?);
        (!value.is_empty()).then_some(Given { unit: *unit, name, in_query: false, value })
    };
    IN_HEADERS.iter().filter_map(given).collect()
}

fn resolve(given: &Given<'_>, now: Timestamp) -> Result<Start, Reason> {
    let value = given.value.trim();
    let refused =
        |expected: String| Reason::new(Cause::Start, 1002, format!("{} {expected}", given.name));
    match given.unit {
        Unit::Ordinal => match integer(value) {
            Integer::Value(0) => Ok(Start::First),
            Integer::Value(value) => match u64::try_from(value).ok().and_then(Ordinal::checked) {
                Some(ordinal) if ordinal.get() < ORDINAL_MAX => Ok(Start::After(ordinal)),
                _ => Err(refused(format!("must be an integer from 0 to {}", ORDINAL_MAX - 1))),
            },
            Integer::OutOfRange => {
                Err(refused(format!("must be an integer from 0 to {}", ORDINAL_MAX - 1)))
            }
            Integer::No => Err(refused("must be an integer".into())),
        },
        Unit::Timestamp => match integer(value) {
            Integer::Value(millis) => Ok(match u64::try_from(millis) {
                Ok(millis) if millis > 0 => Start::At(Timestamp::from_millis(millis)),
                _ => Start::First,
            }),
            Integer::OutOfRange => Err(refused(format!(
                "must be an integer from {} to {} (milliseconds since 1970)",
                i64::MIN,
                i64::MAX
            ))),
            Integer::No => Err(refused("must be an integer".into())),
        },
        Unit::Datetime => match datetime::parse(value, now) {
            Ok(Timestamp::EPOCH) => Ok(Start::First),
            Ok(timestamp) => Ok(Start::At(timestamp)),
            Err(_) => Err(Reason::new(
                Cause::Start,
                1002,
                format!("Unable to parse {} value", given.name),
            )),
        },
    }
}

enum Integer {
    Value(i64),
    OutOfRange,
    No,
}

/// Reads a decimal integer, with a sign if there is one.
fn integer(text: &str) -> Integer {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Integer::No;
    }
    text.parse().map_or(Integer::OutOfRange, Integer::Value)
}

const IN_QUERY: [&str; 3] =
    ["stream_from_ordinal", "stream_from_timestamp", "stream_from_datetime"];

const IN_HEADERS: [(Unit, &str); 6] = [
    (Unit::Ordinal, "X-StreamOffsetFromOrdinal"),
    (Unit::Timestamp, "X-StreamOffsetFromTimestamp"),
    (Unit::Datetime, "X-StreamOffsetFromDatetime"),
    (Unit::Ordinal, "X-StreamFromOrdinal"),
    (Unit::Timestamp, "X-StreamFromTimestamp"),
    (Unit::Datetime, "X-StreamFromDatetime"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::parse;

    const NOW: Timestamp = Timestamp::from_millis(1_746_042_171_620);

    #[track_caller]
    fn ask(query: &str, headers: &str) -> Result<Start, (u16, String)> {
        let request = format!("GET /event-stream/x?{query} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        let (head, _) = parse(request.as_bytes()).unwrap().unwrap();
        start(&head, NOW).map_err(|reason| (reason.code, reason.text.into_owned()))
    }

    fn after(ordinal: u64) -> Result<Start, (u16, String)> {
        Ok(Start::After(Ordinal::new(ordinal)))
    }

    fn refused(text: &str) -> Result<Start, (u16, String)> {
        Err((1002, text.into()))
    }

    #[test]
    fn every_name_of_every_unit_is_read() {
        assert_eq!(ask("", ""), Ok(Start::Next));
        assert_eq!(ask("stream_from_ordinal=7", ""), after(7));
        assert_eq!(ask("", "X-StreamOffsetFromOrdinal: 7\r\n"), after(7));
        assert_eq!(ask("", "x-streamfromordinal: 7\r\n"), after(7));
        let at = Ok(Start::At(Timestamp::from_millis(1_746_042_171_000)));
        assert_eq!(ask("stream_from_timestamp=1746042171000", ""), at);
        assert_eq!(ask("", "X-StreamOffsetFromTimestamp: 1746042171000\r\n"), at);
        assert_eq!(ask("", "X-StreamFromTimestamp: 1746042171000\r\n"), at);
        assert_eq!(ask("stream_from_datetime=2025-04-30T19:42:51Z", ""), at);
        assert_eq!(ask("", "X-StreamOffsetFromDatetime: 2025-04-30T19:42:51\r\n"), at);
        assert_eq!(ask("", "X-StreamFromDatetime: 30 Apr 2025 21:42:51 +0200\r\n"), at);
    }

    #[test]
    fn a_plus_that_became_a_space_is_read_as_a_plus() {
        let at = Ok(Start::At(Timestamp::from_millis(1_746_042_171_000)));
        assert_eq!(ask("stream_from_datetime=2025-04-30T21:42:51+02:00", ""), at);
        assert_eq!(ask("stream_from_datetime=2025-04-30T21:42:51%2B02:00", ""), at);
    }

    #[test]
    fn an_empty_value_is_an_absent_one() {
        assert_eq!(ask("stream_from_ordinal=", ""), Ok(Start::Next));
        assert_eq!(ask("stream_from_ordinal=&stream_from_timestamp=0", ""), Ok(Start::First));
        assert_eq!(ask("stream_from_ordinal=3", "X-StreamFromOrdinal:\r\n"), after(3));
    }

    #[test]
    fn at_most_one_start_in_all() {
        let query = refused("Cannot provide more than one 'stream_from_' variable");
        assert_eq!(ask("stream_from_ordinal=1&stream_from_timestamp=1", ""), query);
        assert_eq!(ask("stream_from_ordinal=1&stream_from_ordinal=1", ""), query);
        assert_eq!(ask("stream_from_ordinal=1", "X-StreamFromOrdinal: 1\r\n"), query);
        let headers = refused("Cannot provide more than one X-StreamOffsetFrom variable");
        let both = "X-StreamFromOrdinal: 1\r\nX-StreamOffsetFromOrdinal: 1\r\n";
        assert_eq!(ask("", both), headers);
    }

    #[test]
    fn both_sides_of_the_ranges() {
        assert_eq!(ask("stream_from_ordinal=0", ""), Ok(Start::First));
        assert_eq!(ask("stream_from_ordinal=1", ""), after(1));
        let last = ORDINAL_MAX - 1;
        assert_eq!(ask(&format!("stream_from_ordinal={last}"), ""), after(last));
        let range = format!("stream_from_ordinal must be an integer from 0 to {last}");
        for beyond in ["-1", "9223372036854775807", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(ask(&format!("stream_from_ordinal={beyond}"), ""), refused(&range));
        }
        assert_eq!(ask("stream_from_timestamp=-5", ""), Ok(Start::First));
        assert_eq!(ask("stream_from_timestamp=0", ""), Ok(Start::First));
        let at = Ok(Start::At(Timestamp::from_millis(i64::MAX.unsigned_abs())));
        assert_eq!(ask("stream_from_timestamp=9223372036854775807", ""), at);
        assert!(ask("stream_from_timestamp=9223372036854775808", "").is_err());
    }

    #[test]
    fn what_is_no_number_or_date_is_named() {
        for bad in ["x", "1.5", "1e3", "0x1", "--1", "+", "١"] {
            let query = format!("stream_from_ordinal={}", bad.replace('+', "%2B"));
            assert_eq!(ask(&query, ""), refused("stream_from_ordinal must be an integer"));
        }
        assert_eq!(
            ask("stream_from_timestamp=now", ""),
            refused("stream_from_timestamp must be an integer")
        );
        assert_eq!(
            ask("stream_from_datetime=yesterday-ish", ""),
            refused("Unable to parse stream_from_datetime value")
        );
        assert_eq!(
            ask("", "X-StreamFromTimestamp: x\r\n"),
            refused("X-StreamFromTimestamp must be an integer")
        );
    }
}
