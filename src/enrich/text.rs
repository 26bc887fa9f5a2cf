//! Plain text: what goes behind it.
//!
//! ```text
//! <body>|ordinal: <N>|timestamp: <ms>
//! ```
//!
//! A body that itself ends in such a trailer gets another: the last one is ours.

use super::decimal::{decimal_len, write_decimal};
use crate::event::{Ordinal, Timestamp};

/// Bytes of the trailer.
pub(super) const fn trailer_len(ordinal: Ordinal, timestamp: Timestamp) -> usize {
    ORDINAL.len() + decimal_len(ordinal.get()) + TIMESTAMP.len() + decimal_len(timestamp.millis())
}

/// Writes the trailer behind `out`.
pub(super) fn write_trailer(ordinal: Ordinal, timestamp: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(ORDINAL);
    write_decimal(ordinal.get(), out);
    out.extend_from_slice(TIMESTAMP);
    write_decimal(timestamp.millis(), out);
}

const ORDINAL: &[u8] = b"|ordinal: ";
const TIMESTAMP: &[u8] = b"|timestamp: ";
