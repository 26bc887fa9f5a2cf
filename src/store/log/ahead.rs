//! Writing ahead: zeros behind the active segment's end.
//!
//! A group that overwrites what the file already has is durable after one flush of its own bytes;
//! one that extends the file makes the filesystem record the new size and place first, in its
//! journal, with every `fdatasync`. So now and then a group takes zeros with it, for those that
//! follow. Zeros are no block, so nothing changes for who reads.
//!
//! ```text
//! | block | block | block | 0 0 0 0 0 0 0 0 0 0 0 |
//!                         ▲ the segment's end     ▲ `written`
//! ```
//!
//! As much is written ahead as the segment holds, up to a limit: a stream that holds little wastes
//! little. A segment that is done with, because the next one begins or the stream is closed, is cut
//! to its end first, durably, so that only the last segment of a log that was killed has zeros.

use std::sync::Arc;

use crate::config::Fsync;
use crate::store::AppendError;

use super::commit::refused;
use super::disk::{Disk, DiskFile, write_all};
use super::fault;
use super::stream::Shared;

impl<D: Disk> Shared<D> {
    /// Writes zeros behind `end`, where a group that isn't synced yet has just been written, if
    /// there are none left.
    pub(super) async fn write_ahead(&self, group: u64, end: u64) {
        if self.written.get() >= end {
            return;
        }
        self.written.set(end);
        let max = self.options.write_ahead_bytes_max;
        let room = self.options.segment_bytes_max.saturating_sub(end);
        let ahead = max.min(end).min(room);
        // Too little is not worth the write, and large groups pay for themselves.
        let pays = ahead >= max / SHARE_MIN && end - group <= max / GROUP_SHARE_MAX;
        if self.options.fsync != Fsync::Always || ahead == 0 || !pays {
            return;
        }
        let Ok(length) = usize::try_from(ahead) else { return };
        // A disk without room for zeros may still have room for events.
        let written = write_all(&*self.file(), vec![0; length].into(), end).await;
        self.written.set(if written.is_ok() { end + ahead } else { UNKNOWN });
    }

    /// Cuts the active segment to its end, durably, if anything was written ahead.
    pub(super) async fn cut_ahead(&self) -> Result<(), AppendError> {
        let active = self.active();
        if self.written.get() <= active.end() {
            return Ok(());
        }
        let file = self.file();
        if let Err(error) = file.truncate(active.end()).await {
            return Err(refused(fault("cut", &active.path, &error), &error));
        }
        self.sync_group().await?;
        self.written.set(active.end());
        Ok(())
    }

    /// As [`Shared::cut_ahead`], of a log whose end is nobody's business any more.
    pub(super) async fn cut_ahead_or_tell(&self) {
        if let Err(error) = self.cut_ahead().await {
            let what: Arc<str> = error.to_string().into();
            log::warn!("stream {}: zeros stay behind its end: {what}", self.name);
        }
    }
}

/// What is written ahead is at least this share of the most.
const SHARE_MIN: u64 = 1024;

/// A group of more than this share of the most is written without zeros.
const GROUP_SHARE_MAX: u64 = 4;

/// More than any file has: some zeros may be there.
const UNKNOWN: u64 = u64::MAX;
