//! A location, `ws://HOST[:PORT]/event-stream/<uuid>`, and where in the stream to begin.

use std::fmt::{self, Write};

use tungstenite::http::Uri;

use super::position::Position;

/// Where to connect, and where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Location {
    host: String,
    port: u16,
    path: String,
    /// The query without the start.
    query: Vec<String>,
    start: Option<Start>,
}

/// Where to begin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Start {
    /// With the first event after this ordinal.
    Ordinal(u64),
    /// With the first event at this time, in milliseconds since 1970 UTC.
    Timestamp(i64),
    /// With the first event at this time, as a person writes it.
    Datetime(String),
}

impl Location {
    /// Reads a location; it may hold a start of its own.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            let text = text.escape_debug();
            Err(format!("\"{text}\" {what}; expected ws://HOST[:PORT]/event-stream/<uuid>"))
        };
        let Ok(uri) = text.parse::<Uri>() else { return wrong("is no location") };
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => {
                return wrong("needs TLS, which this build doesn't have");
            }
            _ => return wrong("is no location"),
        }
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return wrong("names no host");
        };
        let (host, port) = (host.to_owned(), uri.port_u16().unwrap_or(80));
        let mut location =
            Self { host, port, path: uri.path().into(), query: Vec::new(), start: None };
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match own_start(pair) {
                Some(Ok(start)) => location.begin_at(start)?,
                Some(Err(())) => return wrong("begins at no ordinal or timestamp"),
                None => location.query.push(pair.into()),
            }
        }
        Ok(location)
    }

    /// The location of an event stream at the public port `place`.
    pub(super) fn of(place: &str, uuid: &str) -> Result<Self, String> {
        let place = place.trim_end_matches('/');
        let scheme = if place.contains("://") { "" } else { "ws://" };
        Self::parse(&format!("{scheme}{place}/event-stream/{uuid}"))
    }

    /// The location `given` out by a service, at the public port `place` where one is named: that
    /// is stronger, since what is given out is meant for clients elsewhere.
    pub(in crate::cli) fn at(place: Option<&str>, given: &str) -> Result<Self, String> {
        match (place, given.rsplit_once('/')) {
            (Some(place), Some((_, uuid))) => Self::of(place, uuid),
            _ => Self::parse(given),
        }
    }

    /// Begins at `start`; there may be only one.
    pub(super) fn begin_at(&mut self, start: Start) -> Result<(), String> {
        match self.start.replace(start) {
            None => Ok(()),
            Some(before) => Err(format!("the location begins at {before} already; say it once")),
        }
    }

    /// Where it begins.
    pub(super) const fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// Begins anew behind the last event printed, if there was one.
    pub(super) fn resume(&mut self, position: &Position) {
        if let Some(last) = position.resume() {
            self.start = Some(Start::Ordinal(last));
        }
    }

    /// Host and port to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        (self.host.trim_matches(['[', ']']), self.port)
    }

    /// What is asked for in the handshake.
    pub(super) fn url(&self) -> String {
        let mut url = format!("ws://{}:{}{}", self.host, self.port, self.path);
        let start = self.start.as_ref().map(Start::query);
        for (place, pair) in self.query.iter().chain(start.as_ref()).enumerate() {
            url.push(if place == 0 { '?' } else { '&' });
            url.push_str(pair);
        }
        url
    }
}

impl Start {
    fn query(&self) -> String {
        match self {
            Self::Ordinal(ordinal) => format!("stream_from_ordinal={ordinal}"),
            Self::Timestamp(timestamp) => format!("stream_from_timestamp={timestamp}"),
            Self::Datetime(text) => format!("stream_from_datetime={}", encode(text)),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordinal(ordinal) => write!(out, "ordinal {ordinal}"),
            Self::Timestamp(timestamp) => write!(out, "timestamp {timestamp}"),
            Self::Datetime(text) => write!(out, "\"{}\"", text.escape_debug()),
        }
    }
}

/// The start that a pair of the query is, if it is one. An empty value is none.
fn own_start(pair: &str) -> Option<Result<Start, ()>> {
    let (name, value) = pair.split_once('=')?;
    if value.is_empty() {
        return None;
    }
    match name {
        "stream_from_ordinal" => Some(value.parse().map(Start::Ordinal).map_err(drop)),
        "stream_from_timestamp" => Some(value.parse().map(Start::Timestamp).map_err(drop)),
        "stream_from_datetime" => Some(Ok(Start::Datetime(decode(value)))),
        _ => None,
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Undoes [`encode`], and takes `+` for a space as forms do.
fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = after.get(..2).and_then(|hex| str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_location_goes_back_to_the_url_it_came_from() {
        for text in [
            "ws://localhost:8080/event-stream/u",
            "ws://[::1]:8080/event-stream/u?token=x",
            "ws://h:80/event-stream/u?a=1&stream_from_ordinal=7",
        ] {
            assert_eq!(Location::parse(text).map(|location| location.url()), Ok(text.into()));
        }
        let short = Location::parse("ws://h/event-stream/u").expect("is right");
        assert_eq!(short.address(), ("h", 80));
        let six = Location::parse("ws://[::1]:8080/e").expect("is right");
        assert_eq!(six.address(), ("::1", 8080));
    }

    #[test]
    fn a_uuid_is_found_at_the_public_port() {
        let url = |place| Location::of(place, "u").map(|location| location.url());
        assert_eq!(url("ws://h:1"), Ok("ws://h:1/event-stream/u".into()));
        assert_eq!(url("h:1/"), Ok("ws://h:1/event-stream/u".into()));
        assert!(url("wss://h").is_err_and(|wrong| wrong.contains("TLS")));
    }

    #[test]
    fn what_is_no_location_is_told() {
        for wrong in
            ["ws://", "http://h/x", "ws:///x", "ws://h b/x", "ws://h/x?stream_from_ordinal=a"]
        {
            assert!(Location::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_is_one_start_and_it_moves_on() {
        let mut location =
            Location::parse("ws://h/x?stream_from_timestamp=5&a=b").expect("is right");
        assert_eq!(location.start(), Some(&Start::Timestamp(5)));
        assert!(location.begin_at(Start::Ordinal(1)).is_err());
        let mut location = Location::parse("ws://h/x?stream_from_ordinal=&a=b").expect("is right");
        assert_eq!(location.start(), None);
        location.begin_at(Start::Datetime("1 May 9:30+02:00".into())).expect("the only one");
        let wanted = "stream_from_datetime=1%20May%209%3A30%2B02%3A00";
        assert!(location.url().ends_with(wanted), "{}", location.url());
        let mut position = Position::at(location.start());
        location.resume(&position);
        assert!(location.url().ends_with(wanted), "nothing printed: begin as at first");
        position.take(Some(9));
        location.resume(&position);
        assert!(location.url().ends_with("&stream_from_ordinal=9"));
    }

    proptest! {
        #[test]
        fn encoding_is_undone_by_decoding(text: String) {
            prop_assert_eq!(decode(&encode(&text)), text);
        }

        #[test]
        fn no_text_panics(text in "(ws://)?\\PC{0,20}") {
            let _ = (Location::parse(&text), decode(&text));
        }
    }
}
