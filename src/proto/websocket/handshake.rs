//! The opening handshake (RFC 6455 §4.2).

use std::fmt;

use tungstenite::handshake::derive_accept_key;

use crate::proto::http::{Framing, Head, Method, REQUEST_ID, RequestId, Response, Version};

/// A request that may become a WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accept {
    key: String,
}

/// Why a request can't become a WebSocket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandshakeFault {
    /// An ordinary request that asks for no WebSocket.
    NotAsked,
    /// Not a GET.
    Method,
    /// HTTP/1.0 knows no upgrade.
    Http10,
    /// No Connection token `upgrade`: a proxy on the way has removed it.
    Connection,
    /// The request has a body: what follows would be read as frames.
    Body,
    /// No Sec-WebSocket-Version 13.
    Version,
    /// No Sec-WebSocket-Key, or several.
    KeyMissing,
    /// A Sec-WebSocket-Key that isn't 16 bytes in base64.
    Key,
}

/// Checks whether `head` asks properly for a WebSocket.
///
/// # Errors
///
/// The first fault found.
pub fn check(head: &Head) -> Result<Accept, HandshakeFault> {
    if !matches!(head.method(), Method::Get | Method::Head) {
        return Err(HandshakeFault::Method);
    }
    // Another protocol (`h2c`) may be offered by a client that would be glad of any answer.
    if !head.has_token("upgrade", "websocket") {
        return Err(HandshakeFault::NotAsked);
    }
    if head.method() == Method::Head {
        return Err(HandshakeFault::Method);
    }
    if head.version() == Version::Http10 {
        return Err(HandshakeFault::Http10);
    }
    if !head.has_token("connection", "upgrade") {
        return Err(HandshakeFault::Connection);
    }
    if !matches!(head.framing(), Framing::None | Framing::Length(0)) {
        return Err(HandshakeFault::Body);
    }
    if !head.headers("sec-websocket-version").eq([b"13"]) {
        return Err(HandshakeFault::Version);
    }
    let mut keys = head.headers("sec-websocket-key");
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(HandshakeFault::KeyMissing);
    };
    if !is_key(key) {
        return Err(HandshakeFault::Key);
    }
    Ok(Accept { key: derive_accept_key(key) })
}

impl Accept {
    /// The 101, whole. No subprotocol and no extension is selected. `id` names the handshake, and
    /// so the connection.
    #[must_use]
    pub fn response(&self, id: &RequestId) -> Vec<u8> {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {}\r\n{REQUEST_ID}: {id}\r\n\r\n",
            self.key
        )
        .into_bytes()
    }
}

impl HandshakeFault {
    /// The response that answers this fault. A client that asks for the wrong thing is told the
    /// right one (RFC 6455 §4.4, RFC 9110 §15.5.22).
    #[must_use]
    pub fn response(self) -> Response {
        let detail = self.to_string();
        match self {
            Self::NotAsked => Response::detail(426, &detail)
                .with_header("upgrade", "websocket")
                .with_header("connection", "Upgrade"),
            Self::Version => {
                Response::detail(400, &detail).with_header("sec-websocket-version", "13")
            }
            Self::Method => Response::detail(405, &detail).with_header("allow", "GET"),
            Self::Http10 | Self::Connection | Self::Body | Self::KeyMissing | Self::Key => {
                Response::detail(400, &detail)
            }
        }
    }
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAsked => "This is a WebSocket: expected a GET with Upgrade: websocket",
            Self::Method => "Bad WebSocket handshake: expected the method GET",
            Self::Http10 => "Bad WebSocket handshake: expected HTTP/1.1",
            Self::Connection => "Bad WebSocket handshake: expected Connection: Upgrade",
            Self::Body => "Bad WebSocket handshake: expected no body",
            Self::Version => "Bad WebSocket handshake: expected Sec-WebSocket-Version: 13",
            Self::KeyMissing => "Bad WebSocket handshake: expected one Sec-WebSocket-Key",
            Self::Key => {
                "Bad WebSocket handshake: expected a Sec-WebSocket-Key of 16 bytes in base64"
            }
        })
    }
}

impl std::error::Error for HandshakeFault {}

