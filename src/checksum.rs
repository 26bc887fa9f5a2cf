//! CRC-32C (Castagnoli, RFC 3720 §B.4): the checksum of the log.
//!
//! Every byte of a history passes through it on its way out, so it has to keep up with memory.

use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};

/// The checksum of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32_iscsi(bytes)
}

/// The checksum of what `crc` is that of, followed by `bytes`. That of nothing is 0.
#[must_use]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "a checksum of 32 bits")]
    let checksum = digest.finalize() as u32;
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the definition has it.
    fn slow(bytes: &[u8]) -> u32 {
        let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
        !bytes.iter().fold(!0, byte)
    }

    #[test]
    fn it_is_the_one_of_the_standards() {
        // RFC 3720 §B.4, and the check value of the catalogues.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(&[]), 0);
    }

    #[test]
    fn of_every_length_and_in_two_parts_it_is_the_same() {
        let bytes: Vec<u8> = (0..1_500_u32).map(|at| ((at * at) >> 3).to_le_bytes()[0]).collect();
        for length in (0..300).chain([511, 512, 513, 1_023, 1_024, 1_025, 1_500]) {
            let all = &bytes[..length];
            let expected = slow(all);
            assert_eq!(crc32c(all), expected, "{length}");
            let (head, tail) = all.split_at(length / 3);
            assert_eq!(crc32c_append(crc32c(head), tail), expected, "{length} in two parts");
        }
    }
}
