//! The headers of segments and blocks, byte for byte as FORMAT.md pictures them.
//!
//! Decoding takes any bytes and answers `None` or a fault where they are not what was written; it
//! never panics and allocates nothing by a length it has not checked.

use crate::checksum::{crc32c, crc32c_append};

use crate::event::{Ordinal, Timestamp};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::store::Kind;

/// Length of a block's header.
pub(crate) const BLOCK_HEADER_BYTES: usize = 52;
/// Length of one copy of a segment's header: one sector, so that it is never half new.
const COPY_BYTES: usize = 512;
/// Where the first block begins: the header stands there twice, so that one bad sector is not the
/// end of a stream.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 2 * COPY_BYTES;

/// What is in front of every block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BlockHeader {
    pub(crate) kind: BlockKind,
    /// The last block of its group.
    pub(crate) last: bool,
    /// Check of the block before this one, or of the segment's header.
    pub(crate) link: u32,
    /// Ordinal of the first event; a fence: of the next event.
    pub(crate) first: Ordinal,
    pub(crate) timestamp: Timestamp,
    /// Where in the segment its group begins.
    pub(crate) group: u64,
    /// Length of the payload.
    pub(crate) length: u32,
    pub(crate) count: u32,
    /// CRC-32C of the payload.
    pub(crate) payload_crc: u32,
}

/// What a block is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BlockKind {
    /// Events.
    Events(Kind),
    /// No event: recovery's mark over what a crash left.
    Fence,
    /// No event: the stream was closed here, with everything before it durable.
    Closing,
}

/// What is in front of every segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SegmentHeader {
    /// Mixed into the checks of its blocks, so that nothing a stranger publishes, and nothing an
    /// earlier use of the file left, looks like a block.
    pub(crate) salt: u32,
    /// Ordinal of its first event.
    pub(crate) first: Ordinal,
    /// Ordinal of the first event of the segment before; `None` for a stream's first segment.
    pub(crate) previous: Option<Ordinal>,
    /// Timestamp of the newest event before it.
    pub(crate) newest: Timestamp,
    /// Check of the last block before it.
    pub(crate) link: u32,
    /// The last event before it is a POISON.
    pub(crate) after_poison: bool,
    /// The stream's name.
    pub(crate) name: String,
}

/// Why bytes are no segment header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SegmentFault {
    /// Neither copy has a right check: torn or damaged.
    Torn,
    /// Right, but of a format that this version can't read.
    Foreign {
        /// The format's version.
        version: u16,
        /// The frames' wire format.
        wire: u16,
    },
}

impl BlockHeader {
    /// The ordinal after its last event.
    pub(crate) const fn next(&self) -> Ordinal {
        self.first.plus(self.count as u64)
    }

    /// Bytes of the whole block.
    pub(crate) const fn block_bytes(&self) -> u64 {
        BLOCK_HEADER_BYTES as u64 + self.length as u64
    }

    /// The header's bytes for a block at `position` of its segment, and its check, which the next
    /// block links to.
    pub(crate) fn encode(&self, salt: u32, position: u64) -> ([u8; BLOCK_HEADER_BYTES], u32) {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        let mut rest = &mut bytes[..];
        put(&mut rest, BLOCK_MAGIC);
        put(&mut rest, [kind_byte(self.kind), u8::from(self.last), 0, 0]);
        put(&mut rest, self.link.to_le_bytes());
        put(&mut rest, self.payload_crc.to_le_bytes());
        put(&mut rest, self.first.get().to_le_bytes());
        put(&mut rest, self.timestamp.millis().to_le_bytes());
        put(&mut rest, self.group.to_le_bytes());
        put(&mut rest, self.length.to_le_bytes());
        put(&mut rest, self.count.to_le_bytes());
        let check = block_check(salt, position, &bytes);
        let (_, place) = bytes.split_at_mut(CHECKED_BYTES);
        put(&mut &mut *place, check.to_le_bytes());
        (bytes, check)
    }

    /// The header that `bytes`, which stand at `position` of their segment, begin with, and its
    /// check. `None` when there is none.
    pub(crate) fn decode(bytes: &[u8], salt: u32, position: u64) -> Option<(Self, u32)> {
        let bytes = bytes.first_chunk::<BLOCK_HEADER_BYTES>()?;
        let mut rest = bytes.as_slice();
        if take::<4>(&mut rest)? != BLOCK_MAGIC {
            return None;
        }
        let [kind, flags, zero, zero_too] = take::<4>(&mut rest)?;
        let link = u32::from_le_bytes(take(&mut rest)?);
        let payload_crc = u32::from_le_bytes(take(&mut rest)?);
        let first = Ordinal::checked(u64::from_le_bytes(take(&mut rest)?))?;
        let timestamp = Timestamp::from_millis(u64::from_le_bytes(take(&mut rest)?));
        let group = u64::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?);
        let check = u32::from_le_bytes(take(&mut rest)?);
        if flags > 1 || (zero, zero_too) != (0, 0) || check != block_check(salt, position, bytes) {
            return None;
        }
        let kind = kind_of(kind)?;
        let counts = match kind {
            BlockKind::Events(Kind::Framed) => count > 0,
            BlockKind::Events(Kind::Poison | Kind::Withheld) => count == 1,
            BlockKind::Fence | BlockKind::Closing => count == 0 && length == 0,
        };
        Ordinal::checked(first.get().checked_add(u64::from(count))?)?;
        let last = flags == 1;
        let header = Self { kind, last, link, first, timestamp, group, length, count, payload_crc };
        counts.then_some((header, check))
    }
}

