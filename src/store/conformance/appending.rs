//! What holds when events are appended, and for a stream as a whole.

use std::rc::Rc;

use bytes::Bytes;

use crate::config::Retain;
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::store::{AppendError, Kind, ReadError, Reader, Receipt, Store, StreamStore};

use super::Rig;
use super::witness::{Witness, bodies, name, read_all, together};

/// A stream nobody appended to holds nothing.
pub async fn a_new_stream_is_empty<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let stream = store.open(&name("s"), Witness::new()).await.unwrap();
    let bounds = stream.bounds();
    assert_eq!(bounds.floor, bounds.ceiling);
    assert_eq!((bounds.newest, bounds.ends_in_poison), (Timestamp::EPOCH, false));
    assert_eq!(read_all(&*stream, Cursor::default(), 100).await.unwrap(), []);
    stream.close().await.unwrap();
}

/// Each event takes the next ordinal; a receipt names the first and last of its append.
pub async fn ordinals_are_dense_and_receipts_say_them<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let stream = store.open(&name("s"), Witness::new()).await.unwrap();
    let mut next = stream.bounds().ceiling;
    for count in [1, 3, 200, 1] {
        rig.clock().set(Timestamp::from_millis(1_000 + count));
        let some = (0..count).map(|n| Bytes::from(format!("event {n}"))).collect();
        let receipt = stream.append(some).await.unwrap();
        let last = Ordinal::new(next.get() + count - 1);
        let timestamp = receipt.timestamp;
        assert_eq!(receipt, Receipt { first: next, last, timestamp, withheld: vec![] });
        next = last.next();
        assert_eq!(stream.bounds().ceiling, next);
        assert_eq!(stream.bounds().newest, timestamp);
    }
    stream.close().await.unwrap();
}

/// When an append answers, the observer has seen its blocks, and a reader finds them.
pub async fn the_observer_sees_everything_before_the_answer<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    for _ in 0..3 {
        let receipt = stream.append(bodies(["one", "POISON", "two"])).await.unwrap();
        let seen = witness.blocks();
        assert_eq!(seen.last().unwrap().next(), receipt.last.next());
        assert_eq!(seen.last().unwrap().timestamp, receipt.timestamp);
        let read = read_all(&*stream, Cursor::default(), 1_000).await.unwrap();
        assert_eq!(read.last(), witness.events().last());
    }
    stream.close().await.unwrap();
}

/// Appends polled side by side are stored one after the other, in the order of their first poll.
pub async fn appends_that_meet_stay_whole_and_in_order<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let mut next = stream.bounds().ceiling;
    for round in 0..4 {
        let append = |n: usize| {
            let some = (0..=n % 7).map(|event| Bytes::from(format!("{round} {n} {event}")));
            stream.append(some.collect())
        };
        let receipts = together((0..40).map(append)).await;
        for (n, receipt) in receipts.into_iter().enumerate() {
            let receipt = receipt.unwrap();
            assert_eq!(receipt.first, next, "append {n} of round {round}");
            assert_eq!(receipt.last.next().since(next), n as u64 % 7 + 1);
            for (event, ordinal) in (next.get()..).take(n % 7 + 1).enumerate() {
                let events = witness.events();
                let seen = events.iter().find(|seen| seen.ordinal.get() == ordinal).unwrap();
                let body = format!("{round} {n} {event}");
                let found = seen.frame.windows(body.len()).any(|part| part == body.as_bytes());
                assert!(found, "{body} is event {ordinal}");
            }
            next = receipt.last.next();
        }
    }
    stream.close().await.unwrap();
}

/// The clock may go back, the stream's time does not: not within a life, not after it.
pub async fn timestamps_never_go_back<R: Rig>(rig: &R) {
    let witness = Witness::new();
    let mut newest = Timestamp::EPOCH;
    for millis in [5_000, 4_000, 6_000, 1_000, 7_000, 0] {
        rig.clock().set(Timestamp::from_millis(millis));
        let store = rig.store(Retain::default()).await;
        let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
        assert_eq!(stream.bounds().newest, newest);
        for body in ["a", "POISON", "b"] {
            let receipt = stream.append(bodies([body])).await.unwrap();
            assert!(receipt.timestamp >= newest.max(Timestamp::from_millis(millis)));
            newest = receipt.timestamp;
        }
        stream.close().await.unwrap();
    }
}

