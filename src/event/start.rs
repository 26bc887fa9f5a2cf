//! Where a consumer asks to begin.

use super::{Ordinal, Timestamp};

/// Where a consumer begins; resolved once into a [`super::Cursor`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// The first event that becomes visible from now on.
    Next,
    /// The first retained event.
    First,
    /// The first retained event with a greater ordinal.
    After(Ordinal),
    /// The first retained event with this timestamp or a later one.
    At(Timestamp),
}
