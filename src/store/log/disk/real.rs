//! The machine's filesystem.
//!
//! With [`Io::Ring`], reads, writes and syncs of data go through the shard's io_uring; what monoio
//! has no operation for (truncation, listing, removal, directory syncs) runs on the thread pool
//! that is attached to the runtime. With [`Io::Pool`] everything does: a file is always "ready" for
//! epoll, so a read or write on the shard's own thread would hold up everyone.
//!
//! Must be used, and files dropped, inside a monoio runtime with a thread pool.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{Disk, DiskFile, Listed};

/// The machine's filesystem.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk {
    io: Io,
}

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Io {
    /// io_uring: the shard runs on that driver.
    Ring,
    /// The runtime's thread pool: the shard runs on epoll.
    Pool,
}

/// An open file of the machine's.
pub enum RealFile {
    /// Its bytes move through the ring.
    Ring {
        /// The file.
        file: monoio::fs::File,
        /// Where it is, for what the ring can't do.
        path: PathBuf,
    },
    /// Its bytes move on the thread pool.
    Pool(Arc<fs::File>),
}

impl RealDisk {
    /// The filesystem, used by a shard whose driver is known.
    #[must_use]
    pub const fn new(io: Io) -> Self {
        Self { io }
    }

    async fn open_with(&self, path: &Path, options: fs::OpenOptions) -> io::Result<RealFile> {
        let path = path.to_owned();
        let (file, path) = blocking(move || Ok((options.open(&path)?, path))).await?;
        Ok(match self.io {
            Io::Ring => RealFile::Ring { file: monoio::fs::File::from_std(file)?, path },
            Io::Pool => RealFile::Pool(Arc::new(file)),
        })
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    async fn create_directory(&self, path: &Path) -> io::Result<()> {
        let path = path.to_owned();
        blocking(move || match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        })
        .await
    }

    async fn list(&self, directory: &Path) -> io::Result<Vec<Listed>> {
        let directory = directory.to_owned();
        blocking(move || list_now(&directory)).await
    }

    async fn create(&self, path: &Path) -> io::Result<RealFile> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        self.open_with(path, options).await
    }

    async fn open(&self, path: &Path) -> io::Result<RealFile> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        self.open_with(path, options).await
    }

    async fn remove_file(&self, path: &Path) -> io::Result<()> {
        let path = path.to_owned();
        blocking(move || fs::remove_file(path)).await
    }

    async fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let path = path.to_owned();
        blocking(move || fs::remove_dir(path)).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        blocking(move || fs::rename(from, to)).await
    }

    async fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = path.to_owned();
        blocking(move || fs::File::open(path)?.sync_all()).await
    }
}

impl DiskFile for RealFile {
    async fn write_at(&self, bytes: Bytes, position: u64) -> (io::Result<usize>, Bytes) {
        match self {
            Self::Ring { file, .. } => file.write_at(bytes, position).await,
            Self::Pool(file) => {
                let (file, back) = (Arc::clone(file), bytes.clone());
                (blocking(move || file.write_at(&bytes, position)).await, back)
            }
        }
    }

    async fn read_at(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Ring { file, .. } => {
                let (count, mut bytes) = file.read_at(Vec::with_capacity(length), position).await;
                // The allocator may give more room than asked, and the kernel then fills it.
                bytes.truncate(count?.min(length));
                Ok(bytes)
            }
            Self::Pool(file) => {
                let file = Arc::clone(file);
                blocking(move || {
                    let mut bytes = vec![0; length];
                    let count = file.read_at(&mut bytes, position)?;
                    bytes.truncate(count);
                    Ok(bytes)
                })
                .await
            }
        }
    }

    async fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::Ring { file, .. } => file.sync_data().await,
            Self::Pool(file) => {
                let file = Arc::clone(file);
                blocking(move || file.sync_data()).await
            }
        }
    }

    async fn truncate(&self, length: u64) -> io::Result<()> {
        match self {
            Self::Ring { path, .. } => {
                let path = path.clone();
                blocking(move || fs::OpenOptions::new().write(true).open(path)?.set_len(length))
                    .await
            }
            Self::Pool(file) => {
                let file = Arc::clone(file);
                blocking(move || file.set_len(length)).await
            }
        }
    }
}

fn list_now(directory: &Path) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            listed.push(Listed { name, bytes: entry.metadata()?.len() });
        }
    }
    Ok(listed)
}

/// Runs `work` on the runtime's thread pool.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match monoio::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::other("the thread pool dropped a disk operation")),
    }
}
