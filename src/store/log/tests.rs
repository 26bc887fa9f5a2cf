//! The embedded log on the machine's filesystem, under both drivers.

use std::future::Future;
use std::time::Duration;

use monoio::blocking::DefaultThreadPool;
use tempfile::TempDir;

use super::disk::{Io, RealDisk};
use super::*;
use crate::event::{Ordinal, Timestamp};
use crate::store::conformance::witness::{Witness, name};
use crate::store::conformance::{self, Rig};
use crate::store::{Pace, StreamStore};

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

/// Appends one event at this moment.
async fn append_at(rig: &RealRig, stream: &LogStream<RealDisk>, seconds: u64) {
    rig.clock.set(Timestamp::from_millis(seconds * 1_000));
    stream.append(vec![bytes::Bytes::from_static(b"event")]).await.unwrap();
}

#[test]
fn how_long_an_event_is_kept_is_told_by_each_rule() {
    let rig = RealRig::new(Io::Pool);
    run(Io::Pool, async {
        let pace = |events, bytes| Pace { events, bytes };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let name = StreamName::new("s").unwrap();
        let nobody: Rc<dyn Observer> = Rc::new(Deaf);
        let age = Some(Duration::from_secs(8_000));
        let store = rig.store(Retain { age, bytes: Some(1 << 20), events: Some(100) }).await;
        let stream = store.open(&name, nobody).await.unwrap();
        let oldest = stream.bounds().floor;
        for moment in [100_000, 100_001, 101_100, 102_200] {
            append_at(&rig, &stream, moment).await;
        }
        // By age alone, while nothing comes: each lies in a segment of its own but the first two.
        let idle = pace(0.0, 0.0);
        assert_eq!(stream.kept_for(oldest.plus(3), idle), seconds(8_000 - 1_100));
        rig.clock.set(Timestamp::from_millis(103_200_000));
        assert_eq!(stream.kept_for(oldest.plus(3), idle), seconds(8_000 - 2_100));
        // A hundred are kept, and one more than this one is there.
        assert_eq!(stream.kept_for(oldest.plus(2), pace(1.0, 0.0)), seconds(98));
        // All bytes from the event's segment on stay while there is no more than 1 MiB.
        let held = stream.bounds().bytes;
        let bytes = u32::try_from((1 << 20) - held).unwrap();
        assert_eq!(stream.kept_for(oldest, pace(0.0, f64::from(bytes) / 60.0)), seconds(60));
        stream.close().await.unwrap();
    });
}

#[test]
fn what_no_rule_takes_is_kept_for_ever() {
    let rig = RealRig::new(Io::Pool);
    run(Io::Pool, async {
        let store = rig.store(Retain::default()).await;
        let name = StreamName::new("s").unwrap();
        let stream = store.open(&name, Rc::new(Deaf)).await.unwrap();
        append_at(&rig, &stream, 5).await;
        let fast = Pace { events: 1e9, bytes: 1e12 };
        assert_eq!(stream.kept_for(stream.bounds().floor, fast), None);
        stream.close().await.unwrap();
    });
}

/// Nobody who would listen.
struct Deaf;

impl Observer for Deaf {
    fn visible(&self, _: &crate::store::Block) {}
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
