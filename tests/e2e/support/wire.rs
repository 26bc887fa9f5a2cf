//! A bare socket that speaks WebSocket by hand, for what no decent client does.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::DEADLINE;

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A frame as it came (RFC 6455 §5.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    /// First byte: FIN, reserved bits and opcode.
    pub(crate) first: u8,
    /// The payload.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) const TEXT: u8 = 0x81;
    pub(crate) const CLOSE: u8 = 0x88;
    pub(crate) const PING: u8 = 0x89;
    pub(crate) const PONG: u8 = 0x8A;

    /// A close frame.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        Self { first: Self::CLOSE, payload }
    }

    /// Code and reason of a close frame.
    pub(crate) fn closed(&self) -> (u16, &str) {
        assert_eq!(self.first, Self::CLOSE, "{self:?}");
        let (code, reason) = self.payload.split_at(2);
        let code = u16::from_be_bytes([code[0], code[1]]);
        (code, std::str::from_utf8(reason).expect("a reason in UTF-8"))
    }

    /// As a client sends it: masked (§5.3).
    pub(crate) fn masked(&self) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut out = self.head(0x80);
        out.extend(MASK);
        out.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }

    /// As no client may send it.
    pub(crate) fn unmasked(&self) -> Vec<u8> {
        let mut out = self.head(0);
        out.extend(&self.payload);
        out
    }

    fn head(&self, mask: u8) -> Vec<u8> {
        let length = u8::try_from(self.payload.len()).expect("a payload of at most 125 bytes");
        assert!(length <= 125, "a payload of at most 125 bytes");
        vec![self.first, mask | length]
    }
}

impl Wire {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the service accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout can be set");
        Self { stream, received: Vec::new() }
    }

    /// Connects and upgrades `path_and_query`.
    pub(crate) fn upgrade(address: SocketAddr, path_and_query: &str) -> Self {
        let mut wire = Self::connect(address);
        wire.send(handshake(path_and_query, &[]).as_bytes());
        let head = wire.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        wire
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the service reads");
    }

    /// The head of an answer, the empty line included.
    pub(crate) fn head(&mut self) -> String {
        const END: &[u8] = b"\r\n\r\n";
        loop {
            if let Some(at) = self.received.windows(END.len()).position(|part| part == END) {
                let head = self.received.drain(..at + END.len()).collect();
                return String::from_utf8(head).expect("a head in UTF-8");
            }
            assert!(self.fill(), "no whole head: {:?}", String::from_utf8_lossy(&self.received));
        }
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((first, start, length)) = frame_head(&self.received)
                && self.received.len() - start >= length
            {
                let payload = self.received[start..start + length].to_vec();
                self.received.drain(..start + length);
                return Some(Frame { first, payload });
            }
            if !self.fill() {
                assert!(self.received.is_empty(), "half a frame at the end");
                return None;
            }
        }
    }

    /// The next frame, which is a text.
    pub(crate) fn text(&mut self) -> String {
        let frame = self.frame().expect("a text, not the end");
        assert_eq!(frame.first, Frame::TEXT, "{frame:?}");
        String::from_utf8(frame.payload).expect("a text in UTF-8")
    }

    /// Whether the service has ended the connection; nothing may come before.
    pub(crate) fn ended(&mut self) -> bool {
        assert!(self.received.is_empty(), "{:?}", String::from_utf8_lossy(&self.received));
        let more = self.fill();
        assert!(!more, "{:?}", String::from_utf8_lossy(&self.received));
        true
    }

    /// The body that belongs to this head of an answer.
    pub(crate) fn body(&mut self, head: &str) -> String {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok()).expect("a content-length");
        while self.received.len() < length {
            assert!(self.fill(), "no whole body after {head}");
        }
        String::from_utf8(self.received.drain(..length).collect()).expect("a body in UTF-8")
    }

    /// Reads once; false at the end of the connection.
    fn fill(&mut self) -> bool {
        let mut part = [0; 64 * 1024];
        match self.stream.read(&mut part) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend(&part[..length]);
                true
            }
            // The service had unread bytes of ours when it closed.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("waited in vain for bytes of the service: {error}"),
        }
    }
}

/// A correct upgrade request; a field in `other` replaces or, with an empty value, removes.
pub(crate) fn handshake(path_and_query: &str, other: &[(&str, &str)]) -> String {
    let usual = [
        ("Host", "localhost"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let kept = usual.iter().filter(|(name, _)| other.iter().all(|(given, _)| given != name));
    let added = other.iter().filter(|(_, value)| !value.is_empty());
    let fields: String =
        kept.chain(added).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET {path_and_query} HTTP/1.1\r\n{fields}\r\n")
}

/// First byte, start and length of the payload, once they are there. A server never masks.
fn frame_head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server never masks");
    let (start, length) = match second {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    Some((first, start, usize::try_from(length).expect("a length that fits")))
}
