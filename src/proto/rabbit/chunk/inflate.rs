//! Sub-entry batches, inflated.
//!
//! What clients write: gzip (RFC 1952); snappy in its framing format; LZ4 frames; zstd frames
//! (RFC 8878). Source: rabbitmq-stream-java-client, `CompressionUtils` (`SnappyFramedOutputStream`,
//! `LZ4FrameOutputStream`), rabbitmq-stream-go-client, `aggregation.go`. Clients without a codec of
//! their own (Python, .NET) let their user bring one, and the simplest call for snappy gives a bare
//! block, so that is read too.
//!
//! A batch states its inflated size. It is inflated up to that and no further, memory grows with
//! what comes out, and a batch that doesn't come to that size exactly is malformed as a whole: once
//! a compression has gone wrong, nothing it gave can be trusted.

use std::fmt;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use snap::raw;
use snap::read::FrameDecoder as SnappyDecoder;

use super::{EntryFault, lz4};
use crate::limits::{CHUNK_INFLATED_BYTES_MAX, SCRATCH_BYTES_KEPT, SUB_BATCH_BYTES_MAX};

/// How the records of a sub-entry batch are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, code 1.
    Gzip,
    /// snappy, code 2.
    Snappy,
    /// LZ4, code 3.
    Lz4,
    /// zstd, code 4.
    Zstd,
}

impl Compression {
    /// The compression of this code, or the code.
    pub(super) const fn of(code: u8) -> Result<Self, u8> {
        match code {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(other),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Memory for batches while they are walked over: one for all chunks of a thread.
#[derive(Default)]
pub struct Scratch {
    /// The batch at hand, inflated.
    out: Vec<u8>,
    zstd: FrameDecoder,
    /// Bytes that batches of the chunk at hand may still come to.
    left: usize,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scratch").field("bytes", &self.out.capacity()).finish_non_exhaustive()
    }
}

impl Scratch {
    /// A chunk begins.
    pub(super) const fn begin(&mut self) {
        self.left = CHUNK_INFLATED_BYTES_MAX;
    }

    /// A chunk ends: what an uncommonly large batch needed is given back.
    pub(super) fn end(&mut self) {
        self.out.clear();
        if self.out.capacity() > SCRATCH_BYTES_KEPT {
            *self = Self::default();
        }
    }

    /// The records of a batch: `bytes`, inflated to the size it states.
    pub(super) fn inflate(
        &mut self,
        compression: Compression,
        bytes: &[u8],
        stated: u32,
    ) -> Result<&[u8], EntryFault> {
        let size = usize::try_from(stated).ok().filter(|size| *size <= SUB_BATCH_BYTES_MAX);
        let size = size.ok_or(EntryFault::BatchTooLarge { stated })?;
        self.left = self.left.checked_sub(size).ok_or(EntryFault::ChunkTooLarge)?;
        self.out.clear();
        let read = match compression {
            Compression::None => read_up_to(bytes, size, &mut self.out),
            Compression::Gzip => read_up_to(MultiGzDecoder::new(bytes), size, &mut self.out),
            Compression::Snappy => snappy(bytes, size, &mut self.out),
            Compression::Lz4 => lz4::inflate(bytes, size, &mut self.out),
            Compression::Zstd => zstd(&mut self.zstd, bytes, size, &mut self.out),
        };
        match read {
            Err(Failed::Codec) => Err(EntryFault::Inflate(compression)),
            Err(Failed::Size) => Err(EntryFault::BatchLength { stated }),
            Ok(()) if self.out.len() != size => Err(EntryFault::BatchLength { stated }),
            Ok(()) => Ok(&self.out),
        }
    }
}

/// Why a batch wasn't inflated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failed {
    /// It isn't of this compression, or damaged.
    Codec,
    /// It is larger than it says.
    Size,
}

/// Reads to the end, or one byte beyond `size`.
fn read_up_to(reader: impl Read, size: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    reader.take(size as u64 + 1).read_to_end(out).map(drop).map_err(|_| Failed::Codec)
}

/// The framing format, if it begins as one; else a bare block.
fn snappy(bytes: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    const FRAMING: &[u8] = b"\xff\x06\x00\x00sNaPpY";
    /// A copy of three bytes gives at most 64.
    const GAIN_MAX: usize = 22;
    if bytes.starts_with(FRAMING) {
        return read_up_to(SnappyDecoder::new(bytes), size, out);
    }
    if raw::decompress_len(bytes) != Ok(size) {
        return Err(Failed::Size);
    }
    if size / GAIN_MAX > bytes.len() {
        return Err(Failed::Codec);
    }
    out.resize(size, 0);
    raw::Decoder::new().decompress(bytes, out).map(drop).map_err(|_| Failed::Codec)
}

/// One or more frames, among them such as are to be skipped.
fn zstd(
    decoder: &mut FrameDecoder,
    mut bytes: &[u8],
    size: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    decoder.set_max_window_size(SUB_BATCH_BYTES_MAX as u64);
    while !bytes.is_empty() {
        match decoder.reset(&mut bytes) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = usize::try_from(length).map_err(|_| Failed::Codec)?;
                bytes = bytes.get(length..).ok_or(Failed::Codec)?;
                continue;
            }
            Err(_) => return Err(Failed::Codec),
        }
        // Blocks of at most 128 KiB, until it ends or has given one byte too many.
        let room = (size - out.len()).saturating_add(1);
        let ended = decoder.decode_blocks(&mut bytes, BlockDecodingStrategy::UptoBytes(room));
        if !ended.map_err(|_| Failed::Codec)? || decoder.can_collect() >= room {
            return Err(Failed::Size);
        }
        decoder.collect_to_writer(&mut *out).map_err(|_| Failed::Codec)?;
        let stated = decoder.get_checksum_from_data();
        if stated.is_some() && stated != decoder.get_calculated_checksum() {
            return Err(Failed::Codec);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
