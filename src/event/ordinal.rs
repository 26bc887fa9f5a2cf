//! The position of an event in its stream.
//!
//! Ordinals are dense: a store gives each next event one more and never reuses one, so a gap seen
//! by a consumer means loss (or an event that can't be delivered) and nothing else. The embedded
//! log counts from 1, RabbitMQ from 0; nothing outside a store depends on which.

use std::fmt;

use crate::limits::ORDINAL_MAX;

/// The position of an event in its stream.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ordinal(u64);

impl Ordinal {
    /// The ordinal `position`.
    ///
    /// # Panics
    ///
    /// Beyond [`ORDINAL_MAX`]: check what a stranger sent with [`Ordinal::checked`] first.
    #[must_use]
    pub const fn new(position: u64) -> Self {
        assert!(position <= ORDINAL_MAX, "an ordinal fits 63 bits");
        Self(position)
    }

    /// The ordinal `position`, or `None` beyond [`ORDINAL_MAX`].
    #[must_use]
    pub const fn checked(position: u64) -> Option<Self> {
        if position <= ORDINAL_MAX { Some(Self(position)) } else { None }
    }

    /// The ordinal right after this one.
    ///
    /// # Panics
    ///
    /// When the stream is full: at a million events a second that takes 292 000 years, so reaching
    /// it means a corrupt ordinal was let in.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The ordinal `count` after this one.
    ///
    /// # Panics
    ///
    /// Beyond [`ORDINAL_MAX`], as [`Ordinal::next`].
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self::new(self.0 + count)
    }

    /// How many ordinals lie from `earlier` (included) to this one (excluded); 0 when `earlier` is
    /// not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Ordinal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_number_is_checked() {
        assert_eq!(Ordinal::checked(ORDINAL_MAX), Some(Ordinal::new(ORDINAL_MAX)));
        assert_eq!(Ordinal::checked(ORDINAL_MAX + 1), None);
    }

    #[test]
    fn distances_never_go_below_zero() {
        assert_eq!(Ordinal::new(5).since(Ordinal::new(2)), 3);
        assert_eq!(Ordinal::new(2).since(Ordinal::new(5)), 0);
        assert_eq!(Ordinal::new(2).plus(3), Ordinal::new(4).next());
    }

    #[test]
    #[should_panic(expected = "63 bits")]
    fn a_full_stream_is_a_bug() {
        let _ = Ordinal::new(ORDINAL_MAX).next();
    }
}
