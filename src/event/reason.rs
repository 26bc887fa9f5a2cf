//! Why a consumer ended.

use std::borrow::Cow;

/// Why a consumer ended: what a door tells it (WebSocket: the close frame).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    /// WebSocket close code (RFC 6455 §7.4).
    pub code: u16,
    /// One line for a person.
    pub text: Cow<'static, str>,
}

impl Reason {
    /// A reason with a fixed text.
    #[must_use]
    pub const fn fixed(code: u16, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    /// A reason whose text names something.
    #[must_use]
    pub const fn new(code: u16, text: String) -> Self {
        Self { code, text: Cow::Owned(text) }
    }

    /// Whether coming back later can help: the codes of RFC 6455's registry that say so.
    #[must_use]
    pub const fn may_return(&self) -> bool {
        matches!(self.code, 1001 | 1006 | 1011 | 1012 | 1013)
    }
}
