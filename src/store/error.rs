//! What can go wrong in a store: the world's faults, each with what it means for the caller.

use std::fmt;
use std::sync::Arc;

/// Why nothing was appended.
#[derive(Clone, Debug)]
pub enum AppendError {
    /// The disk is full: nothing was stored, and a later append may succeed.
    NoSpace,
    /// The write failed before anything could count as stored; a later append may succeed.
    Failed(Arc<str>),
    /// The log can't be trusted any more (a sync failed): whether these events will be found after
    /// a restart can't be known. Every later append answers the same.
    Poisoned(Arc<str>),
    /// These events were stored before, under the same key.
    Duplicate,
    /// An event is larger than the store can take.
    TooLarge {
        /// The event's size, in bytes.
        bytes: usize,
        /// What may be sent at most, in bytes, and whose limit that is.
        limit: Arc<str>,
    },
    /// What keeps the events can't be reached; nothing was stored, and a later append may succeed.
    Unreachable(Arc<str>),
    /// The connection was lost before the answer came: whether they are stored can't be known.
    Unknown(Arc<str>),
    /// Nothing is bound to the exchange for this routing key; nothing was stored.
    Unroutable {
        /// The exchange.
        exchange: Arc<str>,
        /// The stream's name.
        routing_key: Arc<str>,
    },
    /// The store can't do what was asked: what, and what to do instead.
    Unsupported(Arc<str>),
    /// There is no such stream where events are kept.
    Missing,
    /// The stream is closed or gone.
    Closed,
}

/// Why nothing could be read.
#[derive(Clone, Debug)]
pub enum ReadError {
    /// The cursor stands inside a frame that retention removed: the rest can't be had any more.
    Lost,
    /// The events at this place are damaged: which ones, and where.
    Damaged(Arc<str>),
    /// The store failed: operation and place.
    Failed(Arc<str>),
    /// What keeps the events can't be reached now.
    Unreachable(Arc<str>),
    /// There is no such stream where events are kept.
    Missing,
    /// The stream is closed or gone.
    Closed,
}

/// Why a stream could not be opened, trimmed, closed or removed: operation, place and cause.
#[derive(Clone, Debug)]
pub struct StoreError(pub Arc<str>);

impl fmt::Display for AppendError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSpace => out.write_str("no space left on the data directory's disk"),
            Self::Failed(what) => write!(out, "not stored: {what}"),
            Self::Poisoned(what) => write!(out, "the stream's log failed: {what}"),
            Self::Duplicate => out.write_str("stored before, under the same key"),
            Self::TooLarge { bytes, limit } => {
                write!(out, "an event of {bytes} bytes is larger than {limit}")
            }
            Self::Unreachable(what) => write!(out, "not stored: {what}"),
            Self::Unknown(what) => write!(out, "it can't be known whether it is stored: {what}"),
            Self::Unroutable { exchange, routing_key } => write!(
                out,
                "not stored: no queue or stream is bound to exchange {exchange:?} with routing \
                 key {routing_key:?}"
            ),
            Self::Unsupported(what) => out.write_str(what),
            Self::Missing => out.write_str("there is no such stream"),
            Self::Closed => out.write_str("the stream is closed"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => out.write_str("the event being sent is no longer retained"),
            Self::Damaged(what) => write!(out, "damaged: {what}"),
            Self::Failed(what) | Self::Unreachable(what) => write!(out, "not read: {what}"),
            Self::Missing => out.write_str("there is no such stream"),
            Self::Closed => out.write_str("the stream is closed"),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Says of what was in vain at one place, and `why`, where else it was.
pub(super) fn nor_at(why: &mut Arc<str>, others: &[String]) {
    if !others.is_empty() {
        *why = format!("{why}; nor at {}", others.join(", ")).into();
    }
}

impl std::error::Error for AppendError {}
impl std::error::Error for ReadError {}
impl std::error::Error for StoreError {}
