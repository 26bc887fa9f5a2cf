//! What a client sends on a WebSocket, checked frame by frame.
//!
//! Clients have nothing to say to this service but pings, pongs and close, so messages are checked
//! and dropped as they arrive: none is ever kept, however long. A [`Sink`] may look at their bytes
//! on the way. One [`Inbound`] lives as long as its connection and there are very many, so it is
//! small (a test says how small).
//!
//! It answers nothing itself: facts go out, the connection decides.

use super::frame::Opcode;
use super::header::{HEADER_BYTES_MAX, Header, decode, is_control};
use super::utf8::Utf8;
use super::{Fault, close, mask};
use crate::limits::{CONTROL_PAYLOAD_BYTES_MAX, WEBSOCKET_MESSAGE_BYTES_MAX};

/// Something a client said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact {
    /// A ping: a pong with the same payload (at most 125 bytes) is owed (RFC 6455 §5.5.2).
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A whole message ended: text, or binary.
    Message {
        /// It was text, and valid.
        text: bool,
    },
    /// The client closes. All it sends after this is dropped.
    Close {
        /// Its code, if it gave one; one that may be sent back.
        code: Option<u16>,
        /// Its reason.
        reason: String,
    },
    /// The client broke the protocol. All it sends after this is dropped.
    Fault(Fault),
}

/// What [`Inbound::feed`] made of its input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fed {
    /// Bytes taken from the front of the input. Feed the rest again.
    pub used: usize,
    /// What ended there; `None` when the whole input was taken without one.
    pub fact: Option<Fact>,
}

/// A piece of a message, unmasked, as it arrived.
#[derive(Debug)]
pub struct Slice<'a> {
    /// The message is text (else binary).
    pub text: bool,
    /// The bytes; may be empty.
    pub bytes: &'a [u8],
}

/// Looks at messages as they pass.
pub trait Sink {
    /// Whether [`Sink::data`] does anything: binary that nobody looks at isn't even unmasked.
    const WANTED: bool = true;

    /// The next piece of the open message. Its end is [`Fact::Message`].
    fn data(&mut self, slice: Slice<'_>);
}

/// The sink of a service that ignores what clients say.
#[derive(Clone, Copy, Debug)]
pub struct Ignored;

impl Sink for Ignored {
    const WANTED: bool = false;

    fn data(&mut self, _: Slice<'_>) {}
}

/// The reader of one client's frames.
#[derive(Debug, Default)]
pub struct Inbound {
    state: State,
    message: Message,
    /// Payload of a control frame that isn't whole yet; else without memory.
    control: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a header, of which so many bytes are here.
    Header { bytes: [u8; HEADER_BYTES_MAX], len: u8 },
    /// In a payload.
    Payload { opcode: Opcode, fin: bool, mask: [u8; 4], position: u64, left: u64 },
    /// After a close or a fault: the rest is dropped.
    Ended,
}

/// The message being received, across frames.
#[derive(Clone, Copy, Debug, Default)]
struct Message {
    /// Its first frame came and its last didn't.
    open: bool,
    text: bool,
    /// Length so far, counted by what headers announce.
    bytes: u64,
    utf8: Utf8,
}

impl Default for State {
    fn default() -> Self {
        Self::Header { bytes: [0; HEADER_BYTES_MAX], len: 0 }
    }
}

impl Inbound {
    /// Takes bytes from the front of `input` up to the first fact. The input is scratch: it may be
    /// unmasked in place.
    pub fn feed(&mut self, input: &mut [u8], sink: &mut impl Sink) -> Fed {
        let whole = input.len();
        let mut rest = input;
        loop {
            let (used, fact) = match self.state {
                State::Header { bytes, len } => self.feed_header(bytes, len, rest),
                State::Payload { .. } => self.feed_payload(rest, sink),
                State::Ended => (rest.len(), Ok(None)),
            };
            rest = rest.get_mut(used..).unwrap_or_default();
            let fact = fact.unwrap_or_else(|fault| Some(Fact::Fault(fault)));
            if matches!(fact, Some(Fact::Fault(_) | Fact::Close { .. })) {
                (self.state, self.control) = (State::Ended, Vec::new());
            }
            if fact.is_some() || rest.is_empty() {
                return Fed { used: whole - rest.len(), fact };
            }
        }
    }

    /// Between two messages and two frames: a fresh one would go on just as well.
    #[must_use]
    pub const fn at_rest(&self) -> bool {
        matches!(self.state, State::Header { len: 0, .. }) && !self.message.open
    }

