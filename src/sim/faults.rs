//! One fault at a time: what an append answers, and what is there afterwards.

use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{SimDisk, Survival, run};
use crate::clock::Clock;
use crate::config::{Fsync, Retain};
use crate::event::{Cursor, Timestamp};
use crate::store::conformance::witness::{Witness, bodies, name, read_all, together};
use crate::store::log::{LogOptions, LogStore};
use crate::store::{AppendError, Store, StreamStore};

fn store(disk: &SimDisk, fsync: Fsync) -> LogStore<SimDisk> {
    let options = LogOptions::new(fsync, Retain::default());
    let clock = Clock::manual(Timestamp::from_millis(1));
    LogStore::new(disk.clone(), PathBuf::from("/streams"), options, clock)
}

#[test]
fn a_full_disk_stores_nothing_half_and_takes_events_when_there_is_space() {
    let disk = SimDisk::new(1);
    run(async {
        let witness = Witness::new();
        let opened = store(&disk, Fsync::Always).open(&name("s"), Rc::clone(&witness) as _).await;
        let stream = opened.unwrap();
        stream.append(bodies(["before"])).await.unwrap();
        let bounds = stream.bounds();
        disk.set_space(Some(150));
        let appends = (0..3).map(|_| stream.append(bodies(["one", "POISON", "two"])));
        for answer in together(appends).await {
            assert!(matches!(answer, Err(AppendError::NoSpace)));
        }
        assert_eq!(stream.bounds(), bounds);
        disk.set_space(None);
        let receipt = stream.append(bodies(["after"])).await.unwrap();
        assert_eq!(receipt.first, bounds.ceiling, "no ordinal was used up");
        stream.close().await.unwrap();
        let stream = store(&disk, Fsync::Always).open(&name("s"), Witness::new()).await.unwrap();
        let read = read_all(&*stream, Cursor::default(), 100).await.unwrap();
        assert_eq!(read, witness.events());
        assert_eq!(read.len(), 2);
    });
}

#[test]
fn a_full_disk_can_still_be_opened_and_read() {
    let disk = SimDisk::new(1);
    run(async {
        let stream = store(&disk, Fsync::Always).open(&name("s"), Witness::new()).await.unwrap();
        stream.append(bodies(["before"])).await.unwrap();
        disk.crash(Survival::Nothing);
        disk.set_space(Some(10));
        let stream = store(&disk, Fsync::Always).open(&name("s"), Witness::new()).await.unwrap();
        assert_eq!(read_all(&*stream, Cursor::default(), 100).await.unwrap().len(), 1);
        let full = stream.append(bodies(["more"])).await;
        assert!(matches!(full, Err(AppendError::NoSpace)));
        disk.set_space(None);
        stream.append(bodies(["more"])).await.unwrap();
        assert_eq!(read_all(&*stream, Cursor::default(), 100).await.unwrap().len(), 2);
    });
}

#[test]
fn a_failed_sync_is_final_and_what_was_visible_stays_readable() {
    let disk = SimDisk::new(1);
    run(async {
        let witness = Witness::new();
        let store = store(&disk, Fsync::Always);
        let opened = store.open(&name("s"), Rc::clone(&witness) as _).await;
        let stream = opened.unwrap();
        stream.append(bodies(["before"])).await.unwrap();
        assert_eq!(store.defect(), None);
        disk.set_sync_fails_one_in(Some(1));
        let appends = (0..3).map(|_| stream.append(bodies(["lost"])));
        for answer in together(appends).await {
            assert!(matches!(answer, Err(AppendError::Poisoned(_))));
        }
        disk.set_sync_fails_one_in(None);
        let later = stream.append(bodies(["later"])).await;
        assert!(matches!(later, Err(AppendError::Poisoned(_))), "no sync can be trusted again");
        assert!(stream.retain().await.is_err() && stream.sync().await.is_err());
        let read = read_all(&*stream, Cursor::default(), 100).await.unwrap();
        assert_eq!((read.len(), read), (1, witness.events()));
        let defect = store.defect().unwrap();
        assert!(defect.starts_with("stream s: the log takes no more events until a restart: sync"));
        assert!(stream.close().await.is_err(), "closing tells it too");
        assert_eq!(store.defect(), None, "it is gone");
    });
}

#[test]
fn with_an_interval_events_are_visible_at_once_and_durable_after_sync() {
    let disk = SimDisk::new(1);
    run(async {
        let interval = Fsync::Interval(std::time::Duration::from_millis(1));
        let stream = store(&disk, interval).open(&name("s"), Witness::new()).await.unwrap();
        stream.append(bodies(["synced"])).await.unwrap();
        stream.sync().await.unwrap();
        stream.append(bodies(["lost"])).await.unwrap();
        assert_eq!(read_all(&*stream, Cursor::default(), 100).await.unwrap().len(), 2);
        disk.crash(Survival::Nothing);
        let stream = store(&disk, interval).open(&name("s"), Witness::new()).await.unwrap();
        assert_eq!(read_all(&*stream, Cursor::default(), 100).await.unwrap().len(), 1);
    });
}

#[test]
fn an_append_dropped_while_it_writes_poisons_and_leaves_nobody_waiting() {
    let disk = SimDisk::new(1);
    run(async {
        let stream = store(&disk, Fsync::Always).open(&name("s"), Witness::new()).await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut leader = Box::pin(stream.append(bodies(["leader"])));
        let mut behind = Box::pin(stream.append(bodies(["behind"])));
        assert!(leader.as_mut().poll(&mut context).is_pending());
        assert!(behind.as_mut().poll(&mut context).is_pending());
        drop(leader);
        let Poll::Ready(answer) = behind.as_mut().poll(&mut context) else {
            panic!("it waits for nobody");
        };
        assert!(matches!(answer, Err(AppendError::Poisoned(_))));
    });
}
