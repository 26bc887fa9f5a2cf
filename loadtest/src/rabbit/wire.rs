//! The least of the RabbitMQ stream protocol: one blocking connection, whole frames.
//!
//! ```text
//! length u32 | key u16 | version u16 | what the key says      answers: key | 0x8000, correlation,
//!                                                              code
//! ```
//!
//! Written by hand, so that a bare consumer costs nothing but its reads. No TLS, no heartbeats, one
//! request at a time; the broker is ours and trusted.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::consumers::fault;

/// Keys of frames (RabbitMQ stream protocol, `PROTOCOL.adoc`).
pub(super) mod key {
    pub(crate) const DECLARE_PUBLISHER: u16 = 1;
    pub(crate) const PUBLISH: u16 = 2;
    pub(crate) const PUBLISH_CONFIRM: u16 = 3;
    pub(crate) const SUBSCRIBE: u16 = 7;
    pub(crate) const DELIVER: u16 = 8;
    pub(crate) const CREDIT: u16 = 9;
    pub(crate) const CREATE: u16 = 13;
    pub(crate) const DELETE: u16 = 14;
    pub(crate) const PEER_PROPERTIES: u16 = 17;
    pub(crate) const SASL_HANDSHAKE: u16 = 18;
    pub(crate) const SASL_AUTHENTICATE: u16 = 19;
    pub(crate) const TUNE: u16 = 20;
    pub(crate) const OPEN: u16 = 21;
}

const VERSION: u16 = 1;
const ANSWER: u16 = 0x8000;
const OK: u16 = 1;
/// A frame is at most 1 MiB here: chunks of small events are far below.
const BUFFER_BYTES: usize = 4 << 20;

/// An open connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are not taken yet.
    held: std::ops::Range<usize>,
}

