//! Where a consumer stands.

use super::Ordinal;

/// The next ordinal a consumer is owed, and how many bytes of that event's frame it already has.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cursor {
    /// The next ordinal owed.
    pub ordinal: Ordinal,
    /// Bytes of that event's frame already on the socket; 0 between two frames.
    pub sent: u64,
}

impl Cursor {
    /// Right before the event `ordinal`.
    #[must_use]
    pub const fn before(ordinal: Ordinal) -> Self {
        Self { ordinal, sent: 0 }
    }

    /// Between two frames, so that another frame may be put in here.
    #[must_use]
    pub const fn at_boundary(self) -> bool {
        self.sent == 0
    }
}
