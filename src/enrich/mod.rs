//! How an event carries its ordinal and timestamp on the wire.
//!
//! Pure: [`classify`] looks at a body once, before its ordinal is known; [`Shape::enrich`] then
//! writes the enriched text. The body itself is passed byte for byte.

use crate::event::{Ordinal, Timestamp};

/// What a deliverable body is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Any text: `|ordinal: <N>|timestamp: <ms>` goes behind it.
    Text,
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
    /// It starts with `{` but is no JSON object.
    BadJson {
        /// Bytes before the fault.
        position: usize,
        /// What the grammar wants there.
        expected: &'static str,
    },
    /// It nests deeper than [`crate::limits::JSON_DEPTH_MAX`].
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
    if body.is_empty() {
        return Err(Undeliverable::Empty);
    }
    if body == b"POISON" {
        return Ok(Shape::Poison);
    }
    match simdutf8::compat::from_utf8(body) {
        Ok(_) => Ok(Shape::Text),
        Err(fault) => Err(Undeliverable::NotUtf8 { position: fault.valid_up_to() }),
    }
}

impl Shape {
    /// The exact length of what [`Shape::enrich`] writes.
    #[must_use]
    pub fn enriched_len(&self, body: &[u8], ordinal: Ordinal, timestamp: Timestamp) -> usize {
        let mut out = Vec::new();
        self.enrich(body, ordinal, timestamp, &mut out);
        out.len()
    }

    /// Writes the enriched text of `body` behind `out`.
    pub fn enrich(&self, body: &[u8], ordinal: Ordinal, timestamp: Timestamp, out: &mut Vec<u8>) {
        out.extend_from_slice(body);
        out.extend_from_slice(format!("|ordinal: {ordinal}|timestamp: {timestamp}").as_bytes());
    }
}
