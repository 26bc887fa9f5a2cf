//! What can be wrong with a chunk, and with an entry of one.

use std::fmt;

use super::{Compression, Head};
use crate::limits::{CHUNK_INFLATED_BYTES_MAX, ORDINAL_MAX, SUB_BATCH_BYTES_MAX};

/// Why bytes are no chunk. Nothing in them can be trusted, their offsets included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Fewer bytes than a head has.
    HeadCut {
        /// How many there are.
        have: usize,
    },
    /// Not a chunk, or one of a version that isn't known here.
    Magic(u8),
    /// A kind of chunk that isn't known here.
    Kind(u8),
    /// Offsets that go beyond [`ORDINAL_MAX`].
    Offsets {
        /// The chunk's first offset.
        first: u64,
        /// How many records it has.
        records: u32,
    },
    /// Another length than the head says.
    Length {
        /// Bytes behind the head.
        have: usize,
        /// Bytes of data that the head announces.
        data: u32,
    },
    /// The data is not what the broker stored.
    Checksum {
        /// CRC-32 in the head.
        stated: u32,
        /// CRC-32 of the data.
        computed: u32,
    },
}

/// Why records of a chunk can't be read. The offsets are right, and so are the other records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryFault {
    /// An entry is longer than what is left of the chunk: where the next begins is unknown.
    EntryCut,
    /// The chunk ends before all the records that its head counts.
    RecordsMissing,
    /// A compression that isn't known here.
    CompressionUnknown(u8),
    /// A batch that says it is larger than [`SUB_BATCH_BYTES_MAX`].
    BatchTooLarge {
        /// Its size when inflated, in bytes.
        stated: u32,
    },
    /// The batches of this chunk come to more than [`CHUNK_INFLATED_BYTES_MAX`] together.
    ChunkTooLarge,
    /// A batch that its compression can't read.
    Inflate(Compression),
    /// A batch that isn't as long as it says.
    BatchLength {
        /// Its size when inflated, in bytes.
        stated: u32,
    },
    /// A record is longer than what is left of its batch.
    RecordCut,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadCut { have } => {
                write!(out, "chunk cut after {have} bytes: expected a head of {}", Head::BYTES)
            }
            Self::Magic(byte) => {
                write!(out, "no chunk: it begins with {byte:#04x}, expected {:#04x}", Head::MAGIC)
            }
            Self::Kind(kind) => write!(out, "chunk of unknown type {kind}: expected 0, 1 or 2"),
            Self::Offsets { first, records } => write!(
                out,
                "chunk of {records} records from offset {first}: expected none beyond \
                 {ORDINAL_MAX}"
            ),
            Self::Length { have, data } => {
                write!(out, "chunk of {have} bytes behind its head, which announces {data}")
            }
            Self::Checksum { stated, computed } => write!(
                out,
                "chunk damaged: its checksum is {computed:#010x}, the head says {stated:#010x}"
            ),
        }
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for EntryFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryCut => out.write_str("entry longer than the rest of its chunk"),
            Self::RecordsMissing => out.write_str("chunk with fewer records than it counts"),
            Self::CompressionUnknown(code) => write!(
                out,
                "batch of unknown compression {code}: expected none, gzip, snappy, lz4 or zstd"
            ),
            Self::BatchTooLarge { stated } => write!(
                out,
                "batch of {stated} bytes when inflated: at most {SUB_BATCH_BYTES_MAX} are taken"
            ),
            Self::ChunkTooLarge => write!(
                out,
                "batches of one chunk too large when inflated: at most {CHUNK_INFLATED_BYTES_MAX} \
                 bytes are taken"
            ),
            Self::Inflate(compression) => write!(out, "batch is not {compression}, as it says"),
            Self::BatchLength { stated } => {
                write!(out, "batch isn't {stated} bytes long when inflated, as it says")
            }
            Self::RecordCut => out.write_str("record longer than the rest of its batch"),
        }
    }
}

impl std::error::Error for EntryFault {}
