//! Numbers as tokens hold them: ASCII digits, perhaps with one point or comma inside.
//!
//! A number that is too large to mean anything is not refused but [`u32::MAX`]: the calendar
//! refuses it where it counts, and a later word may replace it.

/// A number with its fraction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Number<'a> {
    /// What stands before the point.
    pub(super) whole: u32,
    /// The digits behind the point; empty without one.
    fraction: &'a str,
}

impl<'a> Number<'a> {
    /// The number that `token` is.
    pub(super) fn of(token: &'a str) -> Option<Self> {
        match token.split_once(POINTS) {
            Some((before, behind)) => {
                whole(behind)?;
                Some(Self { whole: whole(before)?, fraction: behind })
            }
            None => Some(Self { whole: whole(token)?, fraction: "" }),
        }
    }

    /// Whether it is more than `bound`.
    pub(super) fn exceeds(self, bound: u32) -> bool {
        self.whole > bound || self.whole == bound && self.has_fraction()
    }

    /// Whether anything but zeros stands behind the point.
    fn has_fraction(self) -> bool {
        self.fraction.bytes().any(|digit| digit != b'0')
    }

    /// The fraction in sixtieths, cut; `None` when there is none.
    pub(super) fn sixtieths(self) -> Option<u32> {
        if !self.has_fraction() {
            return None;
        }
        let digits = self.fraction.get(..FRACTION_DIGITS_MAX).unwrap_or(self.fraction);
        let unit = 10_u64.pow(u32::try_from(digits.len()).ok()?);
        u32::try_from(60 * digits.parse::<u64>().ok()? / unit).ok()
    }

    /// The fraction in thousandths, cut.
    pub(super) fn thousandths(self) -> u32 {
        let digits = self.fraction.bytes().chain([b'0'; 3]).take(3);
        digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    }
}

/// The number that `digits` are, one at least and nothing else.
pub(super) fn whole(digits: &str) -> Option<u32> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Only too large a number fails now.
    all.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// Where the fraction begins.
pub(super) const POINTS: [char; 2] = ['.', ','];

/// More don't change a sixtieth of anything that is meant; 60 times as many fit in 64 bits.
const FRACTION_DIGITS_MAX: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_one_point_are_a_number() {
        for (token, expect) in [
            ("0", Some((0, ""))),
            ("007", Some((7, ""))),
            ("28.5", Some((28, "5"))),
            ("28,05", Some((28, "05"))),
            ("99999999999999999999999", Some((u32::MAX, ""))),
            ("", None),
            (".5", None),
            ("5.", None),
            ("1.2.3", None),
            ("+1", None),
            ("1e5", None),
            ("٣", None),
        ] {
            let found = Number::of(token).map(|number| (number.whole, number.fraction));
            assert_eq!(found, expect, "{token}");
        }
    }

    #[test]
    fn fractions_are_cut() {
        let number = |token| Number::of(token).expect("a number");
        assert_eq!(number("1.1239").thousandths(), 123);
        assert_eq!(number("1.9").thousandths(), 900);
        assert_eq!(number("1").thousandths(), 0);
        assert_eq!(number("1.5").sixtieths(), Some(30));
        assert_eq!(number("1.99999999999999999999999").sixtieths(), Some(59));
        assert_eq!(number("1.001").sixtieths(), Some(0));
        assert_eq!(number("1.000").sixtieths(), None);
        assert!(number("31.01").exceeds(31) && !number("31.00").exceeds(31));
    }
}
