//! The tail's corners, one by one.

use bytes::Bytes;

use super::model::{Push, Stream, before, bounds, frame, framed, poison, withheld};
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::hub::tail::{Bounds, Tail};
use crate::hub::{Next, Place};
use crate::limits::{TAIL_CHUNK_BYTES, TAIL_ENTRIES_MAX};
use crate::store::{Block, Kind};

/// Follows a tail from `cursor`: what each step says, and the cursor behind it.
fn follow(stream: &Stream, cursor: Cursor) -> Vec<(&'static str, usize, u64)> {
    let (mut place, mut steps) = (Place::at(cursor), Vec::new());
    loop {
        let (word, length, next) = match stream.tail.next(place, usize::MAX) {
            Next::Bytes(bytes, next) => ("bytes", bytes.len(), next),
            Next::Poison(next) => ("poison", 0, next),
            Next::Nothing(next) => ("nothing", 0, next),
            Next::Behind => ("behind", 0, place),
        };
        place = next;
        steps.push((word, length, place.cursor.ordinal.get()));
        if matches!(word, "nothing" | "behind") {
            return steps;
        }
    }
}

fn stream(bytes_max: usize, chunk_bytes: usize, pushes: &[Push]) -> Stream {
    let mut stream = Stream::new(1, bounds(bytes_max, chunk_bytes));
    stream.pushes(pushes);
    stream
}

#[test]
fn many_events_in_a_chunk_are_one_slice() {
    let stream = stream(1000, 24, &[framed(&[6, 6]), framed(&[6]), framed(&[6])]);
    assert_eq!(follow(&stream, before(1)), [("bytes", 24, 4), ("bytes", 8, 5), ("nothing", 0, 5)]);
}

#[test]
fn a_poison_at_a_chunks_end_stands_between_the_chunks() {
    let pushes = [framed(&[6, 6]), poison(), framed(&[6])];
    for chunk_bytes in [16, 17, 100] {
        let stream = stream(1000, chunk_bytes, &pushes);
        let want = [("bytes", 16, 3), ("poison", 0, 4), ("bytes", 8, 5), ("nothing", 0, 5)];
        assert_eq!(follow(&stream, before(1)), want);
    }
}

#[test]
fn a_poison_needs_no_room_and_drives_nothing_out() {
    // Larger than a chunk: nothing fits behind it, but a POISON needs no room.
    let stream = stream(10, 16, &[framed(&[100]), poison()]);
    let want = [("bytes", 102, 2), ("poison", 0, 3), ("nothing", 0, 3)];
    assert_eq!(follow(&stream, before(1)), want);
}

#[test]
fn withheld_events_between_two_chunks_are_passed_over() {
    let stream = stream(1000, 16, &[framed(&[6, 6]), withheld(3), framed(&[6])]);
    assert_eq!(follow(&stream, before(1)), [("bytes", 16, 3), ("bytes", 8, 7), ("nothing", 0, 7)]);
    for inside in 3..=6 {
        assert_eq!(follow(&stream, before(inside)), [("bytes", 8, 7), ("nothing", 0, 7)]);
    }
}

#[test]
fn withheld_events_inside_a_chunk_dont_break_the_slice() {
    let stream = stream(1000, 100, &[framed(&[6]), withheld(2), framed(&[6]), withheld(1)]);
    assert_eq!(follow(&stream, before(1)), [("bytes", 16, 5), ("nothing", 0, 6)]);
}

#[test]
fn events_without_bytes_at_the_very_end_and_alone() {
    let at_the_end = stream(1000, 100, &[framed(&[6]), withheld(2)]);
    assert_eq!(follow(&at_the_end, before(1)), [("bytes", 8, 2), ("nothing", 0, 4)]);
    let alone = stream(1000, 100, &[withheld(2), poison(), withheld(1)]);
    assert_eq!(follow(&alone, before(1)), [("poison", 0, 4), ("nothing", 0, 5)]);
    assert_eq!((alone.tail.bytes(), alone.tail.memory()), (0, 0));
}

/// A partial send of a consumer whose start lies inside a block of withheld events.
#[test]
fn a_cut_behind_withheld_events_counts_from_the_first_frame() {
    let stream = stream(1000, 100, &[withheld(3), framed(&[4, 4, 4])]);
    for start in 1..=4 {
        let after = stream.tail.after(Place::at(before(start)), 7);
        assert_eq!(after.cursor, Cursor { ordinal: Ordinal::new(5), sent: 1 }, "from {start}");
    }
}

