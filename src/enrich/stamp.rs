//! An ordinal and a timestamp, as events carry them.
//!
//! ```text
//! <body>|ordinal: <N>|timestamp: <ms>
//!       └──────────── kept written ───┘
//! ```
//!
//! Events that follow each other share a timestamp, and their ordinals count up: so the text that
//! goes behind a body is kept, and only its last digits change. A JSON object gets the same digits.
//! A body that itself ends in such a trailer gets another: the last one is ours.

use super::decimal::{DIGITS_MAX, write_decimal};
use crate::event::{Ordinal, Timestamp};

/// An ordinal and a timestamp, ready to be written.
#[derive(Clone, Debug)]
pub struct Stamp {
    ordinal: Ordinal,
    timestamp: Timestamp,
    trailer: [u8; TRAILER_BYTES_MAX],
    /// Where the ordinal's digits end, and the trailer.
    ordinal_end: usize,
    end: usize,
}

impl Stamp {
    /// Of this event.
    #[must_use]
    pub fn new(ordinal: Ordinal, timestamp: Timestamp) -> Self {
        let mut trailer = [0; TRAILER_BYTES_MAX];
        let mut end = 0;
        put(&mut trailer, &mut end, ORDINAL);
        let digits = &mut [0; DIGITS_MAX];
        put(&mut trailer, &mut end, write_decimal(ordinal.get(), digits));
        let ordinal_end = end;
        put(&mut trailer, &mut end, TIMESTAMP);
        put(&mut trailer, &mut end, write_decimal(timestamp.millis(), digits));
        Self { ordinal, timestamp, trailer, ordinal_end, end }
    }

    /// Of the event `ordinal` with the same timestamp.
    pub fn move_to(&mut self, ordinal: Ordinal) {
        match ordinal.get().wrapping_sub(self.ordinal.get()) {
            0 => {}
            1 => self.step(ordinal),
            _ => *self = Self::new(ordinal, self.timestamp),
        }
    }

    fn step(&mut self, ordinal: Ordinal) {
        self.ordinal = ordinal;
        let digits = self.trailer.get_mut(ORDINAL.len()..self.ordinal_end).unwrap_or_default();
        for digit in digits.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        // It has one digit more.
        *self = Self::new(ordinal, self.timestamp);
    }

    /// What goes behind a text.
    pub(super) fn trailer(&self) -> &[u8] {
        self.trailer.get(..self.end).unwrap_or_default()
    }

    /// The ordinal in decimal.
    pub(super) fn ordinal(&self) -> &[u8] {
        self.trailer.get(ORDINAL.len()..self.ordinal_end).unwrap_or_default()
    }

    /// The timestamp in decimal.
    pub(super) fn timestamp(&self) -> &[u8] {
        self.trailer.get(self.ordinal_end + TIMESTAMP.len()..self.end).unwrap_or_default()
    }
}

fn put(trailer: &mut [u8], end: &mut usize, text: &[u8]) {
    let behind = *end + text.len();
    if let Some(place) = trailer.get_mut(*end..behind) {
        place.copy_from_slice(text);
    }
    *end = behind;
}

const ORDINAL: &[u8] = b"|ordinal: ";
const TIMESTAMP: &[u8] = b"|timestamp: ";
const TRAILER_BYTES_MAX: usize = ORDINAL.len() + TIMESTAMP.len() + 2 * DIGITS_MAX;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::ORDINAL_MAX;

    #[track_caller]
    fn check(stamp: &Stamp, ordinal: u64, timestamp: u64) {
        let trailer = format!("|ordinal: {ordinal}|timestamp: {timestamp}");
        assert_eq!(stamp.trailer(), trailer.as_bytes());
        assert_eq!(stamp.ordinal(), ordinal.to_string().as_bytes());
        assert_eq!(stamp.timestamp(), timestamp.to_string().as_bytes());
    }

    #[test]
    fn the_longest_fits() {
        let stamp = Stamp::new(Ordinal::new(ORDINAL_MAX), Timestamp::from_millis(u64::MAX));
        check(&stamp, ORDINAL_MAX, u64::MAX);
    }

    proptest! {
        #[test]
        fn a_stamp_that_is_moved_is_one_that_was_made(
            first in 0_u64..2_000, steps in prop::collection::vec(0_u64..3, 0..200), millis: u64,
        ) {
            let mut stamp = Stamp::new(Ordinal::new(first), Timestamp::from_millis(millis));
            let mut ordinal = first;
            for step in steps {
                ordinal += step;
                stamp.move_to(Ordinal::new(ordinal));
                check(&stamp, ordinal, millis);
            }
            stamp.move_to(Ordinal::new(first));
            check(&stamp, first, millis);
        }
    }
}
