//! Integers in decimal, without the formatting machinery.
//!
//! Does not sign, pad or group: ordinals and timestamps are plain `u64`.

/// Writes `number` at the end of `digits`; answers what was written, 1–20 digits.
pub(super) fn write_decimal(number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let (mut rest, mut start) = (number, digits.len());
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

/// Digits of `u64::MAX`.
pub(super) const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: u64) {
        assert_eq!(write_decimal(number, &mut [0; DIGITS_MAX]), number.to_string().as_bytes());
    }

    #[test]
    fn both_sides_of_every_power_of_ten() {
        for power in 0..20 {
            let number = 10_u64.pow(power);
            check(number - 1);
            check(number);
            check(number + 1);
        }
        check(u64::MAX);
    }
}
