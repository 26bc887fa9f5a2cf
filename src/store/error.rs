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
            Self::Closed => out.write_str("the stream is closed"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => out.write_str("the event being sent is no longer retained"),
            Self::Damaged(what) => write!(out, "damaged: {what}"),
            Self::Failed(what) => write!(out, "not read: {what}"),
            Self::Closed => out.write_str("the stream is closed"),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for AppendError {}
impl std::error::Error for ReadError {}
impl std::error::Error for StoreError {}