    /// Whether a close or a fault has been told: the rest is dropped.
    #[must_use]
    pub const fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn feed_header(
        &mut self,
        mut bytes: [u8; HEADER_BYTES_MAX],
        len: u8,
        input: &[u8],
    ) -> (usize, Result<Option<Fact>, Fault>) {
        let before = usize::from(len);
        let mut filled = before;
        for (slot, byte) in bytes.iter_mut().skip(before).zip(input) {
            *slot = *byte;
            filled += 1;
        }
        match decode(bytes.get(..filled).unwrap_or_default(), self.message.open) {
            Err(fault) => (filled - before, Err(fault)),
            Ok(Some(header)) => (header.header_bytes - before, self.begin(header)),
            Ok(None) => {
                #[expect(clippy::cast_possible_truncation, reason = "at most 14")]
                let len = filled as u8;
                assert!(filled < HEADER_BYTES_MAX, "14 bytes hold any header");
                self.state = State::Header { bytes, len };
                (filled - before, Ok(None))
            }
        }
    }

    /// Begins a frame. One without payload ends at once: no byte of it will come.
    fn begin(&mut self, header: Header) -> Result<Option<Fact>, Fault> {
        let Header { fin, opcode, payload_bytes, mask, .. } = header;
        match opcode {
            Opcode::Text | Opcode::Binary => {
                let text = opcode == Opcode::Text;
                self.message = Message { open: true, text, ..Message::default() };
            }
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        if !is_control(opcode) {
            self.message.bytes = self.message.bytes.saturating_add(payload_bytes);
            if self.message.bytes > WEBSOCKET_MESSAGE_BYTES_MAX {
                return Err(Fault::MessageTooLong);
            }
        }
        if payload_bytes == 0 {
            return self.end(opcode, fin, Vec::new());
        }
        self.state = State::Payload { opcode, fin, mask, position: 0, left: payload_bytes };
        Ok(None)
    }

    fn feed_payload(
        &mut self,
        input: &mut [u8],
        sink: &mut impl Sink,
    ) -> (usize, Result<Option<Fact>, Fault>) {
        let State::Payload { opcode, fin, mask, position, left } = self.state else {
            unreachable!("`feed` matched it")
        };
        let used = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let bytes = input.get_mut(..used).unwrap_or_default();
        if is_control(opcode) {
            mask::apply(mask, position, bytes);
            self.control.extend_from_slice(bytes);
            assert!(self.control.len() <= CONTROL_PAYLOAD_BYTES_MAX, "checked in the header");
        } else if let Err(fault) = self.pass(mask, position, bytes, sink) {
            return (used, Err(fault));
        }
        let left = left - used as u64;
        if left > 0 {
            let position = position + used as u64;
            self.state = State::Payload { opcode, fin, mask, position, left };
            return (used, Ok(None));
        }
        let control = if is_control(opcode) { std::mem::take(&mut self.control) } else { vec![] };
        (used, self.end(opcode, fin, control))
    }

    /// Checks a piece of the open message and shows it to the sink.
    fn pass<S: Sink>(
        &mut self,
        mask: [u8; 4],
        position: u64,
        bytes: &mut [u8],
        sink: &mut S,
    ) -> Result<(), Fault> {
        let text = self.message.text;
        if !text && !S::WANTED {
            return Ok(());
        }
        mask::apply(mask, position, bytes);
        if text && !self.message.utf8.feed(bytes) {
            return Err(Fault::NotUtf8);
        }
        sink.data(Slice { text, bytes });
        Ok(())
    }

    /// Ends a frame; `control` is its payload when it is a control frame.
    fn end(&mut self, opcode: Opcode, fin: bool, control: Vec<u8>) -> Result<Option<Fact>, Fault> {
        self.state = State::default();
        match opcode {
            Opcode::Ping => Ok(Some(Fact::Ping(control))),
            Opcode::Pong => Ok(Some(Fact::Pong(control))),
            Opcode::Close => closed(&control).map(Some),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                if !fin {
                    return Ok(None);
                }
                if self.message.text && !self.message.utf8.complete() {
                    return Err(Fault::NotUtf8);
                }
                self.message.open = false;
                Ok(Some(Fact::Message { text: self.message.text }))
            }
        }
    }
}

/// What the payload of a close frame says (RFC 6455 §5.5.1).
fn closed(payload: &[u8]) -> Result<Fact, Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        if payload.is_empty() {
            return Ok(Fact::Close { code: None, reason: String::new() });
        }
        return Err(Fault::CloseHalfCode);
    };
    let code = u16::from_be_bytes(*code);
    if !close::may_be_sent(code) {
        return Err(Fault::CloseCode);
    }
    let reason = str::from_utf8(reason).map_err(|_| Fault::NotUtf8)?;
    Ok(Fact::Close { code: Some(code), reason: reason.to_owned() })
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
