//! Masking of a client's payload (RFC 6455 §5.3).

/// XORs `bytes` with `mask`, whose first byte meets payload byte 0; `position` is the place of
/// `bytes` in the payload. Masking twice is the identity.
pub(super) fn apply(mask: [u8; 4], position: u64, bytes: &mut [u8]) {
    let mut turned = mask;
    turned.rotate_left((position % 4) as usize);
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_give_what_bytes_give(
            mask: [u8; 4],
            bytes in prop::collection::vec(any::<u8>(), 0..70),
            cut in any::<prop::sample::Index>(),
        ) {
            let naive: Vec<_> =
                bytes.iter().enumerate().map(|(place, byte)| byte ^ mask[place % 4]).collect();
            let mut fast = bytes;
            let cut = cut.index(fast.len() + 1);
            apply(mask, 0, &mut fast[..cut]);
            apply(mask, cut as u64, &mut fast[cut..]);
            prop_assert_eq!(fast, naive);
        }
    }
}
