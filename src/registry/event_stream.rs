//! A public address of a stream.

use crate::event::StreamName;

/// A public address registered for a stream. Several may name the same stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventStream {
    /// What the Account Server calls it: at least 1 for those made here, never reused.
    pub id: i64,
    /// The last part of its address: opaque text.
    pub uuid: String,
    /// The stream.
    pub routing_key: StreamName,
}
