//! LZ4 frames (LZ4 Frame Format Description 1.6.4).
//!
//! ```text
//! magic 0x184D2204 | FLG | BD | content size u64? | checksum of these u8
//! | block: size u32, bytes, checksum u32? | … | 0 u32 | checksum of the content u32?
//! ```
//!
//! Integers are little-endian, checksums xxHash-32. The blocks themselves are `lz4_flex`'s. Frames
//! with a dictionary are refused: nobody could tell us which.

use lz4_flex::block::decompress_into_with_dict;
use twox_hash::XxHash32;

use super::inflate::Failed;

/// Inflates all frames of `bytes` behind `out`, up to `size` bytes in all.
pub(super) fn inflate(mut bytes: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    while !bytes.is_empty() {
        let magic = u32::from_le_bytes(take(&mut bytes)?);
        match magic {
            FRAME => frame(&mut bytes, size, out)?,
            SKIPPED_FIRST..=SKIPPED_LAST => {
                let length = u32::from_le_bytes(take(&mut bytes)?);
                slice(&mut bytes, length)?;
            }
            _ => return Err(Failed::Codec),
        }
    }
    Ok(())
}

/// What a frame's descriptor says.
struct Descriptor {
    linked: bool,
    block_checksums: bool,
    content_bytes: Option<u64>,
    content_checksum: bool,
    block_bytes_max: usize,
}

fn frame(bytes: &mut &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    let descriptor = descriptor(bytes)?;
    let start = out.len();
    loop {
        let length = u32::from_le_bytes(take(bytes)?);
        if length == 0 {
            break;
        }
        let block = slice(bytes, length & !STORED)?;
        if descriptor.block_checksums && u32::from_le_bytes(take(bytes)?) != checksum(block) {
            return Err(Failed::Codec);
        }
        if length & STORED == 0 {
            inflate_block(block, &descriptor, start, size, out)?;
        } else if block.len() > descriptor.block_bytes_max {
            return Err(Failed::Codec);
        } else if block.len() > size - out.len() {
            return Err(Failed::Size);
        } else {
            out.extend_from_slice(block);
        }
    }
    let content = out.get(start..).unwrap_or_default();
    if descriptor.content_checksum && u32::from_le_bytes(take(bytes)?) != checksum(content) {
        return Err(Failed::Codec);
    }
    match descriptor.content_bytes {
        Some(stated) if stated != content.len() as u64 => Err(Failed::Codec),
        _ => Ok(()),
    }
}

/// Inflates one block behind `out`, where the frame began at `start`.
fn inflate_block(
    block: &[u8],
    descriptor: &Descriptor,
    start: usize,
    size: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let filled = out.len();
    let room = size - filled;
    // No more than the block can come to, so memory grows with what arrived.
    let gain = block.len().saturating_mul(GAIN_MAX).min(descriptor.block_bytes_max);
    out.resize(filled + gain.min(room), 0);
    let (before, space) = out.split_at_mut(filled);
    let begin = if descriptor.linked { start.max(filled.saturating_sub(WINDOW)) } else { filled };
    let window = before.get(begin..).unwrap_or_default();
    let inflated = decompress_into_with_dict(block, space, window);
    out.truncate(filled + *inflated.as_ref().unwrap_or(&0));
    match inflated {
        Ok(_) => Ok(()),
        Err(_) if room < gain => Err(Failed::Size),
        Err(_) => Err(Failed::Codec),
    }
}

fn descriptor(bytes: &mut &[u8]) -> Result<Descriptor, Failed> {
    let whole = *bytes;
    let [flags, block] = take(bytes)?;
    let content_bytes = match flags & CONTENT_SIZE {
        0 => None,
        _ => Some(u64::from_le_bytes(take(bytes)?)),
    };
    let described = whole.get(..whole.len() - bytes.len()).unwrap_or_default();
    let [check] = take(bytes)?;
    let [_, second, ..] = checksum(described).to_le_bytes();
    let block_bytes_max = match (block >> 4) & 0b111 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err(Failed::Codec),
    };
    if flags & VERSION != VERSION_1 || flags & (DICTIONARY | RESERVED) != 0 || check != second {
        return Err(Failed::Codec);
    }
    Ok(Descriptor {
        linked: flags & INDEPENDENT == 0,
        block_checksums: flags & BLOCK_CHECKSUM != 0,
        content_bytes,
        content_checksum: flags & CONTENT_CHECKSUM != 0,
        block_bytes_max,
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Failed> {
    let (field, behind) = bytes.split_first_chunk().ok_or(Failed::Codec)?;
    *bytes = behind;
    Ok(*field)
}

fn slice<'a>(bytes: &mut &'a [u8], length: u32) -> Result<&'a [u8], Failed> {
    let length = usize::try_from(length).map_err(|_| Failed::Codec)?;
    let (front, behind) = bytes.split_at_checked(length).ok_or(Failed::Codec)?;
    *bytes = behind;
    Ok(front)
}

fn checksum(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

const FRAME: u32 = 0x184D_2204;
const SKIPPED_FIRST: u32 = 0x184D_2A50;
const SKIPPED_LAST: u32 = 0x184D_2A5F;

const VERSION: u8 = 0b1100_0000;
const VERSION_1: u8 = 0b0100_0000;
const INDEPENDENT: u8 = 0b10_0000;
const BLOCK_CHECKSUM: u8 = 0b1_0000;
const CONTENT_SIZE: u8 = 0b1000;
const CONTENT_CHECKSUM: u8 = 0b100;
const RESERVED: u8 = 0b10;
const DICTIONARY: u8 = 0b1;

/// In a block's size: its bytes are stored as they are.
const STORED: u32 = 1 << 31;

/// How far back a match reaches.
const WINDOW: usize = 64 << 10;

/// A byte of a match's length stands for at most 255 bytes.
const GAIN_MAX: usize = 255;
