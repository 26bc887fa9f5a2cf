//! What is known of a stream at a glance: without asking a disk or a broker.

use crate::event::{Ordinal, Timestamp};

/// What is known of a stream. `None`: whoever keeps it would have to be asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Glance {
    /// Oldest retained ordinal.
    pub floor: Option<Ordinal>,
    /// Size in the store, in bytes.
    pub bytes: Option<u64>,
    /// Timestamp of the newest event; also `None` when there was none.
    pub newest: Option<Timestamp>,
}

/// How fast events come, on average over the last minute or two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Events a second.
    pub events: f64,
    /// Bytes of their frames a second.
    pub bytes: f64,
}
