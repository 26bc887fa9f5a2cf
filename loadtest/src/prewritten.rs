//! A file that has its blocks already: what a durable write costs when nothing has to be made room
//! for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file without a name, written once from end to end.
#[derive(Debug)]
pub(crate) struct Prewritten {
    file: File,
    bytes: usize,
    place: usize,
    waiting: Vec<u8>,
}

impl Prewritten {
    /// Makes the file in `folder`, with so many bytes, and syncs it.
    pub(crate) fn new(folder: &Path, bytes: usize) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        let piece = vec![b'x'; 1 << 20];
        for at in (0..bytes).step_by(piece.len()) {
            file.write_all_at(&piece, at as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes, place: 0, waiting: Vec::new() })
    }

    /// These bytes belong to the next commit.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// One write and one fdatasync. A full file is written again from its start.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.place + self.waiting.len() > self.bytes {
            self.place = 0;
        }
        self.file.write_all_at(&self.waiting, self.place as u64)?;
        self.file.sync_data()?;
        self.place += self.waiting.len();
        self.waiting.clear();
        Ok(())
    }
}
