//! The body of a request, as it arrives.
//!
//! ```text
//!  chunked:  5;extension CR LF hello CR LF 0 CR LF trailer: x CR LF CR LF
//! ```
//!
//! Memory grows with what has arrived, never with what was promised; a body that promises more
//! than its limit is refused at once. Extensions and trailers are read, bounded and thrown away.

use super::{Fault, Framing};
use crate::limits::{HTTP_CHUNK_EXTENSIONS_BYTES_MAX, HTTP_TRAILERS_BYTES_MAX};

/// A body being read.
#[derive(Debug)]
pub struct Body {
    state: State,
    bytes: Vec<u8>,
    bytes_max: usize,
    extension_bytes: usize,
    trailer_bytes: usize,
}

/// What [`Body::feed`] made of its input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Bytes that belong to this body. What follows them is the next request.
    pub used: usize,
    /// The body is whole.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// So many bytes are to come, at least 1.
    Length(usize),
    /// In a chunk's size.
    Size {
        size: usize,
        digits: usize,
    },
    /// In the blanks behind a size, which some senders pad with.
    Padding {
        size: usize,
    },
    /// In a chunk's extension.
    Extension {
        size: usize,
    },
    /// Behind the CR of a size line.
    SizeEnd {
        size: usize,
    },
    /// So many bytes of a chunk are to come, at least 1.
    Data(usize),
    /// Behind a chunk's data: CR, then LF.
    DataEnd,
    DataEndLf,
    /// Behind the empty chunk or a trailer line: another line, or the empty one.
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    Done,
}

impl Body {
    /// A body of the given framing, of at most `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// [`Fault::BodyTooLong`] when a longer one is announced.
    pub fn new(framing: Framing, bytes_max: usize) -> Result<Self, Fault> {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Chunked => State::Size { size: 0, digits: 0 },
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= bytes_max => State::Length(length),
                _ => return Err(Fault::BodyTooLong { bytes_max }),
            },
        };
        Ok(Self { state, bytes: Vec::new(), bytes_max, extension_bytes: 0, trailer_bytes: 0 })
    }

    /// Whether the body is whole.
    #[must_use]
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes of the body that have arrived and not been taken.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.bytes.len()
    }

    /// Takes what belongs to the body from the front of `input`: all of it, until the body is
    /// whole.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] found.
    pub fn feed(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let mut rest = input;
        while self.state != State::Done && !rest.is_empty() {
            rest = match self.state {
                State::Length(left) | State::Data(left) => self.take_data(left, rest),
                State::Size { .. }
                | State::Padding { .. }
                | State::Extension { .. }
                | State::SizeEnd { .. }
                | State::DataEnd
                | State::DataEndLf
                | State::TrailerStart
                | State::Trailer
                | State::TrailerLf
                | State::LastLf
                | State::Done => self.take_framing(rest)?,
            };
        }
        Ok(Progress { used: input.len() - rest.len(), done: self.done() })
    }

    /// The body's bytes so far; the body itself is left empty.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn take_data<'a>(&mut self, left: usize, input: &'a [u8]) -> &'a [u8] {
        let (data, rest) = input.split_at_checked(left).unwrap_or((input, &[]));
        self.bytes.extend_from_slice(data);
        assert!(self.bytes.len() <= self.bytes_max, "sizes are checked before their data");
        let left = left - data.len();
        self.state = match (self.state, left) {
            (State::Length(_), 0) => State::Done,
            (State::Length(_), _) => State::Length(left),
            (_, 0) => State::DataEnd,
            _ => State::Data(left),
        };
        rest
    }

    fn take_framing<'a>(&mut self, input: &'a [u8]) -> Result<&'a [u8], Fault> {
        let Some((byte, rest)) = input.split_first() else { return Ok(input) };
        self.state = match (self.state, *byte) {
            (State::Size { size, digits }, byte) => self.size_byte(size, digits, byte)?,
            (
                State::Padding { size } | State::Extension { size } | State::SizeEnd { size },
                byte,
            ) => self.size_line_byte(size, byte)?,
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::DataEnd | State::DataEndLf, _) => return Err(Fault::Chunk),
            (State::LastLf, b'\n') => State::Done,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::LastLf | State::TrailerLf, _) => return Err(Fault::Trailer),
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::Trailer, b'\n') => return Err(Fault::Trailer),
            (State::TrailerStart | State::Trailer, _) => {
                self.trailer_bytes += 1;
                if self.trailer_bytes > HTTP_TRAILERS_BYTES_MAX {
                    return Err(Fault::TrailersTooLong);
                }
                State::Trailer
            }
            (State::Length(_) | State::Data(_) | State::Done, _) => {
                unreachable!("`feed` sends only framing here")
            }
        };
        Ok(rest)
    }

    fn size_byte(&self, size: usize, digits: usize, byte: u8) -> Result<State, Fault> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if digits == SIZE_DIGITS_MAX {
                return Err(Fault::Chunk);
            }
            let too_long = Fault::BodyTooLong { bytes_max: self.bytes_max };
            let size = size.checked_mul(16).ok_or(too_long)? + digit as usize;
            if size > self.bytes_max - self.bytes.len() {
                return Err(too_long);
            }
            return Ok(State::Size { size, digits: digits + 1 });
        }
        match byte {
            _ if digits == 0 => Err(Fault::Chunk),
            b'\r' => Ok(State::SizeEnd { size }),
            b';' => Ok(State::Extension { size }),
            b' ' | b'\t' => Ok(State::Padding { size }),
            _ => Err(Fault::Chunk),
        }
    }

    /// Behind the digits of a size, up to the LF. A LF without CR is where readers have disagreed
    /// about the end of a request.
    fn size_line_byte(&mut self, size: usize, byte: u8) -> Result<State, Fault> {
        let ended = matches!(self.state, State::SizeEnd { .. });
        match (ended, byte) {
            (true, b'\n') if size == 0 => return Ok(State::TrailerStart),
            (true, b'\n') => return Ok(State::Data(size)),
            (true, _) | (false, b'\n') => return Err(Fault::Chunk),
            (false, b'\r') => return Ok(State::SizeEnd { size }),
            (false, _) => {}
        }
        self.extension_bytes += 1;
        if self.extension_bytes > HTTP_CHUNK_EXTENSIONS_BYTES_MAX {
            return Err(Fault::ExtensionsTooLong);
        }
        match (self.state, byte) {
            (State::Padding { .. }, b' ' | b'\t') => Ok(self.state),
            (State::Padding { .. }, b';') => Ok(State::Extension { size }),
            (State::Padding { .. }, _) => Err(Fault::Chunk),
            _ => Ok(self.state),
        }
    }
}

/// Digits of a chunk's size: those of 64 bits, so that leading zeros end.
const SIZE_DIGITS_MAX: usize = 16;

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
