//! Close frames a server sends (RFC 6455 §5.5.1).

use super::frame::{Opcode, put_header};
use crate::limits::CLOSE_REASON_BYTES_MAX;

/// A close frame with a code and a reason, which is cut to fit.
///
/// # Panics
///
/// When `code` must not be sent: those for the ends of a connection that no frame tells.
#[must_use]
pub fn frame(code: u16, reason: &str) -> Vec<u8> {
    assert!(may_be_sent(code), "close code {code} must not be sent");
    let reason = cut(reason);
    let mut out = Vec::with_capacity(2 + 2 + reason.len());
    put_header(Opcode::Close, 2 + reason.len(), &mut out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
    out
}

/// The answer to a client's close frame: its code back, without a reason; nothing for nothing.
#[must_use]
pub fn echo(code: Option<u16>) -> Vec<u8> {
    code.map_or_else(
        || {
            let mut out = Vec::with_capacity(2);
            put_header(Opcode::Close, 0, &mut out);
            out
        },
        |code| frame(code, ""),
    )
}

/// The most of `reason` that fits a close frame, ending between two characters.
#[must_use]
pub fn cut(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)).unwrap_or(reason)
}

/// Whether an endpoint may send this code (RFC 6455 §7.4, IANA's registry up to 1014): the rest is
/// reserved for what ends without a frame, or unassigned.
#[must_use]
pub const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_as_the_rfc_wants() {
        assert_eq!(frame(1000, "bye"), b"\x88\x05\x03\xE8bye");
        assert_eq!(echo(Some(4000)), b"\x88\x02\x0F\xA0");
        assert_eq!(echo(None), b"\x88\x00");
    }

    #[test]
    fn a_reason_is_cut_between_characters_on_both_sides_of_the_limit() {
        assert_eq!(cut(&"a".repeat(123)).len(), 123);
        assert_eq!(cut(&"a".repeat(124)).len(), 123);
        assert_eq!(cut(&"é".repeat(62)).len(), 122);
        assert_eq!(cut(&format!("a{}", "é".repeat(61))).len(), 123);
        assert_eq!(frame(1000, &"a".repeat(500)).len(), 2 + 125);
    }

    #[test]
    #[should_panic(expected = "must not be sent")]
    fn a_code_that_is_never_sent_is_a_bug() {
        let _ = frame(1006, "");
    }

    proptest! {
        #[test]
        fn a_cut_reason_is_the_longest_prefix_that_fits(reason in "\\PC{0,200}") {
            let short = cut(&reason);
            prop_assert!(reason.starts_with(short) && short.len() <= CLOSE_REASON_BYTES_MAX);
            let next = reason[short.len()..].chars().next().map_or(0, char::len_utf8);
            prop_assert!(next == 0 || short.len() + next > CLOSE_REASON_BYTES_MAX);
        }
    }
}
