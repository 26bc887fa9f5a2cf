//! UTF-8 of a text that comes in pieces, refused at the first byte that can't be right.

/// Remembers the beginning of a character that a piece ended in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    open: [u8; 4],
    open_len: u8,
}

impl Utf8 {
    /// Checks the next piece; false when no continuation can make the text right.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while self.open_len > 0 {
            let Some((byte, rest)) = bytes.split_first() else { return true };
            bytes = rest;
            let place = usize::from(self.open_len);
            let Some(slot) = self.open.get_mut(place) else { return false };
            *slot = *byte;
            self.open_len += 1;
            match str::from_utf8(self.open.get(..=place).unwrap_or_default()) {
                Ok(_) => self.open_len = 0,
                Err(fault) if fault.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        let Err(fault) = simdutf8::compat::from_utf8(bytes) else { return true };
        if fault.error_len().is_some() {
            return false;
        }
        for (slot, byte) in self.open.iter_mut().zip(bytes.iter().skip(fault.valid_up_to())) {
            *slot = *byte;
            self.open_len += 1;
        }
        true
    }

    /// Whether the text may end here: not inside a character.
    pub(super) const fn complete(self) -> bool {
        self.open_len == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where the text is refused when it comes byte by byte: how many bytes were good.
    fn good_bytes(bytes: &[u8]) -> Option<usize> {
        let mut text = Utf8::default();
        bytes.iter().position(|byte| !text.feed(&[*byte]))
    }

    #[test]
    fn refused_at_the_first_byte_that_cannot_be_right() {
        for (bytes, good) in [
            (&b"a\xFF"[..], Some(1)),
            (b"\xC0", Some(0)),
            (b"\x80", Some(0)),
            (b"\xE0\x80", Some(1)),
            (b"\xED\xA0", Some(1)),
            (b"\xF4\x90", Some(1)),
            (b"\xF5", Some(0)),
            (b"\xE2\x82a", Some(2)),
            (b"\xF0\x9F\x98\x80", None),
            (b"\xE2\x82", None),
        ] {
            assert_eq!(good_bytes(bytes), good, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cut_agrees_with_the_whole(
            text in "\\PC{0,30}",
            broken in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = text.into_bytes();
            if let Some((place, byte)) = broken && !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let cut = cut.index(bytes.len() + 1);
            let mut state = Utf8::default();
            let good =
                state.feed(&bytes[..cut]) && state.feed(&bytes[cut..]) && state.complete();
            prop_assert_eq!(good, str::from_utf8(&bytes).is_ok());
        }
    }
}
