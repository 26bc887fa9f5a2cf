//! Headers of a client's frames (RFC 6455 §5.2).
//!
//! ```text
//!  byte 0                  byte 1                  0, 2 or 8 bytes   4 bytes
//! +-----+-----+---------+ +------+--------------+ +---------------+ +-------------+
//! | FIN | RSV | opcode  | | MASK | length       | | long length,  | | masking key |
//! | 1   | 3   | 4 bits  | | 1    | 7 bits       | | big endian    | |             |
//! +-----+-----+---------+ +------+--------------+ +---------------+ +-------------+
//! ```
//!
//! Bytes are judged in their order, each as soon as it is seen, so that any cut of the input finds
//! the same fault.

use super::Fault;
use super::frame::Opcode;
use crate::limits::CONTROL_PAYLOAD_BYTES_MAX;

/// What a frame says before its payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// Last frame of its message.
    pub(super) fin: bool,
    /// What the payload is.
    pub(super) opcode: Opcode,
    /// Length of the payload.
    pub(super) payload_bytes: u64,
    /// XOR key of the payload.
    pub(super) mask: [u8; 4],
    /// Length of the header itself.
    pub(super) header_bytes: usize,
}

/// Two fixed bytes, eight of long length, four of mask.
pub(super) const HEADER_BYTES_MAX: usize = 2 + 8 + 4;

/// Reads a header from the front of `bytes`; `Ok(None)` when it may be good but isn't whole.
/// `message_open` says whether a fragmented message waits for its continuation.
pub(super) fn decode(bytes: &[u8], message_open: bool) -> Result<Option<Header>, Fault> {
    let mut rest = bytes;
    let Some([first]) = take(&mut rest) else { return Ok(None) };
    let fin = first & 0x80 != 0;
    let opcode = opcode(first, fin, message_open)?;

    let Some([second]) = take(&mut rest) else { return Ok(None) };
    if second & 0x80 == 0 {
        return Err(Fault::Unmasked);
    }
    let short = second & 0x7F;
    if is_control(opcode) && usize::from(short) > CONTROL_PAYLOAD_BYTES_MAX {
        return Err(Fault::ControlTooLong);
    }
    let payload_bytes = match short {
        126 => match take(&mut rest).map(u16::from_be_bytes) {
            None => return Ok(None),
            Some(0..126) => return Err(Fault::BadLength),
            Some(length) => u64::from(length),
        },
        127 => match take(&mut rest).map(u64::from_be_bytes) {
            None => return Ok(None),
            Some(0..=0xFFFF | 0x8000_0000_0000_0000..) => return Err(Fault::BadLength),
            Some(length) => length,
        },
        _ => u64::from(short),
    };
    let Some(mask) = take(&mut rest) else { return Ok(None) };
    let header_bytes = bytes.len() - rest.len();
    Ok(Some(Header { fin, opcode, payload_bytes, mask, header_bytes }))
}

/// Whether a frame is about the connection and not part of a message (RFC 6455 §5.5).
pub(super) const fn is_control(opcode: Opcode) -> bool {
    match opcode {
        Opcode::Close | Opcode::Ping | Opcode::Pong => true,
        Opcode::Continuation | Opcode::Text | Opcode::Binary => false,
    }
}

/// All that the first byte alone decides.
fn opcode(first: u8, fin: bool, message_open: bool) -> Result<Opcode, Fault> {
    if first & 0x70 != 0 {
        return Err(Fault::ReservedBit);
    }
    let opcode = match first & 0x0F {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        _ => return Err(Fault::ReservedOpcode),
    };
    match (opcode, message_open) {
        (Opcode::Continuation, false) => Err(Fault::NothingToContinue),
        (Opcode::Text | Opcode::Binary, true) => Err(Fault::MessageOpen),
        _ if is_control(opcode) && !fin => Err(Fault::ControlFragmented),
        _ => Ok(opcode),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (front, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*front)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expect: Result<Option<(Opcode, u64, usize)>, Fault>) {
        let got = decode(bytes, false);
        assert_eq!(got.map(|h| h.map(|h| (h.opcode, h.payload_bytes, h.header_bytes))), expect);
    }

    #[test]
    fn lengths_use_their_shortest_form() {
        check(&[0x81, 0x85, 1, 2, 3, 4], Ok(Some((Opcode::Text, 5, 6))));
        check(&[0x82, 0xFE, 0, 126, 1, 2, 3, 4], Ok(Some((Opcode::Binary, 126, 8))));
        check(&[0x82, 0xFE, 0, 125], Err(Fault::BadLength));
        check(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Err(Fault::BadLength));
        check(&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(Fault::BadLength));
        check(
            &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4],
            Ok(Some((Opcode::Binary, 0x1_0000, HEADER_BYTES_MAX))),
        );
    }

    /// Every prefix of a good header is "not yet", never a fault and never an answer.
    #[test]
    fn any_cut_of_a_good_header_waits() {
        let whole = [0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 9, 9, 9, 9];
        for cut in 0..whole.len() {
            check(&whole[..cut], Ok(None));
        }
    }

    /// All 2^16 openings, long or short of the rest: answered, and a fault found early stands.
    #[test]
    fn no_opening_panics_and_faults_stand() {
        for opening in 0..=u16::MAX {
            let mut bytes = [0xFF; HEADER_BYTES_MAX];
            bytes[..2].copy_from_slice(&opening.to_be_bytes());
            for message_open in [false, true] {
                let whole = decode(&bytes, message_open);
                for end in 0..=bytes.len() {
                    if let Err(fault) = decode(&bytes[..end], message_open) {
                        assert_eq!(whole, Err(fault), "{opening:04x} cut at {end}");
                    }
                }
            }
        }
    }
}
