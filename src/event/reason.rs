//! Why a consumer ended.

use std::borrow::Cow;

/// Why a consumer ended: what a door tells it (WebSocket: the close frame).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    /// What kind of reason it is.
    pub cause: Cause,
    /// WebSocket close code (RFC 6455 §7.4).
    pub code: u16,
    /// One line for a person.
    pub text: Cow<'static, str>,
}

/// Kinds of reasons, few enough to be counted one by one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cause {
    /// The client closed, or hung up.
    Client,
    /// The stream was deleted, or POISON came.
    Deleted,
    /// Another consumer came, and only one may be.
    Displaced,
    /// The connection broke.
    Broken,
    /// The client broke the protocol.
    Protocol,
    /// The service stops.
    Restart,
    /// Pings stayed without an answer.
    Silent,
    /// Nothing was read for too long.
    Stalled,
    /// The start can't be understood, or this backend has none.
    Start,
    /// No such event stream.
    Unknown,
    /// The events can't be had now.
    Unavailable,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Client,
        Self::Deleted,
        Self::Displaced,
        Self::Broken,
        Self::Protocol,
        Self::Restart,
        Self::Silent,
        Self::Stalled,
        Self::Start,
        Self::Unknown,
        Self::Unavailable,
    ];

    /// The word that it is counted under.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Deleted => "deleted",
            Self::Displaced => "displaced",
            Self::Broken => "broken",
            Self::Protocol => "protocol",
            Self::Restart => "restart",
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::Start => "start",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Reason {
    /// A reason with a fixed text.
    #[must_use]
    pub const fn fixed(cause: Cause, code: u16, text: &'static str) -> Self {
        Self { cause, code, text: Cow::Borrowed(text) }
    }

    /// A reason whose text names something.
    #[must_use]
    pub const fn new(cause: Cause, code: u16, text: String) -> Self {
        Self { cause, code, text: Cow::Owned(text) }
    }
}

/// Whether coming back later can help after a close with `code`: the codes of RFC 6455's registry
/// that say so.
#[must_use]
pub const fn may_return(code: u16) -> bool {
    matches!(code, 1001 | 1006 | 1011 | 1012 | 1013)
}
