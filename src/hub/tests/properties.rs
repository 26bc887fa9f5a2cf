//! The tail against the model: every place, every cut, under any bounds.

use proptest::prelude::*;

use super::model::{Event, Stream, any_bounds, any_push, before, bounds, framed, poison, withheld};
use crate::event::{Cursor, Timestamp};
use crate::hub::{Next, Place};
use crate::store::Kind;

/// Places to try inside and between the frames that are held: all of them, but of a large frame
/// only some.
fn cursors(stream: &Stream) -> Vec<Cursor> {
    let mut cursors = Vec::new();
    for event in stream.from(stream.tail.floor()) {
        let length = event.frame.len();
        let step = (length / 40).max(1);
        let inside = (0..length).step_by(step).chain(length.checked_sub(1));
        let inside = inside.map(|sent| Cursor { ordinal: event.ordinal, sent: sent as u64 });
        cursors.extend(inside.chain([Cursor::before(event.ordinal)]));
    }
    cursors
}

/// What `next` says is what the model says; answers the place it ends at when that is bytes.
fn check_next(
    stream: &Stream,
    place: Place,
    bytes_max: usize,
) -> Result<Option<(usize, Place)>, TestCaseError> {
    let found = stream.advance(place.cursor, 0);
    let kind = stream.from(found.ordinal).first().map(|event| event.kind);
    match stream.tail.next(place, bytes_max) {
        Next::Bytes(bytes, end) => {
            prop_assert_eq!(kind, Some(Kind::Framed));
            prop_assert!(!bytes.is_empty() && bytes.len() <= bytes_max);
            prop_assert!(stream.continuation(found, bytes.len()) == bytes);
            let want = stream.advance(found, bytes.len() as u64);
            prop_assert_eq!(stream.advance(end.cursor, 0), want);
            return Ok(Some((bytes.len(), end)));
        }
        Next::Poison(behind) => {
            prop_assert_eq!(kind, Some(Kind::Poison));
            prop_assert_eq!(behind, Place::at(Cursor::before(found.ordinal.next())));
        }
        Next::Nothing(end) => {
            prop_assert_eq!(kind, None);
            prop_assert_eq!(end.cursor, found);
        }
        Next::Behind => prop_assert!(false, "{:?} is not behind", place),
    }
    Ok(None)
}

/// Only a hint distinguishes two places at the same cursor, and hints decide nothing.
fn check_hint(stream: &Stream, place: Place) -> Result<(), TestCaseError> {
    let plain = Place::at(place.cursor);
    for bytes_max in [1, 50, usize::MAX] {
        match (stream.tail.next(place, bytes_max), stream.tail.next(plain, bytes_max)) {
            (Next::Bytes(left, left_end), Next::Bytes(right, right_end)) => {
                prop_assert!(left == right && left_end == right_end);
            }
            (Next::Nothing(left), Next::Nothing(right)) => {
                prop_assert_eq!(left.cursor, right.cursor);
            }
            (left, right) => prop_assert_eq!(left, right),
        }
    }
    let inside = !place.cursor.at_boundary();
    let rest = stream.from(place.cursor.ordinal).first().map(|event| event.frame.len());
    let rest = rest.map(|length| length - usize::try_from(place.cursor.sent).unwrap());
    for place in [place, plain] {
        if inside && stream.tail.floor() <= place.cursor.ordinal {
            prop_assert_eq!(stream.tail.rest_of_frame(place), rest);
        }
    }
    Ok(())
}

