//! A disk in memory that does at once what it is asked: what is left is the log's own work.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ess::store::log::disk::{Disk, DiskFile, Listed};

type Contents = Rc<RefCell<Vec<u8>>>;

/// Files in memory. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct MemoryDisk {
    files: Rc<RefCell<HashMap<PathBuf, Contents>>>,
    directories: Rc<RefCell<Vec<PathBuf>>>,
}

/// One of its files.
pub(crate) struct MemoryFile(Contents);

/// Runs a future to its end that waits for nothing.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a disk in memory answers at once"),
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    async fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.directories.borrow_mut().push(path.to_owned());
        Ok(())
    }

    async fn list(&self, directory: &Path) -> io::Result<Vec<Listed>> {
        if !self.directories.borrow().iter().any(|known| known == directory) {
            return Err(missing());
        }
        let listed = |(path, contents): (&PathBuf, &Contents)| {
            let name = path.strip_prefix(directory).ok()?.to_str()?.to_owned();
            Some(Listed { name, bytes: contents.borrow().len() as u64 })
        };
        let mut all: Vec<Listed> = self.files.borrow().iter().filter_map(listed).collect();
        let directories = self.directories.borrow();
        let below = directories.iter().filter_map(|path| path.strip_prefix(directory).ok());
        let names = below.filter_map(Path::to_str).filter(|name| !name.is_empty());
        all.extend(names.map(|name| Listed { name: name.to_owned(), bytes: 0 }));
        Ok(all)
    }

    async fn create(&self, path: &Path) -> io::Result<MemoryFile> {
        let contents = Contents::default();
        self.files.borrow_mut().insert(path.to_owned(), Rc::clone(&contents));
        Ok(MemoryFile(contents))
    }

    async fn open(&self, path: &Path) -> io::Result<MemoryFile> {
        let contents = self.files.borrow().get(path).map(Rc::clone);
        contents.map(MemoryFile).ok_or_else(missing)
    }

    async fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.borrow_mut().remove(path).map(drop).ok_or_else(missing)
    }

    async fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.directories.borrow_mut().retain(|known| known != path);
        Ok(())
    }

    async fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    async fn write_at(&self, bytes: Bytes, position: u64) -> (io::Result<usize>, Bytes) {
        let mut contents = self.0.borrow_mut();
        let Ok(start) = usize::try_from(position) else {
            return (Err(io::ErrorKind::FileTooLarge.into()), bytes);
        };
        let end = start + bytes.len();
        if contents.len() < end {
            contents.resize(end, 0);
        }
        if let Some(place) = contents.get_mut(start..end) {
            place.copy_from_slice(&bytes);
        }
        drop(contents);
        (Ok(bytes.len()), bytes)
    }

    async fn read_at(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        let contents = self.0.borrow();
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(contents.len());
        let end = start.saturating_add(length).min(contents.len());
        Ok(contents.get(start..end).unwrap_or_default().to_vec())
    }

    async fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    async fn truncate(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.0.borrow_mut().truncate(length);
        Ok(())
    }
}
