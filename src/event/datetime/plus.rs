//! A `+` that arrived as a space.
//!
//! In a query `+` means a space, so a client that does not escape the `+` of an offset sends us
//! `2025-04-30T19:20:37 01:00`. The last space of a text is read as `+` when a time of day stands
//! before it, and right behind it, at the end, what no one would write there without one:
//!
//! - `01:00`: a second time of day would only replace the first;
//! - `0100` up to 14:59, the largest there is being +14:00: else a year before 1970;
//! - `01`, when the text begins with its year: else one number too many.
//!
//! So `Thu Sep 25 10:36:28 2003` keeps its year, and `Sep 10:36:28 25` its day.

use super::numbers::{Number, whole};
use super::tokens::SPACE;
use super::words::{half, unit};

/// Puts the `+` back in place of its space.
pub(super) fn restore(tokens: &mut [&str]) {
    let offset_tokens = match *tokens {
        [.., hours, ":", minutes] if is_offset(hours, minutes) => 3,
        [.., digits] if is_short_offset(digits, tokens) => 1,
        _ => return,
    };
    let Some(place) = tokens.len().checked_sub(offset_tokens + 1) else { return };
    if let Some((before, [space, ..])) = tokens.split_at_mut_checked(place)
        && *space == SPACE
        && ends_in_time(before)
    {
        *space = "+";
    }
}

fn is_short_offset(digits: &str, tokens: &[&str]) -> bool {
    match digits.split_at_checked(2) {
        Some((_, "")) => is_offset(digits, "00") && begins_with_year(tokens),
        Some((hours, minutes)) => is_offset(hours, minutes),
        None => false,
    }
}

fn is_offset(hours: &str, minutes: &str) -> bool {
    let two_digits = |text: &str| if text.len() == 2 { whole(text) } else { None };
    two_digits(hours).is_some_and(|hours| hours <= OFFSET_HOURS_MAX)
        && two_digits(minutes).is_some_and(|minutes| minutes < 60)
}

fn ends_in_time(tokens: &[&str]) -> bool {
    match *tokens {
        // ` +0100` came as two spaces.
        [ref before @ .., SPACE] => ends_in_time_itself(before),
        _ => ends_in_time_itself(tokens),
    }
}

fn ends_in_time_itself(tokens: &[&str]) -> bool {
    match *tokens {
        // There is an offset already.
        [.., "+" | "-", _, ":", _] => false,
        [.., ":" | "T" | "t", number] => Number::of(number).is_some(),
        [.., word] if half(word).is_some() || unit(word).is_some() => true,
        // `20250430192037`, `202504301920`
        [.., number] => matches!(number.len(), 12 | 14) && whole(number).is_some(),
        [] => false,
    }
}

fn begins_with_year(tokens: &[&str]) -> bool {
    match *tokens {
        [year, "-", ..] => year.len() == 4 && whole(year).is_some(),
        [date, ..] => matches!(date.len(), 8 | 12 | 14) && whole(date).is_some(),
        [] => false,
    }
}

/// Kiribati's +14:00 is the largest in use.
const OFFSET_HOURS_MAX: u32 = 14;
