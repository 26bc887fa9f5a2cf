//! Frames a server sends: unmasked, never fragmented (RFC 6455 §5.2).
//!
//! ```text
//!  byte 0               byte 1          0, 2 or 8 bytes
//! +-----+-------------+ +-+-----------+ +------------------------+ +---------+
//! | FIN | opcode      | |0| length    | | long length, big endian| | payload |
//! +-----+-------------+ +-+-----------+ +------------------------+ +---------+
//! ```

/// What a frame carries (RFC 6455 §11.8), as its four bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the RFC's own")]
pub enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// Length of the header of a server's frame with a payload of `payload_bytes`.
#[must_use]
pub const fn header_len(payload_bytes: usize) -> usize {
    match payload_bytes {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    }
}

/// Writes the header of a whole (FIN) unmasked frame behind `out`; the payload must follow.
pub fn put_header(opcode: Opcode, payload_bytes: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match payload_bytes {
        #[expect(clippy::cast_possible_truncation, reason = "the arms bound it")]
        0..=125 => out.push(payload_bytes as u8),
        #[expect(clippy::cast_possible_truncation, reason = "the arms bound it")]
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// The length of the whole server frame that `bytes` begin with, header included. `None` while the
/// header is not whole. Only for frames this service made itself: nothing else is checked.
#[must_use]
pub fn frame_len(bytes: &[u8]) -> Option<u64> {
    match *bytes.get(1)? & 0x7F {
        126 => Some(4 + u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?).checked_add(10),
        short => Some(2 + u64::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_is_the_shortest_and_reads_back() {
        for payload in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, 32 << 20] {
            let mut bytes = Vec::new();
            put_header(Opcode::Text, payload, &mut bytes);
            assert_eq!(bytes.len(), header_len(payload));
            assert_eq!(bytes[0], 0x81);
            for cut in 0..bytes.len() {
                assert_eq!(frame_len(&bytes[..cut]), None, "{payload} cut at {cut}");
            }
            assert_eq!(frame_len(&bytes), Some((bytes.len() + payload) as u64));
        }
    }
}
