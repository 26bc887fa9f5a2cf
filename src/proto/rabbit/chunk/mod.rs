//! An osiris chunk, as it lies in a Deliver frame: checked, then walked record by record.
//!
//! ```text
//! | head (48 bytes) | data: entries, back to back      | trailer, seldom sent |
//!                     | 0 length:31 | message |          one record
//!                     | 1 compression:3 0:4 | records u16 | inflated bytes u32 | bytes u32 | … |
//!                                                        a sub-entry batch of records
//! ```
//!
//! Integers are big-endian. A record's offset is the chunk's first plus the record's index,
//! whatever became of the records before it, so one that can't be read costs no neighbour:
//! [`Chunk::walk`] tells each offset of the chunk exactly once, as a message or as malformed.
//!
//! Sources: osiris 1.3.1 and 1.9.0, `osiris_log.erl` (log format, `send_file`); RabbitMQ stream
//! protocol, Deliver. The broker delivers user chunks only and leaves their trailer out, although
//! the head counts it. A tracking chunk takes offsets and has no message: offsets of a stream may
//! have gaps.
//!
//! Not here: what a message is ([`crate::proto::amqp10`]), the frame around the chunk, filters.

mod fault;
mod head;
mod inflate;
mod lz4;
mod walk;

#[cfg(test)]
mod build;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use fault::{EntryFault, Fault};
pub use head::{Head, Kind};
pub use inflate::{Compression, Scratch};

/// A whole chunk whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// What its head says.
    pub head: Head,
    data: &'a [u8],
}

/// What [`Chunk::walk`] finds at an offset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found<'a> {
    /// A record.
    Message {
        /// Its offset in the stream.
        offset: u64,
        /// Its bytes: an AMQP 1.0 message, if its publisher keeps to the protocol.
        message: &'a [u8],
    },
    /// Records that can't be read.
    Malformed {
        /// The first one's offset.
        offset: u64,
        /// How many; at least one.
        count: u32,
        /// Why.
        fault: EntryFault,
    },
}

impl<'a> Chunk<'a> {
    /// Takes exactly one chunk, with or without its trailer, and checks its lengths and checksum.
    ///
    /// # Errors
    ///
    /// When `bytes` is no chunk, or not one whole chunk, or one damaged on its way.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let head = Head::read(bytes)?;
        let behind = bytes.get(Head::BYTES..).unwrap_or_default();
        let parts = usize::try_from(head.data_bytes).ok();
        let data = match parts.and_then(|data| behind.split_at_checked(data)) {
            Some((data, [])) => data,
            Some((data, trailer)) if trailer.len() as u64 == u64::from(head.trailer_bytes) => data,
            _ => return Err(Fault::Length { have: behind.len(), data: head.data_bytes }),
        };
        let computed = crc32fast::hash(data);
        if computed != head.crc {
            return Err(Fault::Checksum { stated: head.crc, computed });
        }
        Ok(Self { head, data })
    }

    /// Shows every record, in order. A tracking chunk has none.
    ///
    /// A message lives as long as the call that shows it: it may lie in `scratch`.
    pub fn walk(&self, scratch: &mut Scratch, visit: &mut impl FnMut(Found<'_>)) {
        self.walk_from(self.head.first_offset, scratch, visit);
    }

    /// As [`Chunk::walk`], but only what is at `from` and behind it. Batches in front of it are
    /// not inflated.
    pub fn walk_from(&self, from: u64, scratch: &mut Scratch, visit: &mut impl FnMut(Found<'_>)) {
        if self.head.kind == Kind::User {
            walk::walk(&self.head, self.data, from, scratch, visit);
        }
    }
}
