//! How an event carries its ordinal and timestamp on the wire.
//!
//! ```text
//! {"a":1}      →  {"ess_ordinal":2,"ess_timestamp":1746042171620,"a":1}
//! hello        →  hello|ordinal: 2|timestamp: 1746042171620
//! POISON       →  nothing; ends consumers
//! ```
//!
//! Pure: [`classify`] looks at a body once, before its ordinal is known; [`Shape::enrich`] then
//! writes the enriched text. The body itself is passed byte for byte: what it is enriched with is
//! all that changes, save members of the same name, which are replaced.
//!
//! A body with white space before its brace does not start with one, and so is text. Nothing here
//! frames, logs or counts.

mod decimal;
mod grammar;
mod json;
mod stamp;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::event::{Ordinal, Timestamp};
use crate::limits::JSON_DEPTH_MAX;

pub use json::Splice;
pub use stamp::Stamp;

/// What a deliverable body is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Any text: `|ordinal: <N>|timestamp: <ms>` goes behind it.
    Text,
    /// A JSON object: `"ess_ordinal":<N>,"ess_timestamp":<ms>` goes in front of its members.
    Json(Splice),
    /// Text that is passed as it is ([`classify_unchanged`]).
    Unchanged,
    /// Exactly `POISON`: ends consumers, is never sent.
    Poison,
}

/// Why an event can't be delivered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Undeliverable {
    /// It has no byte.
    Empty,
    /// It is not UTF-8; the first bad byte.
    NotUtf8 {
        /// Bytes before the bad one.
        position: usize,
    },
    /// It starts with `{` but is no JSON object (RFC 8259).
    BadJson {
        /// Bytes before the fault.
        position: usize,
        /// What the grammar wants there.
        expected: &'static str,
    },
    /// It nests deeper than [`JSON_DEPTH_MAX`].
    TooDeep {
        /// Bytes before the bracket that is too much.
        position: usize,
    },
}

/// Looks at `body` once and says how it will be enriched.
///
/// # Errors
///
/// When no text frame can be made of it.
pub fn classify(body: &[u8]) -> Result<Shape, Undeliverable> {
    if body == POISON {
        return Ok(Shape::Poison);
    }
    if let Err(fault) = simdutf8::compat::from_utf8(body) {
        return Err(Undeliverable::NotUtf8 { position: fault.valid_up_to() });
    }
    match body.first() {
        None => Err(Undeliverable::Empty),
        Some(b'{') => json::scan(body).map(Shape::Json),
        Some(_) => Ok(Shape::Text),
    }
}

/// As [`classify`], for a stream whose events are sent as they came: whatever is text may be sent.
///
/// # Errors
///
/// When no text frame can be made of it.
pub fn classify_unchanged(body: &[u8]) -> Result<Shape, Undeliverable> {
    match body {
        POISON => Ok(Shape::Poison),
        [] => Err(Undeliverable::Empty),
        body => match simdutf8::compat::from_utf8(body) {
            Ok(_) => Ok(Shape::Unchanged),
            Err(fault) => Err(Undeliverable::NotUtf8 { position: fault.valid_up_to() }),
        },
    }
}

impl Shape {
    /// The exact length of what [`Shape::enrich`] writes, without writing it.
    #[must_use]
    pub fn enriched_len(&self, body: &[u8], ordinal: Ordinal, timestamp: Timestamp) -> usize {
        self.stamped_len(body, &Stamp::new(ordinal, timestamp))
    }

    /// As [`Shape::enriched_len`], for many events one after the other.
    #[must_use]
    pub fn stamped_len(&self, body: &[u8], stamp: &Stamp) -> usize {
        match self {
            Self::Text => body.len() + stamp.trailer().len(),
            Self::Json(splice) => splice.stamped_len(stamp),
            Self::Unchanged => body.len(),
            Self::Poison => 0,
        }
    }

    /// Writes the enriched text of `body` behind `out`; nothing for [`Shape::Poison`].
    ///
    /// # Panics
    ///
    /// When `body` is not as long as the one this shape was made of: a caller mixed them up.
    pub fn enrich(&self, body: &[u8], ordinal: Ordinal, timestamp: Timestamp, out: &mut Vec<u8>) {
        self.stamp(body, &Stamp::new(ordinal, timestamp), out);
    }

    /// As [`Shape::enrich`], for many events one after the other.
    ///
    /// # Panics
    ///
    /// As [`Shape::enrich`].
    pub fn stamp(&self, body: &[u8], stamp: &Stamp, out: &mut Vec<u8>) {
        match self {
            Self::Text => {
                out.extend_from_slice(body);
                out.extend_from_slice(stamp.trailer());
            }
            Self::Json(splice) => splice.write(body, stamp, out),
            Self::Unchanged => out.extend_from_slice(body),
            Self::Poison => {}
        }
    }
}

impl fmt::Display for Undeliverable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("empty"),
            Self::NotUtf8 { position } => write!(out, "not UTF-8 at byte {position}"),
            Self::BadJson { position, expected } => {
                write!(out, "not JSON at byte {position}: expected {expected}")
            }
            Self::TooDeep { position } => {
                write!(out, "nested deeper than {JSON_DEPTH_MAX} at byte {position}")
            }
        }
    }
}

impl std::error::Error for Undeliverable {}

/// The body that ends a stream's consumers.
const POISON: &[u8] = b"POISON";
