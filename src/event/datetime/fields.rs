//! What a text said, field by field, and the point in time it means.
//!
//! ```text
//! said:   year  month  day  weekday  hour  minute  second  millis  zone  offset
//! else:   today's           –        0     0       0       0       UTC
//! ```

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::date::{Date, days_of};
use super::words::{is_utc, zone_offset_seconds};

/// The fields of a point in time. `None`: not said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Fields<'a> {
    pub(super) date: Date,
    /// Counts only when no day is said: then the first such day from the date on.
    pub(super) weekday: Option<Weekday>,
    pub(super) hour: Option<u32>,
    pub(super) minute: Option<u32>,
    pub(super) second: Option<u32>,
    pub(super) millis: Option<u32>,
    /// A word of a few capitals.
    pub(super) zone: Option<&'a str>,
    /// Seconds ahead of UTC.
    pub(super) offset_seconds: Option<i64>,
}

impl Fields<'_> {
    /// Milliseconds since 1970 UTC, negative before; `None` when there is no such point.
    pub(super) fn resolve(&self, today: NaiveDate) -> Option<i64> {
        let days = self.day(today)?.signed_duration_since(NaiveDate::default()).num_days();
        let [hour, minute, second, millis] = [
            below(self.hour, 24)?,
            below(self.minute, 60)?,
            below(self.second, 60)?,
            below(self.millis, 1_000)?,
        ];
        let offset = self.offset_seconds()?;
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
        Some(seconds * 1_000 + millis)
    }

    fn day(&self, today: NaiveDate) -> Option<NaiveDate> {
        let Date { year, month, day } = self.date;
        let year = year.unwrap_or_else(|| today.year().unsigned_abs());
        let month = month.unwrap_or_else(|| today.month());
        let last = days_of(year, month);
        let from = date_of(year, month, day.unwrap_or_else(|| today.day().min(last)))?;
        let (Some(weekday), None) = (self.weekday, day) else { return Some(from) };
        let ahead = weekday.days_since(from.weekday());
        from.checked_add_days(Days::new(ahead.into())).filter(|day| day.year() <= YEAR_MAX)
    }

    /// Names of UTC win over an offset, an offset over other names.
    fn offset_seconds(&self) -> Option<i64> {
        let offset = match (self.zone, self.offset_seconds) {
            (Some(zone), _) if is_utc(zone) => 0,
            (_, Some(offset)) => offset,
            (Some(zone), None) => zone_offset_seconds(zone),
            (None, None) => 0,
        };
        (offset.abs() < DAY_SECONDS).then_some(offset)
    }
}

fn date_of(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    let year = i32::try_from(year).ok().filter(|year| (1..=YEAR_MAX).contains(year))?;
    NaiveDate::from_ymd_opt(year, month, day)
}

fn below(field: Option<u32>, bound: u32) -> Option<i64> {
    let field = field.unwrap_or(0);
    (field < bound).then_some(field.into())
}

/// The last year that four digits can write.
const YEAR_MAX: i32 = 9_999;

const DAY_SECONDS: i64 = 24 * 60 * 60;
