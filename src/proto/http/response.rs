//! Our answer to a request, as a value and as bytes.
//!
//! Every response says its length, so the end of it never depends on the connection's end. The
//! caller decides what; [`Reply`] is how the request wants to hear it.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;

use super::{Head, Method, Version};

/// The interim response that asks for the body (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    status: u16,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Bytes,
}

/// How a request wants its response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reply {
    /// False for HEAD: the length is told, the body isn't sent.
    pub with_body: bool,
    /// Whether the connection stays open.
    pub keep_alive: bool,
    /// Whom we speak to: an HTTP/1.0 client has to be told that the connection stays open.
    pub version: Version,
}

impl Response {
    /// A response without body.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        assert!(status >= 200 && status <= 599, "a final status");
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A response whose body is JSON text.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status).with_body("application/json", body)
    }

    /// `{"detail":"…"}`, the form of every error here.
    #[must_use]
    pub fn detail(status: u16, detail: &str) -> Self {
        Self::json(status, format!("{{\"detail\":{}}}", json_string(detail)))
    }

    /// This response with a body of the given content type.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        assert!(!bodiless(self.status), "{} has no body", self.status);
        self.headers.push(("content-type", Cow::Borrowed(content_type)));
        self.body = body.into();
        self
    }

    /// This response with one more header.
    ///
    /// # Panics
    ///
    /// When `value` has a control character: it would end the header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let value = value.into();
        assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "a header is one line");
        self.headers.push((name, value));
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The header named `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| *one == name).map(|(_, value)| &**value)
    }

    /// Writes the response behind `out`.
    pub fn encode(&self, reply: Reply, out: &mut Vec<u8>) {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, phrase(self.status));
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !bodiless(self.status) {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        match (reply.keep_alive, reply.version) {
            (false, _) => head.push_str("connection: close\r\n"),
            (true, Version::Http10) => head.push_str("connection: keep-alive\r\n"),
            (true, Version::Http11) => {}
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        if reply.with_body {
            out.extend_from_slice(&self.body);
        }
    }
}

impl Reply {
    /// The answer to what couldn't be read as a request.
    pub const CLOSE: Self = Self { with_body: true, keep_alive: false, version: Version::Http11 };

    /// As `head` wants it.
    #[must_use]
    pub fn to(head: &Head) -> Self {
        Self {
            with_body: head.method() != Method::Head,
            keep_alive: head.keep_alive(),
            version: head.version(),
        }
    }

    /// The same, but the connection closes.
    #[must_use]
    pub const fn closing(self) -> Self {
        Self { keep_alive: false, ..self }
    }
}

/// `text` as a JSON string, quoted; only what JSON demands is escaped (RFC 8259 §7).
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// A moment as the Date header wants it (RFC 9110 §5.6.7), from seconds since 1970 UTC.
#[must_use]
pub fn date(unix_seconds: u64) -> String {
    let moment = i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0))
        .unwrap_or(chrono::DateTime::UNIX_EPOCH);
    moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Whether a status never has a body, nor a length (RFC 9110 §8.6).
const fn bodiless(status: u16) -> bool {
    matches!(status, 204 | 304)
}

/// The reason phrase (RFC 9110 §15; 426 and 431 from RFC 6585 and RFC 9110).
const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        // The phrase may be empty (RFC 9112 §4).
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(response: &Response, reply: Reply) -> String {
        let mut out = Vec::new();
        response.encode(reply, &mut out);
        String::from_utf8(out).unwrap()
    }

    const OPEN: Reply = Reply { with_body: true, keep_alive: true, version: Version::Http11 };

    #[test]
    fn a_response_says_its_length() {
        assert_eq!(
            encoded(&Response::detail(404, "Not Found"), OPEN),
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\
             \r\n{\"detail\":\"Not Found\"}"
        );
        assert_eq!(
            encoded(&Response::new(404), OPEN.closing()),
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }

    #[test]
    fn no_content_has_no_length() {
        for status in [204, 304] {
            assert!(!encoded(&Response::new(status), OPEN).contains("content-length"));
        }
    }

    #[test]
    fn head_hears_the_length_but_not_the_body() {
        let response = Response::json(200, "[1,2]");
        let text = encoded(&response, Reply { with_body: false, ..OPEN });
        assert!(text.contains("content-length: 5\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }

    #[test]
    fn an_old_client_is_told_that_the_connection_stays() {
        let text = encoded(&Response::new(200), Reply { version: Version::Http10, ..OPEN });
        assert!(text.contains("connection: keep-alive\r\n"), "{text}");
    }

    #[test]
    #[should_panic(expected = "one line")]
    fn a_header_of_two_lines_is_a_bug() {
        let _ = Response::new(200).with_header("location", "a\r\nb: c");
    }

    #[test]
    fn json_strings_read_back_and_keep_their_characters() {
        let text = "a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{7f}é日😀";
        let json = json_string(text);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert!(json.contains("é日😀") && json.contains("\\u0001"), "{json}");
    }

    #[test]
    fn dates_are_as_the_rfc_shows_them() {
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(u64::MAX), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
