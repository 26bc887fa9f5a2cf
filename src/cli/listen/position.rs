//! Where in the stream we are, from what the events themselves say.
//!
//! A text event ends with `|ordinal: <N>|timestamp: <ms>`; a JSON event has the members
//! `ess_ordinal` and `ess_timestamp`. An event of the first version carries neither: then nothing
//! can be missed knowingly, and a new connection begins with the next event.

use std::fmt;

use serde::Deserialize;

use super::location::Start;

/// What an event says of itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Mark {
    pub(super) ordinal: Option<u64>,
    pub(super) timestamp: Option<u64>,
    /// Bytes of the text as it was published; of a JSON event, all.
    pub(super) text_len: usize,
    pub(super) json: bool,
}

/// Reads the mark of an event.
pub(super) fn mark(text: &str) -> Mark {
    if text.starts_with('{')
        && let Ok(Members { ess_ordinal, ess_timestamp }) = serde_json::from_str(text)
    {
        let (ordinal, timestamp) = (ess_ordinal, ess_timestamp);
        return Mark { ordinal, timestamp, text_len: text.len(), json: true };
    }
    suffix(text).unwrap_or_else(|| Mark { text_len: text.len(), ..Mark::default() })
}

/// The members we look for; whatever else is there is passed over, but has to be JSON.
#[derive(Deserialize)]
struct Members {
    ess_ordinal: Option<u64>,
    ess_timestamp: Option<u64>,
}

fn suffix(text: &str) -> Option<Mark> {
    let (before, timestamp) = text.rsplit_once("|timestamp: ")?;
    let (body, ordinal) = before.rsplit_once("|ordinal: ")?;
    Some(Mark {
        ordinal: Some(number(ordinal)?),
        timestamp: Some(number(timestamp)?),
        text_len: body.len(),
        json: false,
    })
}

/// A number of digits only: no sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)?.parse().ok()
}

/// How far we have come.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Position {
    /// The last ordinal that was printed, or that we asked to begin behind.
    last: Option<u64>,
    /// Whether an event was printed.
    begun: bool,
}

/// What an event's ordinal means after those before it.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// Nothing is known to be missing.
    Next,
    /// These ordinals, from first to last, are missing right before it.
    Gap(u64, u64),
    /// It was printed before.
    Before,
}

impl Position {
    /// Before the first event of `start`.
    pub(super) fn at(start: Option<&Start>) -> Self {
        let last = match start {
            // 0 asks for all that are kept, and they may begin anywhere.
            Some(Start::Ordinal(ordinal)) if *ordinal > 0 => Some(*ordinal),
            Some(Start::Ordinal(_) | Start::Timestamp(_) | Start::Datetime(_)) | None => None,
        };
        Self { last, begun: false }
    }

    /// Moves behind an event.
    pub(super) fn take(&mut self, ordinal: Option<u64>) -> Seen {
        let Some(ordinal) = ordinal else { return Seen::Next };
        let seen = match self.last {
            Some(last) if ordinal <= last => return Seen::Before,
            Some(last) if ordinal - last > 1 => Seen::Gap(last + 1, ordinal - 1),
            _ => Seen::Next,
        };
        *self = Self { last: Some(ordinal), begun: true };
        seen
    }

    /// Where a new connection has to begin, when that is known better than at first.
    pub(super) const fn resume(&self) -> Option<u64> {
        if self.begun { self.last } else { None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resume() {
            Some(last) => write!(out, ", after ordinal {last}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_events_end_with_their_mark() {
        let found = mark("it rains|ordinal: 7|timestamp: 1746042171620");
        assert_eq!((found.ordinal, found.timestamp), (Some(7), Some(1_746_042_171_620)));
        assert_eq!((found.text_len, found.json), (8, false));
        let nested = mark("a|ordinal: 1|timestamp: 2|ordinal: 3|timestamp: 4");
        assert_eq!((nested.ordinal, nested.timestamp, nested.text_len), (Some(3), Some(4), 25));
        for plain in [
            "it rains",
            "",
            "|ordinal: 1",
            "a|ordinal: x|timestamp: 1",
            "a|ordinal: 1|timestamp: +2",
            "a|ordinal: 1|timestamp: 2 ",
            "a|ordinal: |timestamp: ",
        ] {
            let found = mark(plain);
            assert_eq!((found.ordinal, found.timestamp), (None, None), "{plain}");
            assert_eq!(found.text_len, plain.len());
        }
    }

    #[test]
    fn json_events_have_their_mark_among_their_members() {
        let text = r#"{"ess_ordinal":2,"ess_timestamp":5,"a":[{"ess_ordinal":9}]}"#;
        let found = mark(text);
        assert_eq!((found.ordinal, found.timestamp, found.json), (Some(2), Some(5), true));
        let elsewhere = mark(r#"{"a":1e999,"ess_timestamp":5,"ess_ordinal":2}"#);
        assert_eq!(elsewhere.ordinal, Some(2));
        assert_eq!(mark(r#"{"a":1}"#).ordinal, None);
        let deep = format!(r#"{{"ess_ordinal":3,"a":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        assert_eq!(mark(&deep).ordinal, Some(3));
    }

    #[test]
    fn gaps_are_seen_and_repetitions_too() {
        let mut position = Position::at(None);
        assert_eq!(position.resume(), None);
        assert_eq!(position.take(Some(4)), Seen::Next);
        assert_eq!(position.take(Some(5)), Seen::Next);
        assert_eq!(position.take(Some(10)), Seen::Gap(6, 9));
        assert_eq!(position.take(Some(12)), Seen::Gap(11, 11));
        assert_eq!(position.take(Some(12)), Seen::Before);
        assert_eq!(position.take(Some(3)), Seen::Before);
        assert_eq!(position.take(None), Seen::Next);
        assert_eq!(position.resume(), Some(12));
    }

    #[test]
    fn what_was_asked_for_can_be_missing_too() {
        let mut after = Position::at(Some(&Start::Ordinal(4)));
        assert_eq!(after.resume(), None, "nothing was printed yet: ask as at first");
        assert_eq!(after.take(Some(8)), Seen::Gap(5, 7));
        let mut all = Position::at(Some(&Start::Ordinal(0)));
        assert_eq!(all.take(Some(8)), Seen::Next);
        let mut first = Position::at(Some(&Start::Ordinal(0)));
        assert_eq!(first.take(Some(0)), Seen::Next, "a stream may begin with 0");
    }

    proptest! {
        #[test]
        fn a_mark_is_read_back(body in "[^{]\\PC*", ordinal: u64, timestamp: u64) {
            let found = mark(&format!("{body}|ordinal: {ordinal}|timestamp: {timestamp}"));
            prop_assert_eq!(found.ordinal, Some(ordinal));
            prop_assert_eq!(found.timestamp, Some(timestamp));
            prop_assert_eq!(found.text_len, body.len());
        }
    }
}
