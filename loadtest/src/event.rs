//! The bytes of an event on a socket, the same in all three modes.
//!
//! ```text
//! 0x81, length (RFC 6455 §5.2) | body | "|ordinal: " N "|timestamp: " 13 digits
//! ```
//!
//! Every consumer of a stream is sent the same bytes, so how many bytes a socket has had says which
//! event it has had; only a sample needs its frames looked at.

/// Digits of a timestamp in milliseconds, from 2001 to 2286.
const TIMESTAMP_DIGITS: usize = 13;
const ORDINAL: &[u8] = b"|ordinal: ";
const TIMESTAMP: &[u8] = b"|timestamp: ";

/// Bytes at the end of a text that hold its ordinal and timestamp, whatever they are.
pub(crate) const SUFFIX_BYTES_MAX: usize = ORDINAL.len() + 20 + TIMESTAMP.len() + 20;

/// What is published: printable, no JSON, no line end.
pub(crate) fn body(bytes: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(bytes).collect()
}

/// The text that a consumer gets for `body`.
pub(crate) fn put_text(body: &[u8], ordinal: u64, timestamp: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(body);
    out.extend_from_slice(ORDINAL);
    out.extend_from_slice(ordinal.to_string().as_bytes());
    out.extend_from_slice(TIMESTAMP);
    out.extend_from_slice(timestamp.to_string().as_bytes());
}

/// Bytes of the text for a body of so many bytes.
fn text_bytes(body_bytes: usize, ordinal: u64) -> usize {
    body_bytes + ORDINAL.len() + digits(ordinal) + TIMESTAMP.len() + TIMESTAMP_DIGITS
}

/// Bytes of the whole frame for a body of so many bytes.
pub(crate) fn frame_bytes(body_bytes: usize, ordinal: u64) -> usize {
    let text = text_bytes(body_bytes, ordinal);
    text + match text {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    }
}

/// The ordinal in (the end of) a text.
pub(crate) fn ordinal(text: &[u8]) -> Option<u64> {
    let at = text.windows(ORDINAL.len()).rposition(|window| window == ORDINAL)?;
    let rest = text.get(at + ORDINAL.len()..)?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (number, rest) = rest.split_at_checked(end)?;
    rest.starts_with(TIMESTAMP).then_some(())?;
    str::from_utf8(number).ok()?.parse().ok()
}

/// Consecutive framed events in one buffer, numbered again for each write.
#[derive(Debug)]
pub(crate) struct Batch {
    body: Vec<u8>,
    count: u64,
    timestamp: u64,
    /// Digits of every ordinal in `bytes`; 0 when they differ.
    width: usize,
    bytes: Vec<u8>,
}

impl Batch {
    /// `count` events of `body_bytes` each.
    pub(crate) fn new(body_bytes: usize, count: u64, timestamp: u64) -> Self {
        Self { body: body(body_bytes), count, timestamp, width: 0, bytes: Vec::new() }
    }

    /// The events from `first` on. Where only digits change, only they are written, so that making
    /// the bytes is no part of what is measured.
    pub(crate) fn number(&mut self, first: u64) -> &[u8] {
        let (low, high) = (digits(first), digits(first + self.count - 1));
        if low == high && low == self.width {
            let stride = frame_bytes(self.body.len(), first);
            let behind = TIMESTAMP.len() + TIMESTAMP_DIGITS;
            for (ordinal, frame) in (first..).zip(self.bytes.chunks_exact_mut(stride)) {
                let end = frame.len() - behind;
                put_digits(ordinal, frame.get_mut(..end).unwrap_or_default());
            }
        } else {
            self.bytes.clear();
            for ordinal in first..first + self.count {
                put_frame(&self.body, ordinal, self.timestamp, &mut self.bytes);
            }
            self.width = if low == high { low } else { 0 };
        }
        &self.bytes
    }
}

/// A whole frame of the server (RFC 6455 §5.2: not masked).
fn put_frame(body: &[u8], ordinal: u64, timestamp: u64, out: &mut Vec<u8>) {
    let length = text_bytes(body.len(), ordinal);
    out.push(0x81);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    put_text(body, ordinal, timestamp, out);
}

/// Overwrites the digits at the end of `place`; the number has as many as it had.
fn put_digits(mut number: u64, place: &mut [u8]) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |power| power as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_746_042_171_620;

    #[test]
    fn numbering_in_place_gives_the_same_bytes_as_framing() {
        for body_bytes in [0, 40, 256, 70_000] {
            let mut batch = Batch::new(body_bytes, 7, NOW);
            for first in [1, 2, 3, 5, 92, 93, 95, 100, 107, 996, 1_000, 123_456] {
                let mut expect = Vec::new();
                for ordinal in first..first + 7 {
                    put_frame(&body(body_bytes), ordinal, NOW, &mut expect);
                }
                assert_eq!(batch.number(first), expect, "{body_bytes} bytes from {first}");
            }
        }
    }

    #[test]
    fn a_frame_has_the_length_that_is_reckoned_with() {
        for body_bytes in [0, 80, 81, 82, 83, 256, 65_490, 65_500, 65_540] {
            for ordinal in [1, 9, 10, 99_999, 100_000] {
                let mut frame = Vec::new();
                put_frame(&body(body_bytes), ordinal, NOW, &mut frame);
                assert_eq!(frame.len(), frame_bytes(body_bytes, ordinal), "{body_bytes}");
            }
        }
    }

    #[test]
    fn an_ordinal_is_read_from_the_end_of_its_text() {
        let mut text = Vec::new();
        put_text(b"x|ordinal: 5|timestamp: 1", 77, NOW, &mut text);
        assert_eq!(ordinal(&text), Some(77));
        assert_eq!(ordinal(&text[text.len() - 40..]), Some(77));
        assert_eq!(ordinal(b"|ordinal: 7"), None);
        assert_eq!(ordinal(b"|ordinal: |timestamp: 1"), None);
        assert_eq!(ordinal(b"no suffix"), None);
    }
}
