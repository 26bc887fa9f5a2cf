//! What holds when old events go.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::Retain;
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::store::{Located, ReadError, Reader, Reading, Store, StreamStore};

use super::Rig;
use super::witness::{Seen, Witness, bodies, name, read_all, read_on};

fn from(events: &[Seen], floor: Ordinal) -> Vec<Seen> {
    events.iter().filter(|event| event.ordinal >= floor).cloned().collect()
}

/// Exactly the newest so many events stay.
pub async fn retention_by_count_is_exact<R: Rig>(rig: &R) {
    let store = rig.store(Retain { events: Some(10), ..Retain::default() }).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let mut floor = stream.bounds().floor;
    let mut total = 0;
    for count in [3, 7, 1, 5, 30, 2] {
        total += count as u64;
        stream.append(vec![Bytes::from("x"); count]).await.unwrap();
        let gone = stream.retain().await.unwrap();
        let bounds = stream.bounds();
        assert_eq!(bounds.ceiling.since(bounds.floor), total.min(10));
        assert_eq!(bounds.floor.since(floor), gone);
        floor = bounds.floor;
        let read = read_all(&*stream, Cursor::default(), 50).await.unwrap();
        assert_eq!(read, from(&witness.events(), floor));
    }
    assert_eq!(stream.retain().await.unwrap(), 0);
    stream.close().await.unwrap();
}

/// What is younger than the age stays, what is older goes.
pub async fn retention_by_age_keeps_the_young<R: Rig>(rig: &R) {
    let age = Some(Duration::from_millis(1_000));
    let store = rig.store(Retain { age, ..Retain::default() }).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    for millis in [5_000, 5_400, 5_999, 6_000, 6_001, 6_500] {
        rig.clock().set(Timestamp::from_millis(millis));
        stream.append(bodies(["a", "b"])).await.unwrap();
        stream.retain().await.unwrap();
        let oldest = Timestamp::from_millis(millis - 1_000);
        let blocks = witness.blocks();
        let kept = blocks.iter().find(|block| block.timestamp >= oldest).unwrap();
        assert_eq!(stream.bounds().floor, kept.first, "at {millis}");
        let read = read_all(&*stream, Cursor::default(), 50).await.unwrap();
        assert_eq!(read, from(&witness.events(), kept.first));
        assert_eq!(stream.locate(Timestamp::EPOCH).await.unwrap(), Located::At(kept.first));
    }
    stream.close().await.unwrap();
}

/// With too much in store the oldest go, and what stays is whole.
pub async fn retention_by_bytes_drops_the_oldest<R: Rig>(rig: &R) {
    let bytes = 16 << 20;
    let store = rig.store(Retain { bytes: Some(bytes), ..Retain::default() }).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    for _ in 0..30 {
        stream.append(vec![Bytes::from(vec![b'x'; 1_000_000])]).await.unwrap();
        stream.retain().await.unwrap();
        assert!(stream.bounds().bytes <= bytes);
    }
    let bounds = stream.bounds();
    assert!(bounds.bytes > bytes / 2, "not more than needed goes");
    assert!(bounds.floor > Ordinal::new(10));
    let read = read_all(&*stream, Cursor::default(), 1 << 20).await.unwrap();
    assert_eq!(read, from(&witness.events(), bounds.floor));
    stream.close().await.unwrap();
}

/// With no event left, the stream still knows its next ordinal and its time, also after a restart.
pub async fn an_emptied_stream_keeps_its_place<R: Rig>(rig: &R) {
    let retain = Retain { age: Some(Duration::from_millis(100)), ..Retain::default() };
    let mut expected = None;
    for life in 0..3 {
        let store = rig.store(retain).await;
        let witness = Witness::new();
        let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
        if let Some((ceiling, newest)) = expected {
            let bounds = stream.bounds();
            assert_eq!((bounds.floor, bounds.ceiling, bounds.newest), (ceiling, ceiling, newest));
        }
        rig.clock().set(Timestamp::from_millis(10_000 - 1_000 * life));
        let some = vec![Bytes::from("x"); 50];
        let receipt = stream.append([some, bodies(["POISON"])].concat()).await.unwrap();
        let used = stream.bounds().bytes;
        rig.clock().set(Timestamp::from_millis(20_000 + 1_000 * life));
        assert_eq!(stream.retain().await.unwrap(), 51);
        let bounds = stream.bounds();
        assert_eq!((bounds.floor, bounds.ceiling), (receipt.last.next(), receipt.last.next()));
        assert!(bounds.bytes < used && !bounds.ends_in_poison);
        assert_eq!(read_all(&*stream, Cursor::default(), 50).await.unwrap(), []);
        let located = stream.locate(Timestamp::EPOCH).await.unwrap();
        assert_eq!(located, Located::Beyond(bounds.ceiling));
        expected = Some((bounds.ceiling, receipt.timestamp));
        stream.close().await.unwrap();
    }
}

/// A reader whose events are gone goes on at the floor; inside a frame it can't.
pub async fn a_cursor_below_the_floor_moves_up_or_is_lost<R: Rig>(rig: &R) {
    let store = rig.store(Retain { events: Some(3), ..Retain::default() }).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let first = stream.append(vec![Bytes::from("x"); 10]).await.unwrap().first;
    let mut readers = [0, 1, 2].map(|sent| stream.reader(Cursor { ordinal: first, sent }));
    stream.retain().await.unwrap();
    let floor = stream.bounds().floor;
    assert_eq!(floor, first.plus(7));
    let [boundary, inside, _] = &mut readers;
    assert!(matches!(inside.read(100).await, Err(ReadError::Lost)));
    let seen = read_on(boundary, 100).await.unwrap();
    assert_eq!(seen, from(&witness.events(), floor));
    stream.close().await.unwrap();
}

/// A reader in the middle of what goes has no gap but the one told by the next ordinal.
pub async fn a_reader_survives_retention<R: Rig>(rig: &R) {
    let store = rig.store(Retain { events: Some(40), ..Retain::default() }).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let mut reader = stream.reader(Cursor::default());
    let mut last = Cursor::default();
    for round in 0..60 {
        stream.append(vec![Bytes::from(format!("{round:>20}")); 7]).await.unwrap();
        if round % 5 == 4 {
            stream.retain().await.unwrap();
        }
        for _ in 0..3 {
            // Whole frames only: a reader inside a frame would be lost, and rightly.
            match reader.read(1 << 16).await.unwrap() {
                Reading::Piece(piece) => {
                    assert!(piece.runs[0].from >= last && piece.end.at_boundary());
                    let ordinal = piece.runs[0].from.ordinal;
                    let events = witness.events();
                    let rest: Vec<u8> = from(&events, ordinal)
                        .iter()
                        .flat_map(|seen| seen.frame.to_vec())
                        .collect();
                    assert!(rest.starts_with(&piece.bytes));
                    last = piece.end;
                }
                Reading::End => assert_eq!(last.ordinal, stream.bounds().ceiling),
                Reading::Poison(_) => unreachable!("none was appended"),
            }
        }
    }
    stream.close().await.unwrap();
}
