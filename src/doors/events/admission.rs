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
