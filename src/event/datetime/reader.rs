//! The walk over the tokens: what each means, given what was said before it.
//!
//! A port of what dateutil's `parser._parse` does, case by case in its order, because the order is
//! the behaviour. `None` is a text that it refuses.

use chrono::{Datelike, NaiveDate};

use super::date::DateNumbers;
use super::fields::Fields;
use super::numbers::{Number, POINTS, whole};
use super::tokens::SPACE;
use super::words::{
    Unit, half, is_filler, is_not_finite, is_of, is_utc, is_zone, month, unit, weekday,
};

/// What `tokens` say.
pub(super) fn read<'a>(tokens: Vec<&'a str>, today: NaiveDate) -> Option<Fields<'a>> {
    let mut reader = Reader {
        tokens,
        at: 0,
        this_year: today.year().unsigned_abs(),
        date: DateNumbers::default(),
        fields: Fields::default(),
    };
    while let Some(token) = reader.token(0) {
        reader.step(token)?;
        reader.at += 1;
    }
    reader.fields.date = reader.date.resolve(reader.this_year)?;
    Some(reader.fields)
}

struct Reader<'a> {
    tokens: Vec<&'a str>,
    /// The token to look at.
    at: usize,
    this_year: u32,
    date: DateNumbers,
    fields: Fields<'a>,
}

