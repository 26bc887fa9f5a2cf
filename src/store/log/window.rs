//! A file read through a window: bounded memory, few reads, for those who walk over blocks.

use crate::checksum::crc32c_append;
use std::io;

use super::disk::{DiskFile, read_full};
use super::header::{BLOCK_HEADER_BYTES, BLOCK_MAGIC, BlockHeader};

/// A part of a file in memory.
pub(super) struct Window<'a, F> {
    file: &'a F,
    /// No byte at or behind this place is looked at.
    end: u64,
    start: u64,
    bytes: Vec<u8>,
}

/// A block's header, where it stands, and its check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) header: BlockHeader,
    pub(super) check: u32,
}

impl Found {
    /// Where its payload begins.
    pub(super) const fn payload(&self) -> u64 {
        self.position + BLOCK_HEADER_BYTES as u64
    }

    /// Where the next block begins.
    pub(super) const fn after(&self) -> u64 {
        self.position + self.header.block_bytes()
    }
}

impl<'a, F: DiskFile> Window<'a, F> {
    /// A window on the file's bytes before `end`.
    pub(super) const fn new(file: &'a F, end: u64) -> Self {
        Self { file, end, start: 0, bytes: Vec::new() }
    }

    /// `length` bytes from `position` on, fewer only at the end. `length` is at most a window.
    pub(super) async fn bytes(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        assert!(length <= WINDOW_BYTES, "what is looked at fits the window");
        let until = (position + length as u64).min(self.end);
        if position < self.start || until > self.start + self.bytes.len() as u64 {
            let rest = self.end.saturating_sub(position).min(WINDOW_BYTES as u64);
            let rest = usize::try_from(rest).unwrap_or(WINDOW_BYTES);
            self.bytes = read_full(self.file, position, rest).await?;
            self.start = position;
        }
        let from = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        let seen = self.bytes.get(from..).unwrap_or_default();
        Ok(seen.get(..length).unwrap_or(seen))
    }

    /// What is in memory from `position` on; more than a header, but at the end.
    async fn loaded(&mut self, position: u64) -> io::Result<&[u8]> {
        self.bytes(position, BLOCK_HEADER_BYTES).await?;
        let from = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..).unwrap_or_default())
    }

    /// The header at `position`; `None` when there is none, or its block goes beyond the end.
    pub(super) async fn header(&mut self, position: u64, salt: u32) -> io::Result<Option<Found>> {
        let end = self.end;
        let bytes = self.bytes(position, BLOCK_HEADER_BYTES).await?;
        let found = BlockHeader::decode(bytes, salt, position).map(|(header, check)| Found {
            position,
            header,
            check,
        });
        let fits = |found: &Found| found.after() <= end && found.header.group <= position;
        Ok(found.filter(fits))
    }

    /// Whether a block's payload is what was written.
    pub(super) async fn payload_is_whole(&mut self, found: &Found) -> io::Result<bool> {
        let (mut position, after) = (found.payload(), found.after());
        let mut crc = 0;
        while position < after {
            let length = usize::try_from(after - position).unwrap_or(WINDOW_BYTES);
            let bytes = self.bytes(position, length.min(WINDOW_BYTES)).await?;
            if bytes.is_empty() {
                return Ok(false);
            }
            crc = crc32c_append(crc, bytes);
            position += bytes.len() as u64;
        }
        Ok(crc == found.header.payload_crc)
    }

    /// The first header at or after `position` that `accept` takes: the way on behind damage.
    pub(super) async fn search(
        &mut self,
        mut position: u64,
        salt: u32,
        accept: impl Fn(&Found) -> bool,
    ) -> io::Result<Option<Found>> {
        while position + BLOCK_HEADER_BYTES as u64 <= self.end {
            let seen = self.loaded(position).await?;
            let magic = seen.windows(BLOCK_MAGIC.len()).position(|bytes| bytes == BLOCK_MAGIC);
            let Some(skipped) = magic else {
                if seen.len() < BLOCK_HEADER_BYTES {
                    return Ok(None);
                }
                // The magic may lie across two windows.
                position += (seen.len() - BLOCK_MAGIC.len() + 1) as u64;
                continue;
            };
            position += skipped as u64;
            match self.header(position, salt).await? {
                Some(found) if accept(&found) => return Ok(Some(found)),
                _ => position += 1,
            }
        }
        Ok(None)
    }
}

/// Bytes of a file in memory at once.
const WINDOW_BYTES: usize = 64 * 1024;