impl SegmentHeader {
    /// Both copies of the header, and its check, which the first block links to.
    pub(crate) fn encode(&self) -> (Vec<u8>, u32) {
        assert!(self.name.len() <= STREAM_NAME_BYTES_MAX, "a stream's name has a bounded length");
        let mut copy = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        copy.extend_from_slice(&SEGMENT_MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&WIRE_WEBSOCKET.to_le_bytes());
        copy.extend_from_slice(&self.salt.to_le_bytes());
        copy.extend_from_slice(&self.first.get().to_le_bytes());
        copy.extend_from_slice(&self.previous.map_or(NONE, Ordinal::get).to_le_bytes());
        copy.extend_from_slice(&self.newest.millis().to_le_bytes());
        copy.extend_from_slice(&self.link.to_le_bytes());
        copy.extend_from_slice(&u16::from(self.after_poison).to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
        copy.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        copy.extend_from_slice(self.name.as_bytes());
        copy.resize(COPY_BYTES - 4, 0);
        let check = crc32c(&copy);
        copy.extend_from_slice(&check.to_le_bytes());
        copy.extend_from_within(..);
        (copy, check)
    }

    /// The header that a segment's file begins with, from whichever copy is whole, and its check.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, u32), SegmentFault> {
        let mut fault = SegmentFault::Torn;
        for copy in bytes.chunks_exact(COPY_BYTES).take(2) {
            match Self::decode_copy(copy) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(foreign) => fault = foreign,
            }
        }
        Err(fault)
    }

    fn decode_copy(copy: &[u8]) -> Result<Option<(Self, u32)>, SegmentFault> {
        let Some((body, check)) = copy.split_last_chunk::<4>() else { return Ok(None) };
        let check = u32::from_le_bytes(*check);
        if check != crc32c(body) {
            return Ok(None);
        }
        let mut rest = body;
        let Some((magic, versions)) = take::<8>(&mut rest).zip(take::<4>(&mut rest)) else {
            return Ok(None);
        };
        let [a, b, c, d] = versions;
        let (version, wire) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        if magic != SEGMENT_MAGIC || version != VERSION || wire != WIRE_WEBSOCKET {
            return Err(SegmentFault::Foreign { version, wire });
        }
        Ok(Self::decode_fields(rest).map(|header| (header, check)))
    }

    fn decode_fields(mut rest: &[u8]) -> Option<Self> {
        let salt = u32::from_le_bytes(take(&mut rest)?);
        let first = Ordinal::checked(u64::from_le_bytes(take(&mut rest)?))?;
        let previous = match u64::from_le_bytes(take(&mut rest)?) {
            NONE => None,
            ordinal => Some(Ordinal::checked(ordinal)?),
        };
        let newest = Timestamp::from_millis(u64::from_le_bytes(take(&mut rest)?));
        let link = u32::from_le_bytes(take(&mut rest)?);
        let after_poison = u16::from_le_bytes(take(&mut rest)?) == 1;
        let name_bytes = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let name = std::str::from_utf8(rest.get(..name_bytes)?).ok()?.to_owned();
        Some(Self { salt, first, previous, newest, link, after_poison, name })
    }
}

/// Depends on the place too: a block that a disk wrote to the wrong place is no block there.
fn block_check(salt: u32, position: u64, header: &[u8; BLOCK_HEADER_BYTES]) -> u32 {
    // In one piece: a checksum of so few bytes costs what beginning it costs.
    let mut checked = [0; 8 + CHECKED_BYTES];
    let (place, fields) = checked.split_at_mut(8);
    place.copy_from_slice(&position.to_le_bytes());
    fields.copy_from_slice(header.split_at(CHECKED_BYTES).0);
    crc32c_append(salt, &checked)
}

const fn kind_byte(kind: BlockKind) -> u8 {
    match kind {
        BlockKind::Events(Kind::Framed) => 1,
        BlockKind::Events(Kind::Poison) => 2,
        BlockKind::Events(Kind::Withheld) => 3,
        BlockKind::Fence => 4,
        BlockKind::Closing => 5,
    }
}

