//! Chunks for tests, right and wrong ones.

use std::io::Write;

use flate2::write::GzEncoder;
use lz4_flex::frame::FrameEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::{Chunk, Compression, EntryFault, Found, Scratch};

/// A chunk being put together. Fields are what the head will say.
pub(super) struct Build {
    pub(super) kind: u8,
    pub(super) entries: u16,
    pub(super) records: u32,
    pub(super) first: u64,
    pub(super) trailer: Vec<u8>,
    pub(super) data: Vec<u8>,
}

impl Build {
    pub(super) const fn at(first: u64) -> Self {
        Self { kind: 0, entries: 0, records: 0, first, trailer: Vec::new(), data: Vec::new() }
    }

    pub(super) fn message(mut self, message: &[u8]) -> Self {
        self.data.extend_from_slice(&row(message));
        (self.entries, self.records) = (self.entries + 1, self.records + 1);
        self
    }

    /// A batch that says of itself what it is told to say.
    pub(super) fn raw_batch(mut self, code: u8, records: u16, stated: u32, bytes: &[u8]) -> Self {
        self.data.push(0x80 | (code << 4));
        self.data.extend_from_slice(&records.to_be_bytes());
        self.data.extend_from_slice(&stated.to_be_bytes());
        self.data.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        self.data.extend_from_slice(bytes);
        (self.entries, self.records) = (self.entries + 1, self.records + u32::from(records));
        self
    }

    pub(super) fn batch(self, compression: Compression, messages: &[&[u8]]) -> Self {
        let rows = rows(messages);
        let (records, stated) =
            (messages.len().try_into().unwrap(), rows.len().try_into().unwrap());
        self.raw_batch(code(compression), records, stated, &compress(compression, &rows))
    }

    /// The chunk's bytes, trailer and all, with the right checksum.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0x50, self.kind];
        out.extend_from_slice(&self.entries.to_be_bytes());
        out.extend_from_slice(&self.records.to_be_bytes());
        out.extend_from_slice(&1_746_042_171_620_i64.to_be_bytes());
        out.extend_from_slice(&7_u64.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&crc32(&self.data).to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.data.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.trailer.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&[16, 0, 0, 0]);
        out.extend_from_slice(&self.data);
        out.extend_from_slice(&self.trailer);
        out
    }

    pub(super) fn walked(&self) -> Vec<Told> {
        walked_from(&self.bytes(), 0, &mut Scratch::default())
    }
}

/// What a walk found, kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Told {
    Message(u64, Vec<u8>),
    Malformed(u64, u32, EntryFault),
}

/// What a walk over this right chunk finds.
pub(super) fn walked_from(bytes: &[u8], from: u64, scratch: &mut Scratch) -> Vec<Told> {
    let chunk = Chunk::parse(bytes).expect("a right chunk");
    let mut told = Vec::new();
    chunk.walk_from(from, scratch, &mut |found| {
        told.push(match found {
            Found::Message { offset, message } => Told::Message(offset, message.to_vec()),
            Found::Malformed { offset, count, fault } => Told::Malformed(offset, count, fault),
        });
    });
    told
}

pub(super) fn row(message: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(message);
    out
}

pub(super) fn rows(messages: &[&[u8]]) -> Vec<u8> {
    messages.iter().flat_map(|message| row(message)).collect()
}

pub(super) const fn code(compression: Compression) -> u8 {
    match compression {
        Compression::None => 0,
        Compression::Gzip => 1,
        Compression::Snappy => 2,
        Compression::Lz4 => 3,
        Compression::Zstd => 4,
    }
}

pub(super) const ALL: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

pub(super) fn compress(compression: Compression, rows: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => rows.to_vec(),
        Compression::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(rows).unwrap();
            gzip.finish().unwrap()
        }
        Compression::Snappy => {
            let mut snappy = snap::write::FrameEncoder::new(Vec::new());
            snappy.write_all(rows).unwrap();
            let out = snappy.into_inner().unwrap();
            // It writes nothing at all for nothing.
            if out.is_empty() { b"\xff\x06\x00\x00sNaPpY".to_vec() } else { out }
        }
        Compression::Lz4 => {
            let mut lz4 = FrameEncoder::new(Vec::new());
            lz4.write_all(rows).unwrap();
            lz4.finish().unwrap()
        }
        Compression::Zstd => compress_to_vec(rows, CompressionLevel::Fastest),
    }
}

/// CRC-32 of zlib, bit by bit: a second opinion.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 * (crc & 1));
        }
    }
    !crc
}
