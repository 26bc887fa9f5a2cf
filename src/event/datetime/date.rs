//! Up to three numbers of a date, and which of them is the year, the month and the day.
//!
//! Numbers come in the order of the text. Some say what they are: a month by its name, a year by
//! more than two digits. For the rest, month first where both are possible.

use super::numbers::{Number, whole};

/// The numbers of a date so far.
#[derive(Clone, Debug, Default)]
pub(super) struct DateNumbers {
    numbers: Vec<u32>,
    /// Which is the year for certain.
    year: Option<usize>,
    /// Which is the month for certain.
    month: Option<usize>,
    /// A year was written out: its century is not to be guessed.
    century_said: bool,
}

/// What the numbers mean. `None`: not said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Date {
    pub(super) year: Option<u32>,
    pub(super) month: Option<u32>,
    pub(super) day: Option<u32>,
}

impl DateNumbers {
    pub(super) const fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The next number as it is written; three digits and more are a year.
    pub(super) fn push_digits(&mut self, digits: &str) -> Option<()> {
        let number = whole(digits)?;
        if digits.len() > 2 { self.push_year(number) } else { self.push(number) }
    }

    /// The next number by its value; over 100 it is a year. A fraction falls away.
    pub(super) fn push_number(&mut self, number: Number<'_>) -> Option<()> {
        if number.exceeds(100) { self.push_year(number.whole) } else { self.push(number.whole) }
    }

    /// The next number is a year.
    pub(super) fn push_year(&mut self, number: u32) -> Option<()> {
        self.century_said = true;
        if self.year.is_some() {
            return None;
        }
        self.year = Some(self.numbers.len());
        self.push(number)
    }

    /// The next number is a year, perhaps by its last two digits; not a month and not a day.
    pub(super) fn push_short_year(&mut self, number: u32, this_year: u32) -> Option<()> {
        self.push_year(if number < 100 { nearest_year(number, this_year) } else { number })
    }

    /// The next number is a month.
    pub(super) fn push_month(&mut self, number: u32) -> Option<()> {
        if self.month.is_some() {
            return None;
        }
        self.month = Some(self.numbers.len());
        self.push(number)
    }

    /// Whether `number` can be a day of the date so far.
    pub(super) fn takes_day(&self, number: Number<'_>) -> bool {
        let at = |place: Option<usize>| self.numbers.get(place?).copied();
        // Without a year, February has 29 days.
        let days = at(self.month).map_or(31, |month| days_of(at(self.year).unwrap_or(0), month));
        number.whole >= 1 && !number.exceeds(days)
    }

    /// What the numbers mean; `None` when there are too many. `this_year` is near the years that
    /// are given by two digits.
    pub(super) fn resolve(&self, this_year: u32) -> Option<Date> {
        let mut date = match self.numbers.as_slice() {
            [] => Date::default(),
            &[one] => self.resolve_one(one),
            &[a, b] => self.resolve_two(a, b),
            &[a, b, c] => self.resolve_three([a, b, c]),
            _ => return None,
        };
        date.year = date.year.map(|year| {
            if year < 100 && !self.century_said { nearest_year(year, this_year) } else { year }
        });
        Some(date)
    }

    fn push(&mut self, number: u32) -> Option<()> {
        self.numbers.push(number);
        Some(())
    }

    const fn resolve_one(&self, one: u32) -> Date {
        match (self.month, self.year) {
            (Some(_), _) => Date { year: None, month: Some(one), day: None },
            (None, Some(_)) => Date { year: Some(one), month: None, day: None },
            (None, None) if one > 31 => Date { year: Some(one), month: None, day: None },
            (None, None) => Date { year: None, month: None, day: Some(one) },
        }
    }

    fn resolve_two(&self, a: u32, b: u32) -> Date {
        let (month, other) = match (self.month, self.year) {
            (Some(0), _) => (a, b),
            (Some(_), _) => (b, a),
            // Two numbers.
            (None, _) if a > 31 => return Date { year: Some(a), month: Some(b), day: None },
            (None, _) if b > 31 => return Date { year: Some(b), month: Some(a), day: None },
            (None, _) => return Date { year: None, month: Some(a), day: Some(b) },
        };
        if self.year.is_some() || other > 31 {
            Date { year: Some(other), month: Some(month), day: None }
        } else {
            Date { year: None, month: Some(month), day: Some(other) }
        }
    }

    fn resolve_three(&self, [a, b, c]: [u32; 3]) -> Date {
        let [year, month, day] = match (self.month, self.year) {
            (Some(0), Some(1)) => [b, a, c],
            (Some(0), Some(_)) => [c, a, b],
            (Some(1), Some(0)) => [a, b, c],
            (Some(1), Some(_)) => [c, b, a],
            (Some(_), Some(0)) => [a, c, b],
            (Some(_), Some(_)) => [b, c, a],
            (Some(0), None) if b > 31 => [b, a, c],
            (Some(0), None) => [c, a, b],
            (Some(1), None) if a > 31 => [a, b, c],
            (Some(1), None) => [c, b, a],
            (Some(_), None) if b > 31 => [b, c, a],
            (Some(_), None) => [a, c, b],
            (None, Some(0)) => [a, b, c],
            (None, _) if a > 31 => [a, b, c],
            (None, _) if a > 12 => [c, b, a],
            (None, _) => [c, a, b],
        };
        Date { year: Some(year), month: Some(month), day: Some(day) }
    }
}

/// Days of `month`, 1–12; no day in any other.
pub(super) const fn days_of(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 0,
    }
}

/// The year that ends in the two digits `short` and lies less than 50 years ahead of `this_year`
/// or up to 50 behind it.
const fn nearest_year(short: u32, this_year: u32) -> u32 {
    let year = this_year / 100 * 100 + short;
    if year >= this_year + 50 {
        year.saturating_sub(100)
    } else if year + 50 < this_year {
        year + 100
    } else {
        year
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_the_nearest_year() {
        for (short, this_year, expect) in [
            (74, 2025, 2074),
            (75, 2025, 1975),
            (0, 2025, 2000),
            (29, 2080, 2129),
            (30, 2080, 2030),
            (99, 2080, 2099),
            (50, 2000, 1950),
            (49, 2000, 2049),
        ] {
            assert_eq!(nearest_year(short, this_year), expect, "{short} in {this_year}");
        }
    }
}
