//! Points in time as people write them, read as python-dateutil's `parse` reads them.
//!
//! ```text
//! 2025-04-30T19:20:37.5+01:00   20250430T192037Z   30.04.2025   Apr 30   Thu Sep 25 10:36:28 2003
//! 25 Sep 2003 10:49:41 -0300    13:33+02:00        7pm          10h36m28.5s          Wednesday
//! ```
//!
//! - What is not said is today's, at midnight UTC. A day that the month lacks becomes its last one
//!   when it was not said, and is refused when it was.
//! - Month first where both are possible (`04/05/2025` is April 5); two digits of a year mean the
//!   nearest such year.
//! - Offsets are honoured, and so are the zones of RFC 2822 §4.3 (`EST` … `PDT`). Any other word of
//!   up to five capitals means UTC. `GMT+3` is dateutil's (and POSIX's) "three hours *behind* GMT".
//! - A `+` that a query's decoding made a space is read as `+` (rule in `plus.rs`).
//! - Milliseconds; finer digits are cut. Before 1970 is [`Timestamp::EPOCH`].
//!
//! The behaviour is dateutil's to the letter, oddities included, checked against a table that the
//! real one made (`tests/data/datetimes.tsv`). Only ASCII digits are digits here. Nothing here
//! knows words like "yesterday", and no name of a zone that is not in that RFC.

mod date;
mod fields;
mod numbers;
mod plus;
mod reader;
mod tokens;
mod words;

use std::fmt;

use chrono::{DateTime, Utc};

use super::Timestamp;
use crate::limits::DATETIME_BYTES_MAX;

/// Why a text names no point in time. All are the asker's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatetimeError {
    /// It has more than [`DATETIME_BYTES_MAX`] bytes.
    TooLong,
    /// It can't be read as a date or a time.
    Unreadable,
    /// It says neither a date nor a time.
    Empty,
    /// It names a point that does not exist, such as April 31, or one outside the years 1–9999.
    Impossible,
}

/// Reads `text`, taking what it does not say from `now`'s day.
///
/// # Errors
///
/// When it names no point in time.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, DatetimeError> {
    if text.len() > DATETIME_BYTES_MAX {
        return Err(DatetimeError::TooLong);
    }
    let today = day_of(now);
    let cleaned;
    let text = if text.contains('\0') {
        cleaned = text.replace('\0', "");
        &cleaned
    } else {
        text
    };
    let mut tokens = tokens::split(text);
    plus::restore(&mut tokens);
    let fields = reader::read(tokens, today).ok_or(DatetimeError::Unreadable)?;
    if fields == fields::Fields::default() {
        return Err(DatetimeError::Empty);
    }
    let millis = fields.resolve(today).ok_or(DatetimeError::Impossible)?;
    Ok(u64::try_from(millis).map_or(Timestamp::EPOCH, Timestamp::from_millis))
}

fn day_of(now: Timestamp) -> chrono::NaiveDate {
    let millis = i64::try_from(now.millis()).unwrap_or(i64::MAX).min(LATEST_MS);
    DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default().date_naive()
}

/// The last millisecond of the year 9999, the last that a date can name.
const LATEST_MS: i64 = 253_402_300_799_999;

impl fmt::Display for DatetimeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(out, "longer than {DATETIME_BYTES_MAX} bytes"),
            Self::Unreadable => out.write_str("no date or time, such as 2025-04-30T19:20:37Z"),
            Self::Empty => out.write_str("says neither a date nor a time"),
            Self::Impossible => out.write_str("no such date or time"),
        }
    }
}

impl std::error::Error for DatetimeError {}
