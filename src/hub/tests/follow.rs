//! A tail that follows another: what it is given, and where it begins anew.

use proptest::prelude::*;

use super::model::{Stream, any_bounds, any_push, before, bounds, framed, poison, withheld};
use crate::event::Ordinal;
use crate::hub::{Consumer, Follow, Step, Tail};
use crate::store::{Block, Kind};

fn blocks(follow: Follow) -> Vec<Block> {
    match follow {
        Follow::Blocks(blocks) => blocks,
        other @ (Follow::Nothing | Follow::Gone { .. }) => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// From every ordinal: the events as they were pushed, no more than was asked for, or where the
    /// tail begins.
    #[test]
    fn what_follows_is_what_was_pushed(
        first in 1_u64..3,
        bounds in any_bounds(),
        pushes in proptest::collection::vec(any_push(), 0..14),
        bytes_max in 0_usize..400,
        blocks_max in 0_usize..5,
    ) {
        let mut stream = Stream::new(first, bounds);
        stream.pushes(&pushes);
        for from in first..stream.ceiling().get() {
            let from = Ordinal::new(from);
            let found = stream.tail.follow(from, bytes_max, blocks_max);
            if from < stream.tail.floor() {
                let is_poison = |block: &&super::model::Event| block.kind == Kind::Poison;
                let mut gone = stream.events.iter().filter(is_poison);
                let poison = gone.rfind(|event| event.ordinal < stream.tail.floor());
                let poison = poison.map(|event| event.ordinal);
                prop_assert_eq!(found, Follow::Gone { floor: stream.tail.floor(), poison });
                continue;
            }
            let found = blocks(found);
            prop_assert!(!found.is_empty() && found.len() <= blocks_max.max(1));
            let length: usize = found.iter().map(|block| block.bytes.len()).sum();
            let with_bytes = found.iter().filter(|block| !block.bytes.is_empty()).count();
            prop_assert!(length <= bytes_max || with_bytes == 1);
            let mut events = stream.from(from).iter();
            for block in found {
                let mut bytes = Vec::new();
                for ordinal in block.first.get()..block.next().get() {
                    let event = events.next().unwrap();
                    prop_assert_eq!(event.ordinal.get(), ordinal);
                    prop_assert_eq!((event.kind, event.timestamp), (block.kind, block.timestamp));
                    bytes.extend_from_slice(&event.frame);
                }
                prop_assert!(bytes == block.bytes);
            }
        }
        let found = stream.tail.follow(stream.ceiling(), bytes_max, blocks_max);
        prop_assert_eq!(found, Follow::Nothing);
    }
}

#[test]
fn several_blocks_are_given_at_once_and_share_their_bytes() {
    let mut stream = Stream::new(1, bounds(1000, 100));
    stream.pushes(&[framed(&[1]), poison(), framed(&[2, 3]), withheld(2)]);
    let found = blocks(stream.tail.follow(Ordinal::new(1), 100, 9));
    let shape: Vec<_> = found.iter().map(|block| (block.kind, block.count)).collect();
    let framed = Kind::Framed;
    assert_eq!(shape, [(framed, 1), (Kind::Poison, 1), (framed, 2), (Kind::Withheld, 2)]);
    let end = |block: &Block| block.bytes.as_ptr_range().end;
    assert_eq!(end(&found[0]), found[2].bytes.as_ptr(), "copied once");
}

#[test]
fn a_block_may_be_given_in_part_and_both_sides_of_the_bound_of_bytes() {
    let mut stream = Stream::new(1, bounds(1000, 100));
    // Frames of 3 and 4 bytes; the second block has the timestamp of its own.
    stream.pushes(&[framed(&[1, 1, 1]), framed(&[2])]);
    let counts = |from, bytes_max| {
        let found = blocks(stream.tail.follow(Ordinal::new(from), bytes_max, 9));
        found.iter().map(|block| block.count).collect::<Vec<_>>()
    };
    assert_eq!(counts(1, 0), [3], "at least one");
    assert_eq!(counts(2, 9), [2]);
    assert_eq!(counts(2, 10), [2, 1]);
}

/// A consumer waits far ahead on a tail that begins anew: a POISON in what was left out ends it.
#[test]
fn a_poison_that_was_left_out_ends_who_waits() {
    for (pushes, ends) in [
        (&[framed(&[0]), poison(), framed(&[0]), framed(&[0])][..], true),
        (&[framed(&[0]), framed(&[0]), framed(&[0]), framed(&[0])], false),
    ] {
        let mut root = Stream::new(1, bounds(0, 1));
        let mut branch = Tail::bounded(root.ceiling(), bounds(0, 1));
        let mut consumer = Consumer::new(before(100), root.ceiling(), None);
        root.pushes(pushes);
        let Follow::Gone { floor, poison } = root.tail.follow(branch.ceiling(), 99, 9) else {
            panic!("it holds one event only")
        };
        branch.restart(floor, poison);
        assert_eq!((branch.floor(), branch.ceiling(), branch.bytes()), (floor, floor, 0));
        let step = consumer.step(&branch, 99);
        assert_eq!(step, if ends { Step::Poisoned } else { Step::Idle });
    }
}

/// Also one that the tail had itself when it began anew.
#[test]
fn a_poison_that_was_held_is_carried_over() {
    let mut root = Stream::new(1, bounds(1000, 100));
    let mut consumer = Consumer::new(before(100), root.ceiling(), None);
    root.pushes(&[poison(), framed(&[0])]);
    let mut branch = root.tail;
    branch.restart(Ordinal::new(9), None);
    assert_eq!(consumer.step(&branch, 99), Step::Poisoned);
}

#[test]
#[should_panic(expected = "a follower has no more than it was given")]
fn nobody_has_more_than_the_tail() {
    let stream = Stream::new(1, bounds(1000, 100));
    let _ = stream.tail.follow(Ordinal::new(2), 1, 1);
}

#[test]
#[should_panic(expected = "leaves something out")]
fn a_tail_never_begins_anew_where_it_stands() {
    let mut stream = Stream::new(1, bounds(1000, 100));
    stream.tail.restart(Ordinal::new(1), None);
}

/// Where less is there than when it joined, the last word is that of then: an old POISON that
/// arrives on a branch does not end a replay.
#[test]
fn an_old_poison_is_not_the_last_word_where_more_is_known_to_follow() {
    let consumer = Consumer::new(before(1), Ordinal::new(10), None);
    let ends = |ordinal, ceiling| consumer.ends_at(Ordinal::new(ordinal), Ordinal::new(ceiling));
    assert_eq!([ends(4, 5), ends(8, 9), ends(9, 10)], [false, false, true]);
}