/// Frames of 8 bytes: as many as fit, and a part only of one that doesn't.
#[test]
fn a_send_ends_between_two_frames() {
    let stream = stream(100_000, 10_000, &[framed(&[6; 100]), framed(&[30])]);
    for (bytes_max, start, want, end) in [
        (8, before(1), 8, before(2)),
        (15, before(1), 8, before(2)),
        (16, before(99), 16, before(101)),
        (799, before(1), 792, before(100)),
        (800, before(1), 800, before(101)),
        (831, before(1), 800, before(101)),
        (832, before(1), 832, before(102)),
        (7, before(1), 7, Cursor { ordinal: Ordinal::new(1), sent: 7 }),
        (7, Cursor { ordinal: Ordinal::new(50), sent: 3 }, 5, before(51)),
        (31, before(101), 31, Cursor { ordinal: Ordinal::new(101), sent: 31 }),
    ] {
        let Next::Bytes(bytes, place) = stream.tail.next(Place::at(start), bytes_max) else {
            panic!("{bytes_max} from {start:?}")
        };
        assert_eq!((bytes.len(), place.cursor), (want, end), "{bytes_max} from {start:?}");
    }
}

/// Entries stay short, so that finding a place in a long block is a short walk.
#[test]
fn every_place_in_a_long_block_is_found() {
    let stream = stream(100_000, 10_000, &[framed(&[6; 31]), framed(&[6; 2]), framed(&[6; 200])]);
    for sent in [1, 8, 247, 248, 255, 256, 257, 264, 265, 1_000, 1_863] {
        let place = stream.tail.after(Place::at(before(1)), sent);
        let (events, rest) = (sent as u64 / 8, sent as u64 % 8);
        assert_eq!(place.cursor, Cursor { ordinal: Ordinal::new(1 + events), sent: rest });
        let Next::Bytes(bytes, _) = stream.tail.next(place, usize::MAX) else { panic!("{sent}") };
        let Next::Bytes(walked, _) = stream.tail.next(Place::at(place.cursor), usize::MAX) else {
            panic!("{sent}")
        };
        assert_eq!(bytes, walked, "a place that was told and one that is found");
    }
    // 31 + 2 share what one block would, the long one begins its own.
    assert!(stream.tail.entries() <= 3 + 200 / 32 + 1, "{}", stream.tail.entries());
}

#[test]
fn a_place_told_before_stays_right_until_its_event_leaves() {
    let mut stream = stream(24, 8, &[framed(&[6])]);
    let Next::Bytes(_, end) = stream.tail.next(Place::at(before(1)), 100) else { panic!() };
    assert_eq!(stream.tail.next(end, 100), Next::Nothing(end));
    for ordinal in 2..=4 {
        stream.push(&framed(&[6]));
        let Next::Bytes(bytes, _) = stream.tail.next(end, 100) else { panic!() };
        assert_eq!(bytes, frame(2, 6), "with {ordinal} events");
    }
    assert_eq!(stream.tail.floor(), Ordinal::new(2));
    stream.push(&framed(&[6]));
    assert_eq!(stream.tail.next(end, 100), Next::Behind);
}

#[test]
fn equal_timestamps_are_found_from_the_first() {
    let same = |payloads: &[usize]| Push(Kind::Framed, payloads.to_vec(), 0);
    let pushes = [framed(&[6]), framed(&[6]), same(&[6]), same(&[6]), framed(&[6])];
    let stream = stream(1000, 16, &pushes);
    let at = |cursor, millis| {
        stream.tail.first_at(before(cursor), Timestamp::from_millis(millis)).cursor.ordinal.get()
    };
    assert_eq!([at(1, 1001), at(1, 1002), at(1, 1003), at(1, 1004)], [1, 2, 5, 6]);
    assert_eq!([at(3, 1002), at(4, 1002), at(5, 1003), at(9, 1003)], [3, 4, 5, 9]);
}

#[test]
fn the_newest_block_stays_however_large() {
    let mut stream = stream(0, 10, &[framed(&[6]), framed(&[500, 500])]);
    assert_eq!(stream.tail.floor(), Ordinal::new(2));
    assert_eq!(stream.tail.bytes(), 2 * 504);
    stream.push(&withheld(1));
    assert_eq!(stream.tail.floor(), Ordinal::new(2));
    stream.push(&framed(&[0]));
    // The withheld event 4 has no bytes: it needn't go.
    assert_eq!((stream.tail.floor(), stream.tail.bytes()), (Ordinal::new(4), 2));
}

