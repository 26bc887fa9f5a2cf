//! The embedded log on a disk in memory.

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use ess::clock::Clock;
use ess::config::{Fsync, Retain};
use ess::event::StreamName;
use ess::store::log::{LogOptions, LogStore, LogStream};
use ess::store::{Block, Observer, Store, StreamStore};

use super::disk::{MemoryDisk, run};
use super::{NOW, text};

/// Nobody is here.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn visible(&self, _: &Block) {}
}

/// A stream that keeps its newest 8 MiB.
pub(crate) struct Log {
    stream: Rc<LogStream<MemoryDisk>>,
    disk: MemoryDisk,
    appends: u64,
}

/// How a stream of the benches is kept.
pub(crate) fn options(bytes: u64) -> LogOptions {
    let retain = Retain { bytes: Some(bytes), ..Retain::default() };
    let mut options = LogOptions::new(Fsync::Always, retain);
    options.salt = || 7;
    options
}

/// The name of the stream.
pub(crate) fn name() -> StreamName {
    let Ok(name) = StreamName::new("bench") else { panic!("a name is a name") };
    name
}

/// So many bodies of 256 bytes.
pub(crate) fn bodies(count: usize) -> Vec<Bytes> {
    let body = Bytes::from(text(256).into_bytes()).slice(..256);
    vec![body; count]
}

fn open(disk: &MemoryDisk) -> Rc<LogStream<MemoryDisk>> {
    let folder = PathBuf::from("/streams");
    let store = LogStore::new(disk.clone(), folder, options(8 << 20), Clock::manual(NOW));
    let Ok(stream) = run(store.open(&name(), Rc::new(Nobody))) else { panic!("it opens") };
    stream
}

impl Log {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let disk = MemoryDisk::default();
        Self { stream: open(&disk), disk, appends: 0 }
    }

    /// Appends; drops what isn't kept, now and then, as the service does.
    pub(crate) fn append(&mut self, bodies: Vec<Bytes>) {
        let stored = run(self.stream.append(bodies));
        assert!(stored.is_ok(), "memory doesn't fail");
        self.appends += 1;
        if self.appends.is_multiple_of(1_024) {
            assert!(run(self.stream.retain()).is_ok(), "memory doesn't fail");
        }
    }

    /// Opens what a crash left; the next ordinal.
    pub(crate) fn recover(&self) -> u64 {
        open(&self.disk).bounds().ceiling.get()
    }
}
