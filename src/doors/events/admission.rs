//! What a request on the public port gets.

use crate::proto::http::{Head, Method, Response, decode_segment};
use crate::proto::websocket::{Accept, check};

/// What to do with a connection on the public port.
#[derive(Debug)]
pub enum Admission {
    /// Answer; the connection goes on.
    Answer(Response),
    /// Upgrade to a WebSocket of the event stream `uuid` (opaque text).
    Upgrade {
        /// The last part of the path.
        uuid: String,
        /// Makes the 101.
        accept: Accept,
    },
    /// Upgrade to the echo of the conformance suites.
    Echo(Accept),
}

/// Decides about a request. `origins` are the origins a browser may come from; empty allows all.
#[must_use]
pub fn admit(head: &Head, origins: &[String], echo: bool) -> Admission {
    let echoes = echo && head.path() == "/echo";
    let uuid = head.path().strip_prefix("/event-stream/").map(decode_segment);
    let uuid = uuid.filter(|uuid| !uuid.is_empty() && !uuid.contains('/'));
    if uuid.is_none() && !echoes {
        return Admission::Answer(Response::detail(404, "Not Found"));
    }
    if !matches!(head.method(), Method::Get | Method::Head) {
        let response = Response::detail(405, "Method Not Allowed");
        return Admission::Answer(response.with_header("allow", "GET, HEAD"));
    }
    let accept = match check(head) {
        Ok(accept) => accept,
        Err(fault) => return Admission::Answer(fault.response()),
    };
    if let Some(origin) = head.header("origin")
        && !origins.is_empty()
        && !origins.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin))
    {
        return Admission::Answer(Response::detail(403, "This Origin is not allowed"));
    }
    match uuid {
        Some(uuid) => Admission::Upgrade { uuid: uuid.into_owned(), accept },
        None => Admission::Echo(accept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::parse;

    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[track_caller]
    fn ask(line: &str, headers: &str, origins: &[&str], echo: bool) -> Result<String, u16> {
        let request = format!("{line} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        let (head, _) = parse(request.as_bytes()).unwrap().unwrap();
        let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
        match admit(&head, &origins, echo) {
            Admission::Answer(response) => Err(response.status()),
            Admission::Upgrade { uuid, .. } => Ok(uuid),
            Admission::Echo(_) => Ok("the echo".into()),
        }
    }

    #[test]
    fn a_uuid_is_opaque_text() {
        let admitted = |path: &str| ask(&format!("GET /event-stream/{path}"), UPGRADE, &[], false);
        assert_eq!(admitted("vytxeTZskVKR7C7WgdSP3d"), Ok("vytxeTZskVKR7C7WgdSP3d".into()));
        assert_eq!(admitted("a%20b?stream_from_ordinal=1"), Ok("a b".into()));
        assert_eq!(admitted(""), Err(404));
        assert_eq!(admitted("a/b"), Err(404));
        assert_eq!(admitted("a%2Fb"), Err(404), "no path behind a uuid");
    }

    #[test]
    fn only_an_event_stream_is_served_here() {
        for path in ["/", "/event-stream", "/event-streams/x", "/echo", "/version"] {
            assert_eq!(ask(&format!("GET {path}"), UPGRADE, &[], false), Err(404), "{path}");
        }
        assert_eq!(ask("GET /echo", UPGRADE, &[], true), Ok("the echo".into()));
    }

    #[test]
    fn what_is_no_handshake_is_told_what_is_expected() {
        assert_eq!(ask("GET /event-stream/x", "", &[], false), Err(426));
        assert_eq!(ask("HEAD /event-stream/x", "", &[], false), Err(426));
        assert_eq!(ask("POST /event-stream/x", UPGRADE, &[], false), Err(405));
        let no_key = UPGRADE.split_inclusive("\r\n").take(3).collect::<String>();
        assert_eq!(ask("GET /event-stream/x", &no_key, &[], false), Err(400));
    }

    #[test]
    fn origins_count_only_when_configured() {
        let from = |origin: &str, allowed: &[&str]| {
            let headers = format!("{UPGRADE}Origin: {origin}\r\n");
            ask("GET /event-stream/x", &headers, allowed, false).is_ok()
        };
        assert!(from("https://evil.example", &[]));
        assert!(from("HTTPS://app.example", &["https://app.example"]));
        assert!(!from("https://evil.example", &["https://app.example"]));
        // A client that is no browser sends none.
        assert!(ask("GET /event-stream/x", UPGRADE, &["https://app.example"], false).is_ok());
    }
}