/// POISON and bodies that can't be delivered take ordinals; the receipt says why of the latter.
pub async fn what_is_never_sent_takes_an_ordinal<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let mut some = bodies(["a", "POISON", "", "b"]);
    some.push(Bytes::from_static(b"\xFF\xFE"));
    let receipt = stream.append(some).await.unwrap();
    let first = receipt.first.get();
    assert_eq!(receipt.last.get(), first + 4);
    let withheld: Vec<_> = receipt.withheld.iter().map(|(at, _)| at.get() - first).collect();
    assert_eq!(withheld, [2, 4]);
    let kinds: Vec<_> = witness.blocks().iter().map(|b| (b.first.get() - first, b.kind)).collect();
    let framed = Kind::Framed;
    let expected =
        [(0, framed), (1, Kind::Poison), (2, Kind::Withheld), (3, framed), (4, Kind::Withheld)];
    assert_eq!(kinds, expected);
    assert_eq!(read_all(&*stream, Cursor::default(), 10).await.unwrap(), witness.events());
    let only = stream.append(bodies(["", ""])).await.unwrap();
    assert_eq!(only.withheld.len(), 2);
    assert_eq!(read_all(&*stream, Cursor::before(only.first), 10).await.unwrap(), []);
    stream.close().await.unwrap();
}

/// After `close`, appends and readers say so; closing again is fine.
pub async fn a_closed_stream_refuses<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let stream = store.open(&name("s"), Witness::new()).await.unwrap();
    stream.append(bodies(["a"])).await.unwrap();
    let mut reader = stream.reader(Cursor::default());
    stream.close().await.unwrap();
    stream.close().await.unwrap();
    assert!(matches!(stream.append(bodies(["b"])).await, Err(AppendError::Closed)));
    assert!(matches!(reader.read(10).await, Err(ReadError::Closed)));
    let located = stream.locate(Timestamp::EPOCH).await;
    assert!(matches!(located, Err(ReadError::Closed)));
}

/// A removed stream is gone; the next of its name knows nothing of it.
pub async fn a_removed_stream_begins_anew<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    store.remove(&name("s")).await.unwrap();
    let mut first = None;
    for _ in 0..3 {
        let stream = store.open(&name("s"), Witness::new()).await.unwrap();
        assert_eq!(stream.bounds().floor, stream.bounds().ceiling);
        assert_eq!(stream.bounds().newest, Timestamp::EPOCH);
        let receipt = stream.append(bodies(["a", "b"])).await.unwrap();
        assert_eq!(*first.get_or_insert(receipt.first), receipt.first);
        stream.close().await.unwrap();
        store.remove(&name("s")).await.unwrap();
        store.remove(&name("s")).await.unwrap();
    }
}

/// Streams of one store have nothing in common.
pub async fn streams_do_not_mix<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witnesses = [Witness::new(), Witness::new()];
    let one = store.open(&name("one"), Rc::clone(&witnesses[0]) as _).await.unwrap();
    let two = store.open(&name("two"), Rc::clone(&witnesses[1]) as _).await.unwrap();
    for _ in 0..3 {
        one.append(bodies(["1"])).await.unwrap();
        two.append(bodies(["2", "2"])).await.unwrap();
    }
    for (stream, witness, count) in [(&one, &witnesses[0], 3), (&two, &witnesses[1], 6)] {
        let read = read_all(&**stream, Cursor::default(), 1_000).await.unwrap();
        assert_eq!(read, witness.events());
        assert_eq!(read.len(), count);
    }
    one.close().await.unwrap();
    store.remove(&name("one")).await.unwrap();
    assert_eq!(read_all(&*two, Cursor::default(), 1_000).await.unwrap().len(), 6);
    two.close().await.unwrap();
}

/// Any name of 1–255 bytes is a stream, also one that looks like a path.
pub async fn every_name_is_a_stream_of_its_own<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let long = "x".repeat(255);
    let longer = format!("{}y", &long[..254]);
    let names = ["a", "A", "..", ".", "/", "a/../b", "~a", "\0", "%61", " ", "é", &long, &longer];
    for (index, text) in names.iter().enumerate() {
        let stream = store.open(&name(text), Witness::new()).await.unwrap();
        let some = vec![Bytes::from("x"); index + 1];
        stream.append(some).await.unwrap();
        stream.close().await.unwrap();
    }
    for (index, text) in names.iter().enumerate() {
        let stream = store.open(&name(text), Witness::new()).await.unwrap();
        let read = read_all(&*stream, Cursor::default(), 1_000).await.unwrap();
        assert_eq!(read.len(), index + 1, "{text:?}");
        stream.close().await.unwrap();
        store.remove(&name(text)).await.unwrap();
    }
}