const fn kind_of(byte: u8) -> Option<BlockKind> {
    match byte {
        1 => Some(BlockKind::Events(Kind::Framed)),
        2 => Some(BlockKind::Events(Kind::Poison)),
        3 => Some(BlockKind::Events(Kind::Withheld)),
        4 => Some(BlockKind::Fence),
        5 => Some(BlockKind::Closing),
        _ => None,
    }
}

fn put<const N: usize>(rest: &mut &mut [u8], bytes: [u8; N]) {
    let (place, after) = std::mem::take(rest).split_at_mut(N);
    place.copy_from_slice(&bytes);
    *rest = after;
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*head)
}

/// What every block begins with.
pub(crate) const BLOCK_MAGIC: [u8; 4] = *b"ESSb";
const SEGMENT_MAGIC: [u8; 8] = *b"ESS-LOG\n";
/// The version of everything in FORMAT.md.
const VERSION: u16 = 1;
/// Unmasked, unfragmented WebSocket text frames (RFC 6455 §5.2).
const WIRE_WEBSOCKET: u16 = 1;
/// No previous segment.
const NONE: u64 = u64::MAX;
/// The header without its own check.
const CHECKED_BYTES: usize = BLOCK_HEADER_BYTES - 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> BlockHeader {
        BlockHeader {
            kind: BlockKind::Events(Kind::Framed),
            last: true,
            link: 0x0102_0304,
            first: Ordinal::new(77),
            timestamp: Timestamp::from_millis(1_700_000_000_000),
            group: 1024,
            length: 4096,
            count: 9,
            payload_crc: 0xAABB_CCDD,
        }
    }

    fn segment() -> SegmentHeader {
        SegmentHeader {
            salt: 99,
            first: Ordinal::new(12),
            previous: Some(Ordinal::new(3)),
            newest: Timestamp::from_millis(5),
            link: 7,
            after_poison: true,
            name: "é/..\0x".repeat(20),
        }
    }

    #[test]
    fn a_block_header_reads_back_and_no_flipped_bit_does() {
        let (bytes, check) = block().encode(5, 1024);
        assert_eq!(BlockHeader::decode(&bytes, 5, 1024), Some((block(), check)));
        assert_eq!(BlockHeader::decode(&bytes, 6, 1024), None, "another segment's salt");
        assert_eq!(BlockHeader::decode(&bytes, 5, 1025), None, "another place");
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(BlockHeader::decode(&flipped, 5, 1024), None, "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(BlockHeader::decode(&bytes[..cut], 5, 1024), None);
        }
    }

    #[test]
    fn zeros_are_the_end_of_a_segment() {
        for salt in [0, 1, u32::MAX] {
            assert_eq!(BlockHeader::decode(&[0; 4096], salt, 1024), None);
        }
    }

    #[test]
    fn counts_fit_their_kind() {
        let all = |count, length| {
            use BlockKind::{Closing, Events, Fence};
            [Events(Kind::Framed), Events(Kind::Poison), Events(Kind::Withheld), Fence, Closing]
                .map(|kind| {
                    let (bytes, _) = BlockHeader { kind, count, length, ..block() }.encode(0, 9);
                    BlockHeader::decode(&bytes, 0, 9).is_some()
                })
        };
        assert_eq!(all(0, 0), [false, false, false, true, true]);
        assert_eq!(all(1, 6), [true, true, true, false, false]);
        assert_eq!(all(2, 6), [true, false, false, false, false]);
    }

    #[test]
    fn a_segment_header_survives_the_loss_of_one_copy() {
        let (bytes, check) = segment().encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER_BYTES);
        for lost in [None, Some(0..COPY_BYTES), Some(COPY_BYTES..2 * COPY_BYTES)] {
            let mut bytes = bytes.clone();
            if let Some(lost) = lost {
                bytes[lost].fill(0xEE);
            }
            assert_eq!(SegmentHeader::decode(&bytes), Ok((segment(), check)));
        }
        let torn = vec![0; SEGMENT_HEADER_BYTES];
        assert_eq!(SegmentHeader::decode(&torn), Err(SegmentFault::Torn));
        assert_eq!(SegmentHeader::decode(&bytes[..100]), Err(SegmentFault::Torn));
    }

    #[test]
    fn a_later_format_is_refused_not_misread() {
        let (mut bytes, _) = segment().encode();
        bytes[8] = 2;
        let check = crc32c(&bytes[..COPY_BYTES - 4]).to_le_bytes();
        bytes[COPY_BYTES - 4..COPY_BYTES].copy_from_slice(&check);
        bytes.truncate(COPY_BYTES);
        let fault = SegmentFault::Foreign { version: 2, wire: 1 };
        assert_eq!(SegmentHeader::decode(&bytes), Err(fault));
    }
}
