//! What holds when events are read.

use std::rc::Rc;

use bytes::Bytes;

use crate::config::Retain;
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::proto::websocket::frame::header_len;
use crate::store::{Located, Reader, Reading, Store, StreamStore};

use super::Rig;
use super::witness::{Seen, Witness, bodies, name, read_all, read_on};

/// Appends of many sizes, one with everything that is never sent.
async fn fill<S: StreamStore>(rig: &impl Rig, stream: &S) {
    for (round, size) in [3, 120, 130, 5_000, 70_000, 1, 200].into_iter().enumerate() {
        rig.clock().set(Timestamp::from_millis(1_000 + 10 * round as u64));
        let body = Bytes::from(vec![b'a' + u8::try_from(round).unwrap(); size]);
        stream.append(vec![body.clone(), Bytes::from("x"), body]).await.unwrap();
        if round % 2 == 0 {
            stream.append(bodies(["before", "POISON", "", "after"])).await.unwrap();
        }
    }
}

/// Whatever the cursor and the room: the same bytes, from there to the ceiling.
pub async fn readers_yield_what_the_observer_saw_from_any_cursor<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    fill(rig, &*stream).await;
    let all = witness.events();
    for bytes_max in [1, 7, 1_000, 65_536, 1 << 20] {
        if bytes_max > 1 {
            assert_eq!(read_all(&*stream, Cursor::default(), bytes_max).await.unwrap(), all);
        }
        for (index, event) in all.iter().enumerate() {
            let length = event.frame.len() as u64;
            for sent in [0, 1, 3, length / 2, length.saturating_sub(1)] {
                if sent >= length && sent > 0 || bytes_max < 1_000 && length > 1_000 {
                    continue;
                }
                let from = Cursor { ordinal: event.ordinal, sent };
                let mut reader = stream.reader(from);
                let few = take(&mut reader, 3, bytes_max).await;
                let rest = event.frame.slice(usize::try_from(sent).unwrap()..);
                let expected = [Seen { frame: rest, ..event.clone() }];
                let expected: Vec<_> = expected.iter().chain(&all[index + 1..]).cloned().collect();
                starts_with(&few, &expected);
            }
        }
    }
    stream.close().await.unwrap();
}

/// At most `count` readings' worth of frames and POISONs, as (ordinal, bytes).
async fn take<R: Reader>(reader: &mut R, count: usize, bytes_max: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for _ in 0..count {
        match reader.read(bytes_max).await.unwrap() {
            Reading::End => break,
            Reading::Poison(ordinal) => {
                seen.push(Seen { ordinal, timestamp: Timestamp::EPOCH, frame: Bytes::new() })
            }
            Reading::Piece(piece) => {
                assert!(piece.bytes.len() <= bytes_max);
                let run = piece.runs[0];
                let (ordinal, timestamp) = (run.from.ordinal, run.timestamp);
                seen.push(Seen { ordinal, timestamp, frame: piece.bytes });
            }
        }
    }
    seen
}

/// The readings are the beginning of the events: same bytes between the POISONs.
fn starts_with(readings: &[Seen], events: &[Seen]) {
    let flat = |seen: &[Seen]| -> Vec<u8> {
        let poison =
            |seen: &Seen| if seen.frame.is_empty() { b"|POISON|".to_vec() } else { vec![] };
        seen.iter().flat_map(|seen| [poison(seen), seen.frame.to_vec()].concat()).collect()
    };
    assert!(!readings.is_empty());
    assert_eq!(readings[0].ordinal, events[0].ordinal);
    assert_eq!(readings[0].timestamp, events[0].timestamp);
    let (readings, events) = (flat(readings), flat(events));
    assert!(events.starts_with(&readings), "a reader yields the events in order");
}

/// A reader at the ceiling goes on with what is appended next.
pub async fn a_reader_goes_on_when_more_is_appended<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let mut reader = stream.reader(Cursor::before(stream.bounds().ceiling));
    let mut seen = Vec::new();
    for round in 0..5 {
        assert!(matches!(reader.read(100).await.unwrap(), Reading::End));
        stream.append(bodies(["a", "POISON", "b"])).await.unwrap();
        if round % 2 == 0 {
            stream.append(bodies(["", "c"])).await.unwrap();
        }
        seen.extend(read_on(&mut reader, 40).await.unwrap());
        assert_eq!(seen, witness.events());
    }
    stream.close().await.unwrap();
}

