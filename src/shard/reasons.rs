//! Why consumers end: the words of the wire contract.

use crate::event::{Cause, Reason, StreamName};

/// The stream was deleted, or POISON was received.
pub(super) const DELETED: Reason =
    Reason::fixed(Cause::Deleted, 1000, "The stream has been deleted");

/// The service stops.
pub(super) const RESTART: Reason = Reason::fixed(Cause::Restart, 1012, "Service restart");

/// Another consumer came, and only one may be.
pub(super) const DISPLACED: Reason =
    Reason::fixed(Cause::Displaced, 1000, "Another consumer of this EventStream has connected");

/// The history can't be read.
pub(super) const UNREADABLE: Reason =
    Reason::fixed(Cause::Unavailable, 1011, "The stream's history cannot be read; try again later");

/// What keeps the events can't be reached.
pub(super) const UNREACHABLE: Reason =
    Reason::fixed(Cause::Unavailable, 1013, "The broker cannot be reached now; try again later");

/// A start was given, but there are only events to come.
pub(super) const NO_HISTORY: Reason = Reason::fixed(
    Cause::Start,
    1002,
    "This backend keeps no history: connect without 'stream_from_' and receive new events",
);

/// Not on the wire: the peer hung up.
pub(super) const GONE: Reason =
    Reason::fixed(Cause::Client, 1006, "connection closed by the client");

/// Not on the wire: the connection broke.
pub(super) const BROKEN: Reason = Reason::fixed(Cause::Broken, 1006, "connection broken");

/// Not on the wire: two pings stayed without an answer.
pub(super) const SILENT: Reason = Reason::fixed(Cause::Silent, 1006, "no answer to two pings");

/// It took no byte for so long.
pub(super) fn stalled(seconds: f64) -> Reason {
    Reason::new(
        Cause::Stalled,
        1013,
        format!("Nothing was read for {seconds} s; reconnect and resume"),
    )
}

/// No such event stream.
pub(super) fn unknown(uuid: &str) -> Reason {
    Reason::new(Cause::Unknown, 1000, format!("Connect for unknown EventStream {uuid}"))
}

/// The event stream's events can't be had now.
pub(super) fn not_found(uuid: &str) -> Reason {
    Reason::new(Cause::Unavailable, 1013, format!("EventStream {uuid} cannot be found"))
}

/// For the log, when a stream can't be opened.
pub(super) fn unavailable(name: &StreamName) -> String {
    format!("the log of routing key {name:?} can't be opened; its consumers are told 1013")
}
