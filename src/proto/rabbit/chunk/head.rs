//! The first 48 bytes of a chunk.
//!
//! ```text
//!  0 magic 5:4, version 0:4 | 1 type u8 | 2 entries u16 | 4 records u32 | 8 timestamp i64
//! 16 epoch u64 | 24 first offset u64 | 32 crc u32 | 36 data bytes u32 | 40 trailer bytes u32
//! 44 size of a filter u8 | 45 reserved
//! ```
//!
//! The filter is never delivered, whatever its size says.

use super::Fault;
use crate::limits::ORDINAL_MAX;

/// What the head of a chunk says. It can be read before the chunk has arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// What the chunk holds.
    pub kind: Kind,
    /// Entries in its data: messages, and batches of messages.
    pub entries: u16,
    /// Records in all its entries: how many offsets it takes.
    pub records: u32,
    /// When the broker wrote it: milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// How often the stream had changed its leader.
    pub epoch: u64,
    /// The offset of its first record.
    pub first_offset: u64,
    /// CRC-32 (zlib's) of its data.
    pub crc: u32,
    /// Length of its data, in bytes.
    pub data_bytes: u32,
    /// Length of its trailer in the broker's file, in bytes. A broker doesn't deliver it.
    pub trailer_bytes: u32,
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Messages.
    User,
    /// A change of what the broker remembers about producers and consumers; it takes an offset.
    TrackingDelta,
    /// All the broker remembers about producers and consumers; it takes an offset.
    TrackingSnapshot,
}

impl Head {
    /// Its length.
    pub const BYTES: usize = 48;

    /// The first byte: magic 5, version 0.
    pub(super) const MAGIC: u8 = 0x50;

    /// Reads a head from the front of `bytes`; what is behind it may still be missing.
    ///
    /// # Errors
    ///
    /// When it is cut or is no head.
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields { rest: bytes, have: bytes.len() };
        let [magic, kind] = fields.take()?;
        if magic != Self::MAGIC {
            return Err(Fault::Magic(magic));
        }
        let kind = match kind {
            0 => Kind::User,
            1 => Kind::TrackingDelta,
            2 => Kind::TrackingSnapshot,
            other => return Err(Fault::Kind(other)),
        };
        let head = Self {
            kind,
            entries: u16::from_be_bytes(fields.take()?),
            records: u32::from_be_bytes(fields.take()?),
            timestamp_ms: i64::from_be_bytes(fields.take()?),
            epoch: u64::from_be_bytes(fields.take()?),
            first_offset: u64::from_be_bytes(fields.take()?),
            crc: u32::from_be_bytes(fields.take()?),
            data_bytes: u32::from_be_bytes(fields.take()?),
            trailer_bytes: u32::from_be_bytes(fields.take()?),
        };
        let _filter_and_reserved: [u8; 4] = fields.take()?;
        let (first, records) = (head.first_offset, head.records);
        if first.checked_add(u64::from(records)).is_none_or(|next| next > ORDINAL_MAX) {
            return Err(Fault::Offsets { first, records });
        }
        Ok(head)
    }

    /// The offset behind its last record: where the next chunk begins.
    #[must_use]
    pub const fn next_offset(&self) -> u64 {
        self.first_offset + self.records as u64
    }
}

/// The fields of a head that are still to be read.
struct Fields<'a> {
    rest: &'a [u8],
    have: usize,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (field, rest) =
            self.rest.split_first_chunk().ok_or(Fault::HeadCut { have: self.have })?;
        self.rest = rest;
        Ok(*field)
    }
}