impl Wire {
    /// Logs in as guest.
    pub(super) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut wire = Self { stream, buffer: vec![0; BUFFER_BYTES], held: 0..0 };
        wire.ask(Request::new(key::PEER_PROPERTIES).u32(0).u32(0))?;
        wire.ask(Request::new(key::SASL_HANDSHAKE).u32(0))?;
        let plain = b"\0guest\0guest";
        let login = Request::new(key::SASL_AUTHENTICATE).u32(0).text("PLAIN");
        wire.ask(login.u32(plain.len() as u32).raw(plain))?;
        // The broker's frame limit, and no heartbeats.
        let tune = wire.until(|key, _| key == key::TUNE)?;
        let frame_max = number(&tune, 0, 4)?;
        wire.send(&Request::new(key::TUNE).u32(frame_max as u32).u32(0))?;
        wire.ask(Request::new(key::OPEN).u32(0).text("/"))?;
        Ok(wire)
    }

    /// Sends a request.
    pub(super) fn send(&mut self, request: &Request) -> io::Result<()> {
        self.stream.write_all(&request.bytes())
    }

    /// Sends a request and waits until it is answered well.
    pub(super) fn ask(&mut self, request: Request) -> io::Result<()> {
        self.send(&request)?;
        let answer = self.until(|key, _| key == request.key | ANSWER)?;
        match number(&answer, 4, 2)? as u16 {
            OK => Ok(()),
            code => Err(fault(&format!("RabbitMQ answers {code} to {}", request.key))),
        }
    }

    pub(super) fn create(&mut self, stream: &str) -> io::Result<()> {
        self.ask(Request::new(key::CREATE).u32(0).text(stream).u32(0))
    }

    pub(super) fn delete(&mut self, stream: &str) -> io::Result<()> {
        self.ask(Request::new(key::DELETE).u32(0).text(stream))
    }

    pub(super) fn declare_publisher(&mut self, publisher: u8, stream: &str) -> io::Result<()> {
        self.ask(Request::new(key::DECLARE_PUBLISHER).u32(0).u8(publisher).text("").text(stream))
    }

    /// Waits for a frame that is wanted, and passes over others.
    fn until(&mut self, wanted: impl Fn(u16, &[u8]) -> bool) -> io::Result<Vec<u8>> {
        loop {
            while let Some((key, rest)) = self.next_frame()? {
                if wanted(key, rest) {
                    return Ok(rest.to_vec());
                }
            }
            self.fill()?;
        }
    }

    /// Reads once; false when the socket is non-blocking and has nothing.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.held.is_empty() {
            self.held = 0..0;
        } else if self.buffer.len() - self.held.end < BUFFER_BYTES / 4 {
            self.buffer.copy_within(self.held.clone(), 0);
            self.held = 0..self.held.len();
        }
        let room = self.buffer.get_mut(self.held.end..).unwrap_or_default();
        match self.stream.read(room) {
            Ok(0) => Err(fault("the broker hung up, or its frame is too large")),
            Ok(got) => {
                self.held.end += got;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next frame that is here whole: its key, and what follows the version.
    pub(super) fn next_frame(&mut self) -> io::Result<Option<(u16, &[u8])>> {
        let held = self.buffer.get(self.held.clone()).unwrap_or_default();
        if held.len() < 4 {
            return Ok(None);
        }
        let length = number(held, 0, 4)? as usize;
        let Some(frame) = held.get(4..4 + length) else { return Ok(None) };
        self.held.start += 4 + length;
        Ok(Some((number(frame, 0, 2)? as u16, frame.get(4..).unwrap_or_default())))
    }
}

/// A big-endian number of at most eight bytes inside a frame.
pub(super) fn number(bytes: &[u8], at: usize, length: usize) -> io::Result<u64> {
    let found = bytes.get(at..at + length).ok_or_else(|| fault("a frame is too short"))?;
    Ok(found.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A frame being put together.
#[derive(Clone, Debug)]
pub(super) struct Request {
    key: u16,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn new(key: u16) -> Self {
        Self { key, body: Vec::new() }
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.u16(text.len() as u16).raw(text.as_bytes())
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.body.extend_from_slice(bytes);
        self
    }

    /// The whole frame.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = (self.body.len() as u32 + 4).to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.key.to_be_bytes());
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A message as AMQP 1.0 has it: one Data section (AMQP 1.0 §3.2.6).
pub(super) fn message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0x00, 0x53, 0x75];
    match u8::try_from(body.len()) {
        Ok(length) => message.extend_from_slice(&[0xa0, length]),
        Err(_) => {
            message.push(0xb0);
            message.extend_from_slice(&(body.len() as u32).to_be_bytes());
        }
    }
    message.extend_from_slice(body);
    message
}

/// A chunk's kind, records and first offset, by its head (`rabbit_stream`'s osiris: 48 bytes).
pub(super) fn chunk(deliver: &[u8]) -> io::Result<Chunk> {
    // The subscription's id comes first.
    let head = deliver.get(1..).unwrap_or_default();
    if number(head, 0, 2)? != 0x5000 {
        return Err(fault("no chunk of events where one should be"));
    }
    Ok(Chunk { records: number(head, 4, 4)?, first: number(head, 24, 8)? })
}

/// What the head of a chunk says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Chunk {
    pub(super) records: u64,
    pub(super) first: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_length_key_and_version() {
        let frame = Request::new(key::CREDIT).u8(3).u16(2).bytes();
        assert_eq!(frame, [0, 0, 0, 7, 0, 9, 0, 1, 3, 0, 2]);
    }

    #[test]
    fn a_message_is_one_data_section_of_either_size() {
        assert_eq!(message(b"hi"), [0, 0x53, 0x75, 0xa0, 2, b'h', b'i']);
        let long = message(&[7; 256]);
        assert_eq!(long[..8], [0, 0x53, 0x75, 0xb0, 0, 0, 1, 0]);
        assert_eq!(long.len(), 264);
    }

    #[test]
    fn a_chunk_is_counted_by_its_head() {
        let mut deliver = vec![9, 0x50, 0, 0, 5, 0, 0, 0, 6];
        deliver.extend_from_slice(&[1; 16]);
        deliver.extend_from_slice(&77_u64.to_be_bytes());
        assert_eq!(chunk(&deliver).unwrap(), Chunk { records: 6, first: 77 });
        deliver[2] = 1;
        assert!(chunk(&deliver).is_err(), "bookkeeping is no chunk of events");
        assert!(chunk(&[9, 0x50]).is_err());
    }
}