/// Every cut of the bytes at `place` leads where the model says.
fn check_cuts(stream: &Stream, place: Place, length: usize) -> Result<Vec<Place>, TestCaseError> {
    let from = stream.advance(place.cursor, 0);
    let mut places = Vec::new();
    for sent in (1..length).step_by((length / 60).max(1)) {
        let after = stream.tail.after(place, sent);
        prop_assert_eq!(after.cursor, stream.advance(from, sent as u64), "cut at {}", sent);
        places.push(after);
    }
    Ok(places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// From every place, to every limit, cut anywhere, with and without a hint.
    #[test]
    fn the_tail_agrees_with_a_walk_over_all_events(
        first in 0_u64..3,
        bounds in any_bounds(),
        pushes in proptest::collection::vec(any_push(), 0..14),
        limit in 1_usize..300,
    ) {
        let mut stream = Stream::new(first, bounds);
        stream.pushes(&pushes);
        for cursor in cursors(&stream) {
            let place = Place::at(cursor);
            for bytes_max in [1, limit, usize::MAX] {
                let Some((length, end)) = check_next(&stream, place, bytes_max)? else { break };
                check_hint(&stream, end)?;
                for after in check_cuts(&stream, place, length)? {
                    check_hint(&stream, after)?;
                }
            }
        }
        let ceiling = stream.ceiling();
        for ordinal in ceiling.get()..ceiling.get() + 3 {
            let place = Place::at(before(ordinal));
            prop_assert_eq!(stream.tail.next(place, 1), Next::Nothing(place));
        }
        for ordinal in first..stream.tail.floor().get() {
            let place = Place::at(before(ordinal));
            prop_assert_eq!(stream.tail.next(place, 1), Next::Behind);
            prop_assert_eq!(stream.tail.rest_of_frame(place), None);
        }
    }

    /// A place that was told before stays right while the tail grows and loses its front.
    #[test]
    fn a_hint_stays_right_or_is_behind(
        bounds in any_bounds(),
        head in proptest::collection::vec(any_push(), 1..6),
        more in proptest::collection::vec(any_push(), 1..10),
    ) {
        let mut stream = Stream::new(1, bounds);
        stream.pushes(&head);
        let mut places = Vec::new();
        for cursor in cursors(&stream) {
            let place = Place::at(cursor);
            if let Some((length, end)) = check_next(&stream, place, usize::MAX)? {
                places.push(end);
                places.extend(check_cuts(&stream, place, length)?.into_iter().step_by(7));
            }
        }
        for push in &more {
            stream.push(push);
            for place in &places {
                check_hint(&stream, *place)?;
                let gone = place.cursor.ordinal < stream.tail.floor();
                prop_assert_eq!(stream.tail.next(*place, 1) == Next::Behind, gone);
            }
        }
    }

    /// Memory and entries stay within their bounds, whatever is pushed.
    #[test]
    fn a_tail_holds_no_more_than_its_bounds(
        bounds in any_bounds(),
        pushes in proptest::collection::vec(any_push(), 1..40),
    ) {
        let mut stream = Stream::new(1, bounds);
        for push in &pushes {
            stream.push(push);
            let newest = bounds.chunk_bytes.max(stream.largest_block);
            prop_assert!(stream.tail.memory() <= bounds.bytes_max + newest);
            prop_assert!(stream.tail.bytes() <= bounds.bytes_max.max(newest) as u64);
            prop_assert!(stream.tail.entries() <= bounds.entries_max);
            prop_assert_eq!(stream.tail.ceiling(), stream.ceiling());
        }
    }

    /// What fits the budget is held: nobody is sent to the history without need.
    #[test]
    fn nothing_leaves_while_there_is_room(
        chunk_bytes in 1_usize..400,
        pushes in proptest::collection::vec(any_push(), 1..40),
    ) {
        let total = |stream: &Stream| stream.events.iter().map(|event| event.frame.len()).sum();
        let mut plain = Stream::new(1, bounds(usize::MAX, chunk_bytes));
        plain.pushes(&pushes);
        let mut stream = Stream::new(1, bounds(total(&plain), chunk_bytes));
        stream.pushes(&pushes);
        prop_assert_eq!(stream.tail.floor().get(), 1);
        prop_assert_eq!(stream.tail.bytes(), total(&plain) as u64);
    }

    /// The first event not older, as a search from the cursor would find it.
    #[test]
    fn a_timestamp_finds_what_a_search_finds(
        bounds in any_bounds(),
        pushes in proptest::collection::vec(any_push(), 1..20),
        timestamp in 999_u64..1040,
    ) {
        let mut stream = Stream::new(1, bounds);
        stream.pushes(&pushes);
        let timestamp = Timestamp::from_millis(timestamp);
        for ordinal in 1..stream.ceiling().get() + 3 {
            let cursor = before(ordinal);
            let mut events = stream.from(cursor.ordinal).iter();
            let found = events.find(|event| event.timestamp >= timestamp);
            let mut want = found.map_or_else(|| stream.ceiling(), |event| event.ordinal);
            if cursor.ordinal < stream.tail.floor() {
                want = cursor.ordinal;
            }
            let place = stream.tail.first_at(cursor, timestamp);
            prop_assert_eq!(place.cursor, Cursor::before(want.max(cursor.ordinal)));
        }
    }

    /// A POISON is seen in exactly the ranges that hold it; of those gone, the newest is.
    #[test]
    fn a_poison_is_found_where_it_is(
        bounds in any_bounds(),
        pushes in proptest::collection::vec(any_push(), 1..20),
        from in 0_u64..40,
        length in 0_u64..40,
    ) {
        let mut stream = Stream::new(1, bounds);
        stream.pushes(&pushes);
        let (from, to) = (before(from).ordinal, before(from + length));
        let is_poison = |event: &&Event| event.kind == Kind::Poison;
        let floor = stream.tail.floor();
        let gone = stream.events.iter().filter(is_poison).rfind(|event| event.ordinal < floor);
        let want = stream.from(floor).iter().filter(is_poison).chain(gone)
            .any(|event| (from..to.ordinal).contains(&event.ordinal));
        prop_assert_eq!(stream.tail.poison_between(from, to.ordinal), want);
    }
}

/// The search above meets its cases: this one is known to.
#[test]
fn the_model_itself_passes_over_what_has_no_frame() {
    let mut stream = Stream::new(1, bounds(1000, 100));
    stream.pushes(&[withheld(2), framed(&[3, 0]), poison()]);
    assert_eq!(stream.advance(before(1), 0), before(3));
    assert_eq!(stream.advance(before(1), 5), before(4));
    assert_eq!(stream.advance(before(1), 7), before(5));
    assert_eq!(stream.continuation(before(1), 99).len(), 7);
}