/// Chunks that grew little by little and were then too short for the next block.
#[test]
fn only_the_newest_chunk_has_room_to_spare() {
    let mut stream = Stream::new(1, bounds(100_000, 100));
    for _ in 0..50 {
        stream.pushes(&[framed(&[8]), framed(&[8]), framed(&[8]), framed(&[90])]);
        let held = usize::try_from(stream.tail.bytes()).unwrap();
        assert!((held..=held + 100).contains(&stream.tail.memory()));
    }
}

/// Both sides of the bound, with the bounds that production has.
#[test]
fn withheld_events_reach_the_bound_of_entries() {
    let mut tail = Tail::new(Ordinal::new(1), 1 << 20);
    let push = |tail: &mut Tail, kind, bytes: Vec<u8>| {
        let (first, count, timestamp) = (tail.ceiling(), 1, Timestamp::EPOCH);
        tail.push(&Block { first, count, timestamp, kind, bytes: Bytes::from(bytes) });
    };
    push(&mut tail, Kind::Framed, frame(1, 6));
    for _ in 1..TAIL_ENTRIES_MAX {
        push(&mut tail, Kind::Withheld, Vec::new());
    }
    assert_eq!((tail.floor(), tail.entries()), (Ordinal::new(1), TAIL_ENTRIES_MAX));
    push(&mut tail, Kind::Withheld, Vec::new());
    assert_eq!((tail.floor(), tail.entries()), (Ordinal::new(2), TAIL_ENTRIES_MAX));
    assert_eq!(tail.next(Place::at(before(1)), 9), Next::Behind);
    let ceiling = tail.ceiling();
    push(&mut tail, Kind::Framed, frame(ceiling.get(), 3));
    assert_eq!(tail.next(Place::at(before(2)), 9), Next::Behind);
    let Next::Bytes(bytes, end) = tail.next(Place::at(before(3)), 9) else { panic!() };
    assert_eq!(bytes, frame(ceiling.get(), 3));
    assert_eq!(end.cursor, Cursor::before(tail.ceiling()));
}

/// Both sides of the bound, with the bounds that production has.
#[test]
fn a_chunk_is_as_long_as_one_send_may_be() {
    let payload = TAIL_CHUNK_BYTES / 2 - 10;
    for (second, slices) in [(payload, 1), (payload + 1, 2)] {
        let (bytes_max, entries_max) = (usize::MAX, TAIL_ENTRIES_MAX);
        let bounds = Bounds { bytes_max, chunk_bytes: TAIL_CHUNK_BYTES, entries_max };
        let mut stream = Stream::new(1, bounds);
        stream.pushes(&[framed(&[payload]), framed(&[second])]);
        assert_eq!(follow(&stream, before(1)).len(), slices + 1);
    }
}

fn push_one(kind: Kind, first: u64, count: u32, bytes: Vec<u8>) {
    let mut tail = Tail::new(Ordinal::new(1), 100);
    let (first, timestamp) = (Ordinal::new(first), Timestamp::EPOCH);
    tail.push(&Block { first, count, timestamp, kind, bytes: Bytes::from(bytes) });
}

#[test]
#[should_panic(expected = "in order")]
fn a_gap_is_a_bug() {
    push_one(Kind::Framed, 2, 1, frame(1, 5));
}

#[test]
#[should_panic(expected = "a frame an event")]
fn a_block_with_more_events_than_frames_is_a_bug() {
    push_one(Kind::Framed, 1, 2, frame(1, 5));
}

#[test]
#[should_panic(expected = "a frame an event")]
fn a_block_that_ends_inside_a_frame_is_a_bug() {
    let mut bytes = frame(1, 5);
    bytes.pop();
    push_one(Kind::Framed, 1, 1, bytes);
}

#[test]
#[should_panic(expected = "has no bytes")]
fn withheld_events_with_bytes_are_a_bug() {
    push_one(Kind::Withheld, 1, 1, frame(1, 5));
}

#[test]
#[should_panic(expected = "stands alone")]
fn a_poison_is_one_event() {
    push_one(Kind::Poison, 1, 2, Vec::new());
}

#[test]
#[should_panic(expected = "at least one byte")]
fn asking_for_nothing_is_a_bug() {
    let tail = Tail::new(Ordinal::new(1), 100);
    let _ = tail.next(Place::at(before(1)), 0);
}