/// Whether `key` is base64 of 16 bytes: 22 digits and two fillers. The 4 bits left over in the last
/// digit may be anything, as the RFC's own older examples have it.
fn is_key(key: &[u8]) -> bool {
    let Some((digits, b"==")) = key.split_at_checked(22) else { return false };
    digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::parse;

    const LINES: [&str; 5] = [
        "Host: h",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];

    #[track_caller]
    fn try_lines(first: &str, lines: &[&str]) -> Result<Accept, HandshakeFault> {
        let text = format!("{first}\r\n{}\r\n\r\n", lines.join("\r\n"));
        check(&parse(text.as_bytes()).unwrap().unwrap().0)
    }

    /// The handshake with line `place` replaced.
    #[track_caller]
    fn with(place: usize, line: &str) -> Result<Accept, HandshakeFault> {
        let mut lines = LINES;
        lines[place] = line;
        try_lines("GET / HTTP/1.1", &lines)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let accept = try_lines("GET / HTTP/1.1", &LINES).unwrap();
        let text = String::from_utf8(accept.response(&RequestId::made(1, 2))).unwrap();
        assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
        assert!(text.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn good_variants_are_accepted() {
        for (place, line) in [
            (1, "upgrade: WebSocket"),
            (1, "Upgrade: h2c, websocket"),
            (2, "connection: keep-alive, Upgrade"),
            (4, "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC=="),
            (0, "Host: h\r\nContent-Length: 0"),
            (0, "Host: h\r\nSec-WebSocket-Extensions: permessage-deflate"),
        ] {
            assert!(with(place, line).is_ok(), "{line}");
        }
    }

    #[test]
    fn each_fault_has_its_name_and_status() {
        for (place, line, fault, status) in [
            (1, "A: b", HandshakeFault::NotAsked, 426),
            (1, "Upgrade: h2c", HandshakeFault::NotAsked, 426),
            (2, "Connection: keep-alive", HandshakeFault::Connection, 400),
            (2, "A: b", HandshakeFault::Connection, 400),
            (3, "Sec-WebSocket-Version: 8", HandshakeFault::Version, 400),
            (3, "Sec-WebSocket-Version: 13, 8", HandshakeFault::Version, 400),
            (3, "A: b", HandshakeFault::Version, 400),
            (4, "A: b", HandshakeFault::KeyMissing, 400),
            (4, "Sec-WebSocket-Key:", HandshakeFault::Key, 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=", HandshakeFault::Key, 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===", HandshakeFault::Key, 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==A", HandshakeFault::Key, 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==", HandshakeFault::Key, 400),
            (0, "Host: h\r\nContent-Length: 1", HandshakeFault::Body, 400),
            (0, "Host: h\r\nTransfer-Encoding: chunked", HandshakeFault::Body, 400),
            (0, "Host: h\r\nSec-WebSocket-Key: x", HandshakeFault::KeyMissing, 400),
        ] {
            assert_eq!(with(place, line), Err(fault), "{line}");
            assert_eq!(fault.response().status(), status, "{line}");
        }
        for (first, fault, status) in [
            ("POST / HTTP/1.1", HandshakeFault::Method, 405),
            ("HEAD / HTTP/1.1", HandshakeFault::Method, 405),
            ("GET / HTTP/1.0", HandshakeFault::Http10, 400),
        ] {
            assert_eq!(try_lines(first, &LINES), Err(fault), "{first}");
            assert_eq!(fault.response().status(), status, "{first}");
        }
        let plain_head = try_lines("HEAD / HTTP/1.1", &["Host: h"]);
        assert_eq!(plain_head, Err(HandshakeFault::NotAsked));
    }

    #[test]
    fn a_refused_client_is_told_what_to_ask() {
        let plain = HandshakeFault::NotAsked.response();
        assert_eq!(plain.header("upgrade"), Some("websocket"));
        assert_eq!(plain.header("connection"), Some("Upgrade"));
        let version = HandshakeFault::Version.response();
        assert_eq!(version.header("sec-websocket-version"), Some("13"));
        assert_eq!(HandshakeFault::Method.response().header("allow"), Some("GET"));
    }
}
