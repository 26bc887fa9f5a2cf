//! Looks at what a sampled consumer receives: whole text frames with dense ordinals, cut anywhere.
//!
//! Sans-IO: bytes go in as they come; a fault comes out. Payloads are not kept, only their ends,
//! where the ordinal is. A frame that isn't an unfragmented text is a fault: in a measurement no
//! server has a reason to send one.

use crate::event::{SUFFIX_BYTES_MAX, ordinal};

/// What was wrong with the bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The first byte of a frame isn't that of a whole text.
    NotText(u8),
    /// A server masks nothing (RFC 6455 §5.1).
    Masked,
    /// The text doesn't end in an ordinal and a timestamp.
    NoOrdinal,
    /// An event is missing, repeated or out of order.
    NotDense { expected: u64, got: u64 },
}

/// Follows one consumer's bytes.
#[derive(Debug)]
pub(crate) struct Witness {
    header: Vec<u8>,
    /// Payload bytes still to come.
    left: usize,
    /// The end of the payload so far.
    end: Vec<u8>,
    next: u64,
}

impl Witness {
    /// Expects `first` first.
    pub(crate) fn new(first: u64) -> Self {
        let end = Vec::with_capacity(SUFFIX_BYTES_MAX);
        Self { header: Vec::with_capacity(10), left: 0, end, next: first }
    }

    /// The ordinal that is expected next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        loop {
            if self.left == 0 {
                let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
                bytes = rest;
                self.header.push(*byte);
                let Some(payload_bytes) = payload_bytes(&self.header)? else { continue };
                self.header.clear();
                self.end.clear();
                self.left = payload_bytes;
            }
            let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
            bytes = rest;
            // Only what lies in the last bytes of the payload is kept.
            let skipped = self.left.saturating_sub(SUFFIX_BYTES_MAX);
            self.end.extend_from_slice(part.get(skipped..).unwrap_or_default());
            self.left -= part.len();
            if self.left > 0 {
                return Ok(());
            }
            self.check()?;
        }
    }

    fn check(&mut self) -> Result<(), Fault> {
        let got = ordinal(&self.end).ok_or(Fault::NoOrdinal)?;
        if got != self.next {
            return Err(Fault::NotDense { expected: self.next, got });
        }
        self.next += 1;
        Ok(())
    }
}

/// The payload's length once the header is whole (RFC 6455 §5.2).
fn payload_bytes(header: &[u8]) -> Result<Option<usize>, Fault> {
    let [first, rest @ ..] = header else { return Ok(None) };
    if *first != 0x81 {
        return Err(Fault::NotText(*first));
    }
    let [short, rest @ ..] = rest else { return Ok(None) };
    let long_bytes = match short {
        0x80.. => return Err(Fault::Masked),
        126 => 2,
        127 => 8,
        short => return Ok(Some(usize::from(*short))),
    };
    let length = rest.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Ok((rest.len() == long_bytes).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Batch;

    fn stream(body_bytes: usize) -> Vec<u8> {
        Batch::new(body_bytes, 12, 1_746_042_171_620).number(1).to_vec()
    }

    #[test]
    fn frames_are_counted_whatever_the_cuts() {
        for body_bytes in [0, 60, 256, 70_000] {
            let bytes = stream(body_bytes);
            for piece in [1, 2, 3, 7, 64, 1_000, bytes.len()] {
                let mut witness = Witness::new(1);
                for part in bytes.chunks(piece) {
                    assert_eq!(witness.take(part), Ok(()), "{body_bytes} in pieces of {piece}");
                }
                assert_eq!(witness.next(), 13, "{body_bytes} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_cut_frame_does_not_count_yet() {
        let bytes = stream(256);
        let mut witness = Witness::new(1);
        assert_eq!(witness.take(&bytes[..bytes.len() - 1]), Ok(()));
        assert_eq!(witness.next(), 12);
        assert_eq!(witness.take(&bytes[bytes.len() - 1..]), Ok(()));
        assert_eq!(witness.next(), 13);
    }

    #[test]
    fn gaps_repeats_and_strangers_are_faults() {
        let bytes = stream(256);
        let gap = Fault::NotDense { expected: 2, got: 1 };
        assert_eq!(Witness::new(2).take(&bytes), Err(gap));
        let gap = Fault::NotDense { expected: 0, got: 1 };
        assert_eq!(Witness::new(0).take(&bytes), Err(gap));
        let twice = [bytes.as_slice(), bytes.as_slice()].concat();
        let repeat = Fault::NotDense { expected: 13, got: 1 };
        assert_eq!(Witness::new(1).take(&twice), Err(repeat));
        assert_eq!(Witness::new(1).take(&[0x89, 0]), Err(Fault::NotText(0x89)));
        assert_eq!(Witness::new(1).take(&[0x81, 0x85]), Err(Fault::Masked));
        assert_eq!(Witness::new(1).take(b"\x81\x02hi"), Err(Fault::NoOrdinal));
    }
}
