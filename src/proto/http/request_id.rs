//! The name of a request, under which its caller, a proxy and our log all know it.
//!
//! A caller's own name is taken when it is one: `X-Request-ID`, a convention, or else the trace id
//! of `traceparent` (W3C Trace Context §3.2.2). What isn't one is ignored, not refused: a name is a
//! courtesy and no reason to fail. The caller learns the name in `X-Request-ID` of the answer.

use std::fmt;

use super::Head;
use crate::limits::REQUEST_ID_BYTES_MAX;

/// The header that tells a request's name, in both directions.
pub const REQUEST_ID: &str = "x-request-id";

/// A request's name: 1 to [`REQUEST_ID_BYTES_MAX`] letters, digits and `-_.:/+=@`. Safe in a
/// header, in a line of a log and in a shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestId(Name);

/// Every connection of a consumer keeps its name, and few have one of their own: those that we made
/// are numbers until somebody reads them.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Name {
    Given(Box<str>),
    Made { prefix: u64, number: u64 },
}

impl RequestId {
    /// The name that the caller gave; `None` where there is none that can be used.
    #[must_use]
    pub fn of(head: &Head) -> Option<Self> {
        let only = |name| {
            let mut values = head.headers(name);
            values.next().filter(|_| values.next().is_none())
        };
        only(REQUEST_ID)
            .and_then(Self::read)
            .or_else(|| only("traceparent").and_then(trace_id).and_then(Self::read))
    }

    /// The name that a service makes where nobody gave one: `prefix` says which life of the
    /// service, `number` which request in it.
    #[must_use]
    pub const fn made(prefix: u64, number: u64) -> Self {
        Self(Name::Made { prefix, number })
    }

    fn read(value: &[u8]) -> Option<Self> {
        let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
        let sane = (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.iter().all(safe);
        str::from_utf8(value).ok().filter(|_| sane).map(|text| Self(Name::Given(text.into())))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Given(name) => out.write_str(name),
            Name::Made { prefix, number } => write!(out, "{prefix:016x}{number:016x}"),
        }
    }
}

/// The trace id in `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`. A later version may have
/// more behind that (§4.3), but never `ff`; an id of zeros is none.
fn trace_id(value: &[u8]) -> Option<&[u8]> {
    let mut parts = value.split(|byte| *byte == b'-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &[u8], length| {
        part.len() == length && part.iter().all(|byte| b"0123456789abcdef".contains(byte))
    };
    let right = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let ends = version != b"00" || parts.next().is_none();
    let named = version != b"ff" && !trace.iter().all(|byte| *byte == b'0');
    (right && ends && named && !parent.iter().all(|byte| *byte == b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::parse;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn name(headers: &str) -> Option<String> {
        let request = format!("GET / HTTP/1.1\r\nhost: h\r\n{headers}\r\n");
        let (head, _) = parse(request.as_bytes()).unwrap().unwrap();
        RequestId::of(&head).map(|id| id.to_string())
    }

    #[test]
    fn a_callers_name_is_kept() {
        let parent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
        assert_eq!(name("X-Request-ID: 7b1c-A_b.c:d/e+f=@\r\n").unwrap(), "7b1c-A_b.c:d/e+f=@");
        assert_eq!(name(&parent).unwrap(), TRACE);
        assert_eq!(name(&format!("{parent}x-request-id: mine\r\n")).unwrap(), "mine");
        assert_eq!(name(&format!("{parent}x-request-id: no good\r\n")).unwrap(), TRACE);
        assert_eq!(name(""), None);
    }

    #[test]
    fn what_is_no_name_is_ignored() {
        let most = "x".repeat(REQUEST_ID_BYTES_MAX);
        assert_eq!(name(&format!("x-request-id: {most}\r\n")), Some(most.clone()));
        for wrong in [&*format!("{most}x"), "", "a b", "é", "a\"b", "<script>", "$(id)", "a;b"] {
            assert_eq!(name(&format!("x-request-id: {wrong}\r\n")), None, "{wrong}");
        }
        assert_eq!(name("x-request-id: a\r\nx-request-id: b\r\n"), None, "which one?");
    }

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let parent = |value: &str| name(&format!("traceparent: {value}\r\n"));
        let (zeros, id) = ("0".repeat(32), "00f067aa0ba902b7");
        assert_eq!(parent(&format!("cc-{TRACE}-{id}-01-what-the-future-brings")).unwrap(), TRACE);
        for wrong in [
            format!("00-{TRACE}-{id}-01-more"),
            format!("ff-{TRACE}-{id}-01"),
            format!("00-{zeros}-{id}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{id}-01", TRACE.to_uppercase()),
            format!("00-{}-{id}-01", &TRACE[1..]),
            format!("00-{TRACE}-{id}"),
            TRACE.to_owned(),
        ] {
            assert_eq!(parent(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_made_name_is_one_that_would_be_taken() {
        let made = RequestId::made(u64::MAX, 7).to_string();
        assert_eq!(made, "ffffffffffffffff0000000000000007");
        assert_eq!(RequestId::read(made.as_bytes()).unwrap().to_string(), made);
    }
}
