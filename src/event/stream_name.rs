//! The name of a stream: a routing key.

use std::fmt;
use std::sync::Arc;

use crate::limits::STREAM_NAME_BYTES_MAX;

/// A stream's name, 1–255 bytes of any text. Cheap to clone, also to another thread.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamName(Arc<str>);

/// Why a text names no stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamNameError {
    /// It has no character.
    Empty,
    /// It has more than 255 bytes.
    TooLong,
}

impl StreamName {
    /// The stream named `name`.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than [`STREAM_NAME_BYTES_MAX`].
    pub fn new(name: &str) -> Result<Self, StreamNameError> {
        match name.len() {
            0 => Err(StreamNameError::Empty),
            1..=STREAM_NAME_BYTES_MAX => Ok(Self(name.into())),
            _ => Err(StreamNameError::TooLong),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Quoted and escaped, as a log line wants it.
impl fmt::Debug for StreamName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for StreamNameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Empty => "a routing key must have at least 1 byte",
            Self::TooLong => "a routing key must have at most 255 bytes",
        })
    }
}

impl std::error::Error for StreamNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_both_limits() {
        assert_eq!(StreamName::new(""), Err(StreamNameError::Empty));
        assert!(StreamName::new("a").is_ok());
        assert!(StreamName::new(&"é".repeat(127)).is_ok());
        assert!(StreamName::new(&"a".repeat(255)).is_ok());
        assert_eq!(StreamName::new(&"a".repeat(256)), Err(StreamNameError::TooLong));
    }
}