impl<'a> Reader<'a> {
    /// The token `ahead` of the one to look at.
    fn token(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).copied()
    }

    /// The token `back` before the one to look at.
    fn token_before(&self, back: usize) -> Option<&'a str> {
        self.tokens.get(self.at.checked_sub(back)?).copied()
    }

    /// Takes in `token` and those behind it that belong to it, and stands at the last of them.
    fn step(&mut self, token: &'a str) -> Option<()> {
        if let Some(number) = Number::of(token) {
            return self.number(token, number);
        }
        if is_not_finite(token) {
            return None;
        }
        if let Some(day) = weekday(token) {
            self.fields.weekday = Some(day);
            return Some(());
        }
        if let Some(month) = month(token) {
            self.date.push_month(month)?;
            return self.behind_month();
        }
        if let Some(half) = half(token) {
            let hour = self.fields.hour.filter(|hour| *hour <= 12)?;
            self.fields.hour = Some(half.on_24(hour));
            return Some(());
        }
        if self.takes_zone(self.fields.offset_seconds) && is_zone(token) {
            self.zone(token);
            return Some(());
        }
        if self.fields.hour.is_some() && matches!(token, "+" | "-") {
            return self.offset(token);
        }
        is_filler(token).then_some(())
    }

    /// `Apr-30-2025`, `Apr/30`, `Apr of 2025`
    fn behind_month(&mut self) -> Option<()> {
        match (self.token(1), self.token(2), self.token(3), self.token(4)) {
            (Some(separator @ ("-" | "/")), second, third, fourth) => {
                self.date.push_digits(second?)?;
                self.at += 2;
                if third == Some(separator) {
                    self.date.push_digits(fourth?)?;
                    self.at += 2;
                }
            }
            (Some(SPACE), Some(of), Some(SPACE), Some(year)) if is_of(of) => {
                if let Some(number) = whole(year) {
                    self.date.push_short_year(number, self.this_year)?;
                }
                self.at += 4;
            }
            _ => {}
        }
        Some(())
    }

    fn takes_zone(&self, offset_seconds: Option<i64>) -> bool {
        self.fields.hour.is_some() && self.fields.zone.is_none() && offset_seconds.is_none()
    }

    /// A zone's name. `GMT+3` and `BRST+3` say what to add to come to GMT: the sign turns round.
    fn zone(&mut self, name: &'a str) {
        self.fields.zone = Some(name);
        let Some(sign) = self.tokens.get_mut(self.at + 1) else { return };
        *sign = match *sign {
            "+" => "-",
            "-" => "+",
            _ => return,
        };
        if is_utc(name) {
            self.fields.zone = None;
        }
    }

    /// `+0100`, `-01:30`, `+1`, `-0300 (BRST)`
    fn offset(&mut self, sign: &str) -> Option<()> {
        let digits = self.token(1)?;
        let (hours, minutes) = if digits.len() == 4 {
            let (hours, minutes) = digits.split_at_checked(2)?;
            (whole(hours)?, whole(minutes)?)
        } else if self.token(2) == Some(":") {
            let minutes = whole(self.token(3)?)?;
            self.at += 2;
            (whole(digits)?, minutes)
        } else if digits.len() <= 2 {
            (whole(digits)?, 0)
        } else {
            return None;
        };
        let seconds = i64::from(hours) * 3_600 + i64::from(minutes) * 60;
        self.fields.offset_seconds = Some(if sign == "+" { seconds } else { -seconds });
        if let (Some(filler), Some("("), Some(name), Some(")")) =
            (self.token(2), self.token(3), self.token(4), self.token(5))
            && is_filler(filler)
            && name.len() >= 3
            && self.takes_zone(None)
            && is_zone(name)
        {
            self.fields.zone = Some(name);
            self.at += 4;
        }
        self.at += 1;
        Some(())
    }

    /// A number, which may be any field: its length, what stands around it and what is still
    /// missing tell which.
    fn number(&mut self, token: &'a str, number: Number<'a>) -> Option<()> {
        let (next, after) = (self.token(1), self.token(2));
        let point = token.find(POINTS);
        let digits = token.len();
        if self.date.len() == 3
            && matches!(digits, 2 | 4)
            && self.fields.hour.is_none()
            && next.is_none_or(|next| next != ":" && unit(next).is_none())
        {
            // 19990101T23[59]
            self.fields.hour = Some(whole(token.get(..2)?)?);
            if digits == 4 {
                self.fields.minute = Some(whole(token.get(2..)?)?);
            }
        } else if digits == 6 || point == Some(6) {
            self.six_digits(token, point)?;
        } else if matches!(digits, 8 | 12 | 14) {
            self.long_date(token)?;
        } else if let Some(labelled) = self.unit_near() {
            self.at += labelled.tokens;
            self.set(labelled.unit, number);
        } else if next == Some(":") && after.is_some() {
            self.clock(number)?;
        } else if let Some(separator @ ("-" | "/" | ".")) = next {
            self.separated(token, separator)?;
        } else if next.is_none_or(is_filler) {
            // 12 am, or a part of a date
            if let Some(half) = after.and_then(half) {
                self.fields.hour = Some(half.on_24(number.whole));
                self.at += 1;
            } else {
                self.date.push_number(number)?;
            }
            self.at += 1;
        } else if let Some(half) = next.and_then(half)
            && number.whole < 24
        {
            // 12am
            self.fields.hour = Some(half.on_24(number.whole));
            self.at += 1;
        } else if self.date.takes_day(number) {
            self.date.push_number(number)?;
        } else {
            return None;
        }
        Some(())
    }

    /// `YYMMDD`, or `HHMMSS[.f]` behind a date.
    fn six_digits(&mut self, token: &'a str, point: Option<usize>) -> Option<()> {
        let [first, second, rest] = [token.get(..2)?, token.get(2..4)?, token.get(4..)?];
        if self.date.len() == 0 && point.is_none() {
            self.date.push_digits(first)?;
            self.date.push_digits(second)?;
            return self.date.push_digits(rest);
        }
        self.fields.hour = Some(whole(first)?);
        self.fields.minute = Some(whole(second)?);
        self.set_second(Number::of(rest)?);
        Some(())
    }

    /// `YYYYMMDD[HHMM[SS]]`
    fn long_date(&mut self, token: &'a str) -> Option<()> {
        self.date.push_year(whole(token.get(..4)?)?)?;
        self.date.push_digits(token.get(4..6)?)?;
        self.date.push_digits(token.get(6..8)?)?;
        if token.len() > 8 {
            self.fields.hour = Some(whole(token.get(8..10)?)?);
            self.fields.minute = Some(whole(token.get(10..12)?)?);
        }
        if token.len() > 12 {
            self.fields.second = Some(whole(token.get(12..)?)?);
        }
        Some(())
    }

    /// `HH:MM[:SS[.f]]`
    fn clock(&mut self, hours: Number<'a>) -> Option<()> {
        self.fields.hour = Some(hours.whole);
        self.set_minute(Number::of(self.token(2)?)?);
        if let (Some(":"), Some(seconds)) = (self.token(3), self.token(4)) {
            self.set_second(Number::of(seconds)?);
            self.at += 2;
        }
        self.at += 2;
        Some(())
    }

    /// `01-01[-01]`, `01-Jan[-01]`
    fn separated(&mut self, token: &str, separator: &str) -> Option<()> {
        self.date.push_digits(token)?;
        if let Some(second) = self.token(2).filter(|second| !is_filler(second)) {
            match whole(second) {
                Some(_) => self.date.push_digits(second)?,
                None => self.date.push_month(month(second)?)?,
            }
            if self.token(3) == Some(separator) {
                let third = self.token(4)?;
                match month(third) {
                    Some(month) => self.date.push_month(month)?,
                    None => self.date.push_digits(third)?,
                }
                self.at += 2;
            }
            self.at += 1;
        }
        self.at += 1;
        Some(())
    }

    /// The unit of the number to look at: the one behind it, else the one that follows from the
    /// unit before it.
    fn unit_near(&self) -> Option<Labelled> {
        let unit_at = |token: Option<&str>| token.and_then(unit);
        if let Some(unit) = unit_at(self.token(1)) {
            return Some(Labelled { unit: Some(unit), tokens: 1 });
        }
        if self.token(1) == Some(SPACE)
            && let Some(unit) = unit_at(self.token(2))
        {
            return Some(Labelled { unit: Some(unit), tokens: 2 });
        }
        let before = unit_at(self.token_before(1)).or_else(|| {
            let last = self.token(1).is_none() && self.token_before(1) == Some(SPACE);
            if last { unit_at(self.token_before(2)) } else { None }
        })?;
        Some(Labelled { unit: before.smaller(), tokens: 0 })
    }

    fn set(&mut self, unit: Option<Unit>, number: Number<'_>) {
        match unit {
            Some(Unit::Hour) => {
                self.fields.hour = Some(number.whole);
                if let Some(minutes) = number.sixtieths() {
                    self.fields.minute = Some(minutes);
                }
            }
            Some(Unit::Minute) => self.set_minute(number),
            Some(Unit::Second) => self.set_second(number),
            None => {}
        }
    }

    fn set_minute(&mut self, number: Number<'_>) {
        self.fields.minute = Some(number.whole);
        self.fields.second = number.sixtieths();
    }

    fn set_second(&mut self, number: Number<'_>) {
        self.fields.second = Some(number.whole);
        self.fields.millis = Some(number.thousandths());
    }
}

/// The unit of a number, and how many tokens behind it belong to it.
struct Labelled {
    /// `None`: smaller than a second, and so of no account.
    unit: Option<Unit>,
    tokens: usize,
}
