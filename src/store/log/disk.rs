//! The filesystem as the log needs it; the one seam between the log and the world.
//!
//! What holds on every implementation, and what the log builds on:
//!
//! - bytes are durable after [`DiskFile::sync_data`] said yes, and a name after
//!   [`Disk::sync_directory`] of its directory did; before that, any part of them may survive a
//!   crash, in pieces and in any order;
//! - after one failed sync nothing unsynced may be trusted, whatever the next sync says;
//! - a file that was opened can be read to its end also after its name is gone.
//!
//! Buffers are owned and come back with the answer, because io_uring holds them meanwhile. An
//! answer must be awaited to its end: dropping the future does not stop the operation.
//!
//! Nothing here retries or logs: what a failure means is the log's to know.

mod real;

use std::io;
use std::path::Path;

use bytes::Bytes;

pub use real::{Io, RealDisk, RealFile};

/// Directories and the files in them.
#[expect(async_fn_in_trait, reason = "one thread per shard: nothing here is Send")]
pub trait Disk: Clone + 'static {
    /// An open file. It closes when it is dropped.
    type File: DiskFile;

    /// Makes a directory in one that exists. Fine when it is there.
    async fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in no order.
    async fn list(&self, directory: &Path) -> io::Result<Vec<Listed>>;

    /// Makes an empty file and opens it; empties one that is there.
    async fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Opens a file to read and write.
    async fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Removes a file.
    async fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    async fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// Gives a directory another name next to it; there must be none of that name.
    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: what was created, removed and renamed there.
    async fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// One open file.
#[expect(async_fn_in_trait, reason = "one thread per shard: nothing here is Send")]
pub trait DiskFile: 'static {
    /// Writes at `position`; may write less than asked, as the kernel may.
    async fn write_at(&self, bytes: Bytes, position: u64) -> (io::Result<usize>, Bytes);

    /// At most `length` bytes from `position` on: none at the end of the file, and fewer than asked
    /// wherever the kernel likes.
    async fn read_at(&self, position: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Makes every finished write and truncation durable.
    async fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    async fn truncate(&self, length: u64) -> io::Result<()>;
}

/// A name in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The last part of its path; names that are no UTF-8 are not ours and never listed.
    pub name: String,
    /// The size of a file, in bytes.
    pub bytes: u64,
}

/// Writes all of `bytes`.
pub(super) async fn write_all<F: DiskFile>(
    file: &F,
    mut bytes: Bytes,
    mut position: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let (written, back) = file.write_at(bytes, position).await;
        bytes = back;
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                assert!(count <= bytes.len(), "a write writes what it was given");
                drop(bytes.split_to(count));
                position += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads `length` bytes, fewer only where the file ends.
pub(super) async fn read_full<F: DiskFile>(
    file: &F,
    position: u64,
    length: usize,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let place = position + bytes.len() as u64;
        match file.read_at(place, length - bytes.len()).await {
            Ok(more) if more.is_empty() => break,
            // The usual case: everything at once, without a copy.
            Ok(more) if bytes.is_empty() => bytes = more,
            Ok(more) => bytes.extend_from_slice(&more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    assert!(bytes.len() <= length, "a read reads what it was asked for");
    Ok(bytes)
}
