//! The body of a publish: one event, or one a line.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr_iter;

use super::route::NDJSON;
use super::{answer, media_type};
use crate::limits::{IDEMPOTENCY_KEY_BYTES_MAX, PUBLISH_EVENTS_MAX};
use crate::proto::http::{Head, Response};

/// Events to append, all or none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publication {
    /// At least one, none empty, each within the limit.
    pub bodies: Vec<Bytes>,
    /// What the caller calls this publish by, so that asking again stores nothing twice
    /// (`Idempotency-Key`).
    pub key: Option<Arc<str>>,
}

/// The events in `body`, byte for byte and without copying.
pub(super) fn read(
    head: &Head,
    body: Bytes,
    event_bytes_max: usize,
) -> Result<Publication, Response> {
    let key = idempotency_key(head)?;
    let events = if media_type(head) == NDJSON { lines(&body)? } else { vec![body] };
    let events: Vec<_> = events.into_iter().filter(|event| !event.is_empty()).collect();
    if events.is_empty() {
        let expected = "At least one event of at least 1 byte is required";
        return Err(answer::invalid("missing", "\"body\"", expected, "null", None));
    }
    match events.iter().position(|event| event.len() > event_bytes_max) {
        None => Ok(Publication { bodies: events, key }),
        Some(index) => Err(answer::event_too_long(index + 1, event_bytes_max)),
    }
}

/// The key of the publish. Quotes around it are part of a structured header field, not of the key.
fn idempotency_key(head: &Head) -> Result<Option<Arc<str>>, Response> {
    let Some(value) = head.header("idempotency-key") else { return Ok(None) };
    let text = str::from_utf8(value).unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len());
    if !fits || !key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(answer::idempotency_key_unreadable());
    }
    Ok(Some(key.into()))
}

/// The lines that aren't empty; `\n` and `\r\n` end one.
fn lines(body: &Bytes) -> Result<Vec<Bytes>, Response> {
    let mut events = Vec::new();
    let mut begin = 0;
    for end in memchr_iter(b'\n', body).chain([body.len()]) {
        let line = body.get(begin..end).unwrap_or_default();
        begin = end + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if events.len() == PUBLISH_EVENTS_MAX {
            return Err(answer::too_many_events());
        }
        events.push(body.slice_ref(line));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::parse;

    #[track_caller]
    fn events(kind: &str, body: &str, event_bytes_max: usize) -> Result<Vec<Bytes>, u16> {
        let kind =
            if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
        let text = format!("POST /event-stream/1/events HTTP/1.1\r\nhost: h\r\n{kind}\r\n");
        let (head, _) = parse(text.as_bytes()).unwrap().unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let read = read(&head, body, event_bytes_max);
        read.map(|publication| publication.bodies).map_err(|response| response.status())
    }

    #[test]
    fn a_key_is_taken_with_and_without_quotes_and_bounded_on_both_sides() {
        let longest = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX);
        for (value, expected) in [
            ("a b-1", Ok(Some("a b-1"))),
            ("\"a\"", Ok(Some("a"))),
            (&*longest, Ok(Some(&*longest))),
            (&*format!("{longest}k"), Err(400)),
            ("\"\"", Err(400)),
            ("", Err(400)),
            ("\u{e9}", Err(400)),
        ] {
            let text = format!("POST / HTTP/1.1\r\nhost: h\r\nidempotency-key: {value}\r\n\r\n");
            let (head, _) = parse(text.as_bytes()).unwrap().unwrap();
            let publication = read(&head, Bytes::from_static(b"a"), 10);
            let key = publication.as_ref().map(|publication| publication.key.as_deref());
            assert_eq!(key.map_err(Response::status), expected, "{value}");
        }
    }

    #[test]
    fn a_body_is_one_event_byte_for_byte() {
        for kind in ["", "text/plain", "application/json; charset=utf-8", "application/a+json"] {
            for body in ["a", "a\nb\r\n", " \n", "{\"a\": 1}\n"] {
                assert_eq!(events(kind, body, 100), Ok(vec![body.to_owned().into()]), "{kind}");
            }
        }
    }

    #[test]
    fn of_ndjson_each_line_that_is_not_empty_is_one() {
        for (body, lines) in [
            ("a", vec!["a"]),
            ("a\nb", vec!["a", "b"]),
            ("\r\na\r\n\n\nb \r\n\r\n", vec!["a", "b "]),
            ("a\rb\r\r\n", vec!["a\rb\r"]),
            (" \n", vec![" "]),
        ] {
            let expected: Vec<Bytes> = lines.into_iter().map(Bytes::from).collect();
            assert_eq!(events("application/x-ndjson", body, 100), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn nothing_is_no_event() {
        for (kind, body) in
            [("text/plain", ""), (NDJSON, ""), (NDJSON, "\n"), (NDJSON, "\r\n\n\r\n")]
        {
            assert_eq!(events(kind, body, 100), Err(422), "{kind} {body:?}");
        }
    }

    #[test]
    fn an_event_is_bounded_on_both_sides() {
        for kind in ["text/plain", NDJSON] {
            assert!(events(kind, "12345", 5).is_ok());
            assert_eq!(events(kind, "123456", 5), Err(413));
        }
        assert!(events(NDJSON, "12345\n12345\r\n", 5).is_ok());
        assert_eq!(events(NDJSON, "12345\n123456\n", 5), Err(413));
    }

    #[test]
    fn events_of_one_publish_are_bounded_on_both_sides() {
        let most = "a\n".repeat(PUBLISH_EVENTS_MAX);
        assert_eq!(events(NDJSON, &most, 5).unwrap().len(), PUBLISH_EVENTS_MAX);
        assert_eq!(events(NDJSON, &format!("{most}\r\n"), 5).unwrap().len(), PUBLISH_EVENTS_MAX);
        assert_eq!(events(NDJSON, &format!("{most}a"), 5), Err(413));
    }
}
