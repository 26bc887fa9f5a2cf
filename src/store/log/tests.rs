//! The embedded log on the machine's filesystem, under both drivers.

use std::future::Future;
use std::time::Duration;

use monoio::blocking::DefaultThreadPool;
use tempfile::TempDir;

use super::disk::{Io, RealDisk};
use super::*;
use crate::event::{Ordinal, Timestamp};
use crate::store::StreamStore;
use crate::store::conformance::witness::{Witness, name};
use crate::store::conformance::{self, Rig};

/// A log in a directory of its own.
struct RealRig {
    directory: TempDir,
    clock: Clock,
    io: Io,
}

impl RealRig {
    fn new(io: Io) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        Self { directory: TempDir::new().unwrap(), clock, io }
    }
}

impl Rig for RealRig {
    type Store = LogStore<RealDisk>;

    async fn store(&self, retain: Retain) -> LogStore<RealDisk> {
        let mut options = LogOptions::new(Fsync::Always, retain);
        // Small segments meet more edges.
        options.segment_bytes_max = options.segment_bytes_max.min(128 * 1024);
        let streams = self.directory.path().join("streams");
        LogStore::new(RealDisk::new(self.io), streams, options, self.clock.clone())
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Runs on a runtime of the driver that `io` is for; false where the kernel refuses io_uring.
fn run(io: Io, test: impl Future<Output = ()>) -> bool {
    let pool = Box::new(DefaultThreadPool::new(2));
    match io {
        Io::Ring => {
            let builder = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new();
            match builder.with_entries(256).enable_timer().attach_thread_pool(pool).build() {
                Ok(mut runtime) => runtime.block_on(test),
                Err(error) => {
                    println!("not run: no io_uring here: {error}");
                    return false;
                }
            }
        }
        Io::Pool => {
            let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new();
            let runtime = builder.enable_timer().attach_thread_pool(pool).build();
            runtime.unwrap().block_on(test);
        }
    }
    true
}

mod ring {
    use super::*;

    macro_rules! on_ring {
        ($property:ident) => {
            let rig = RealRig::new(Io::Ring);
            run(Io::Ring, async { conformance::$property(&rig).await });
        };
    }

    crate::conformance_tests!(on_ring);
}

mod pool {
    use super::*;

    macro_rules! on_pool {
        ($property:ident) => {
            let rig = RealRig::new(Io::Pool);
            run(Io::Pool, async { conformance::$property(&rig).await });
        };
    }

    crate::conformance_tests!(on_pool);
}

#[test]
fn segments_are_an_eighth_of_what_is_kept_within_bounds() {
    let options = |bytes| LogOptions::new(Fsync::Always, Retain { bytes, ..Retain::default() });
    let bytes_max = |bytes| options(bytes).segment_bytes_max;
    assert_eq!(bytes_max(None), SEGMENT_BYTES_MAX);
    assert_eq!(bytes_max(Some(1 << 30)), SEGMENT_BYTES_MAX);
    assert_eq!(bytes_max(Some(80 << 20)), 10 << 20);
    assert_eq!(bytes_max(Some(1)), SEGMENT_BYTES_MIN);
    let rules = Retain { age: Some(Duration::from_secs(80)), bytes: None, events: Some(3) };
    let options = LogOptions::new(Fsync::Never, rules);
    assert_eq!(options.segment_age_max, Some(Duration::from_secs(10)));
    assert_eq!(options.segment_events_max, Some(1));
}

#[test]
fn zeros_are_written_ahead_and_cut_off_when_a_segment_is_done_with() {
    let rig = RealRig::new(Io::Pool);
    run(Io::Pool, async {
        let store = rig.store(Retain::default()).await;
        let s = name("s");
        let open = async || store.open(&s, Witness::new()).await.unwrap();
        let append = async |stream: &LogStream<RealDisk>, bytes: usize| {
            stream.append(vec![vec![b'a'; bytes].into()]).await.unwrap();
        };
        let sizes = || {
            let files = std::fs::read_dir(rig.directory.path().join("streams/s")).unwrap();
            let mut files: Vec<_> = files.map(|file| file.unwrap()).collect();
            files.sort_by_key(std::fs::DirEntry::file_name);
            files.iter().map(|file| file.metadata().unwrap().len()).collect::<Vec<_>>()
        };
        let stream = open().await;
        append(&stream, 5_000).await;
        let held = stream.bounds().bytes;
        assert_eq!(sizes(), [2 * held], "as much ahead as there is");
        append(&stream, 3_000).await;
        assert_eq!(sizes(), [2 * held], "and it is used up before there is more");
        // Killed: the zeros are no torn bytes, and nothing is lost.
        drop(stream);
        let stream = open().await;
        assert_eq!(stream.bounds().ceiling, Ordinal::new(3));
        append(&stream, 5_000).await;
        append(&stream, 120_000).await;
        let first_segment = stream.bounds().bytes;
        append(&stream, 5_000).await;
        assert_eq!(sizes().len(), 2);
        assert_eq!(sizes()[0], first_segment, "the one before is cut to its end");
        assert!(sizes().iter().sum::<u64>() > stream.bounds().bytes);
        stream.close().await.unwrap();
        assert_eq!(sizes().iter().sum::<u64>(), stream.bounds().bytes);
    });
}