/// Nothing below the cursor is ever for its reader.
pub async fn a_cursor_beyond_the_ceiling_waits<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    stream.append(bodies(["a"])).await.unwrap();
    let from = stream.bounds().ceiling.plus(3);
    let mut reader = stream.reader(Cursor::before(from));
    for _ in 0..5 {
        stream.append(bodies(["x"])).await.unwrap();
        if stream.bounds().ceiling <= from {
            assert!(matches!(reader.read(100).await.unwrap(), Reading::End));
        }
    }
    let seen = read_on(&mut reader, 100).await.unwrap();
    let expected: Vec<_> =
        witness.events().into_iter().filter(|event| event.ordinal >= from).collect();
    assert_eq!(seen, expected);
    assert_eq!(seen.len(), 2);
    stream.close().await.unwrap();
}

/// A POISON comes between the frames around it, and `ends_in_poison` tells of the last event only.
pub async fn a_poison_is_told_in_its_place<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    for (body, ends) in [("POISON", true), ("POISON", true), ("a", false), ("POISON", true)] {
        let receipt = stream.append(bodies([body])).await.unwrap();
        assert_eq!(stream.bounds().ends_in_poison, ends);
        let mut reader = stream.reader(Cursor::before(receipt.first));
        let reading = reader.read(10).await.unwrap();
        assert_eq!(matches!(reading, Reading::Poison(at) if at == receipt.first), ends);
    }
    assert_eq!(read_all(&*stream, Cursor::default(), 5).await.unwrap(), witness.events());
    stream.append(bodies([""])).await.unwrap();
    assert!(!stream.bounds().ends_in_poison);
    stream.append(bodies(["POISON"])).await.unwrap();
    stream.close().await.unwrap();
    let store = rig.store(Retain::default()).await;
    let stream = store.open(&name("s"), Witness::new()).await.unwrap();
    assert!(stream.bounds().ends_in_poison);
    stream.close().await.unwrap();
}

/// A frame of megabytes comes whole, in bounded pieces, from any place in it.
pub async fn large_events_come_in_pieces<R: Rig>(rig: &R) {
    let store = rig.store(Retain::default()).await;
    let witness = Witness::new();
    let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    stream.append(vec![Bytes::from("small"), large.into(), Bytes::from("end")]).await.unwrap();
    let all = witness.events();
    assert!(all[1].frame.len() > 3_000_000 + header_len(3_000_000));
    for bytes_max in [10_007, 65_536, 5_000_000] {
        assert_eq!(read_all(&*stream, Cursor::default(), bytes_max).await.unwrap(), all);
    }
    for sent in [1, 9, 10, 100_000, all[1].frame.len() as u64 - 1] {
        let from = Cursor { ordinal: all[1].ordinal, sent };
        let seen = read_all(&*stream, from, 50_000).await.unwrap();
        assert_eq!(seen[0].frame, all[1].frame.slice(usize::try_from(sent).unwrap()..));
        assert_eq!(seen[1..], all[2..]);
    }
    stream.close().await.unwrap();
}

/// A restart changes no byte and no bound, and appends go on behind.
pub async fn everything_survives_being_opened_again<R: Rig>(rig: &R) {
    let witness = Witness::new();
    let mut bounds = None;
    for _ in 0..3 {
        let store = rig.store(Retain::default()).await;
        let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
        if let Some(bounds) = bounds {
            let mut now = stream.bounds();
            // A restart may leave a mark of its own in the store.
            now.bytes = bounds_bytes(&bounds);
            assert_eq!(now, bounds);
        }
        assert_eq!(read_all(&*stream, Cursor::default(), 999).await.unwrap(), witness.events());
        fill(rig, &*stream).await;
        assert_eq!(read_all(&*stream, Cursor::default(), 999).await.unwrap(), witness.events());
        bounds = Some(stream.bounds());
        stream.close().await.unwrap();
    }
}

const fn bounds_bytes(bounds: &crate::store::Bounds) -> u64 {
    bounds.bytes
}

/// The same answer as looking at every block.
pub async fn locate_finds_the_first_not_older<R: Rig>(rig: &R) {
    let witness = Witness::new();
    for life in 0..2 {
        let store = rig.store(Retain::default()).await;
        let stream = store.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
        for round in 0..60 {
            rig.clock().set(Timestamp::from_millis(1_000 + 7 * round / 2 + 300 * life));
            let body = Bytes::from(vec![b'x'; 40 * usize::try_from(round).unwrap()]);
            stream.append(vec![body, Bytes::from("POISON"), Bytes::from("y")]).await.unwrap();
        }
        let blocks = witness.blocks();
        for millis in (0..2_000).step_by(3).chain([u64::MAX]) {
            let timestamp = Timestamp::from_millis(millis);
            let expected = match blocks.iter().find(|block| block.timestamp >= timestamp) {
                Some(block) => Located::At(block.first),
                None => Located::Beyond(stream.bounds().ceiling),
            };
            assert_eq!(stream.locate(timestamp).await.unwrap(), expected, "{millis}");
        }
        stream.close().await.unwrap();
    }
    assert!(witness.blocks()[0].first < Ordinal::new(2));
}
