//! Integers in decimal, without the formatting machinery.
//!
//! Does not sign, pad or group: ordinals and timestamps are plain `u64`.

/// Digits of `number`, 1–20.
pub(super) const fn decimal_len(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(power) => power as usize + 1,
        None => 1,
    }
}

/// Writes `number` behind `out`.
pub(super) fn write_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let written = digits.len() - decimal_len(number);
    out.extend_from_slice(digits.get(written..).unwrap_or_default());
}

/// Digits of `u64::MAX`.
const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: u64) {
        let mut out = Vec::new();
        write_decimal(number, &mut out);
        assert_eq!(out, number.to_string().as_bytes());
        assert_eq!(decimal_len(number), out.len());
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
