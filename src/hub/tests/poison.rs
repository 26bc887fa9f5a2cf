//! Which POISON ends whom.

use super::model::{Push, Stream, before, bounds, framed, poison, withheld};
use crate::event::{Ordinal, Timestamp};
use crate::hub::{Consumer, Outcome, Step};
use crate::store::Kind;

fn stream(pushes: &[Push]) -> Stream {
    let mut stream = Stream::new(1, bounds(1000, 100));
    stream.pushes(pushes);
    stream
}

/// Takes all the tail gives: how many events, and whether a POISON ended it.
fn drain(consumer: &mut Consumer, stream: &Stream) -> (usize, bool) {
    let mut events = 0;
    loop {
        match consumer.step(&stream.tail, 2) {
            Step::Tail(bytes, end) => {
                assert_eq!(bytes, [0x81, 0], "only empty events here");
                events += 1;
                consumer.sent_tail(&stream.tail, Outcome::Whole, end);
            }
            Step::Poisoned => return (events, true),
            Step::Idle => return (events, false),
            step @ (Step::Control(_) | Step::History { .. } | Step::Closed) => panic!("{step:?}"),
        }
    }
}

fn from(start: u64, stream: &Stream) -> Consumer {
    Consumer::new(before(start), stream.ceiling(), None)
}

#[test]
fn a_poison_published_after_it_joined_ends_a_consumer() {
    let mut stream = stream(&[framed(&[0])]);
    let (mut live, mut replay) = (from(2, &stream), from(1, &stream));
    stream.pushes(&[framed(&[0]), poison(), framed(&[0])]);
    assert_eq!(drain(&mut live, &stream), (1, true));
    assert_eq!(drain(&mut replay, &stream), (2, true));
}

#[test]
fn in_a_replay_only_the_last_word_ends_a_consumer() {
    let old = [framed(&[0]), poison(), framed(&[0])];
    let at_the_end = [framed(&[0]), poison(), framed(&[0]), poison()];
    let withheld_last = [framed(&[0]), poison(), withheld(1)];
    for (pushes, want) in [
        (&old[..], (2, false)),
        (&at_the_end, (2, true)),
        (&withheld_last, (1, false)),
        (&[poison(), poison()], (0, true)),
    ] {
        let stream = stream(pushes);
        assert_eq!(drain(&mut from(1, &stream), &stream), want, "{pushes:?}");
    }
}

#[test]
fn a_poison_that_is_no_longer_the_last_word_lets_a_slow_replay_pass() {
    let mut stream = stream(&[framed(&[0]), poison()]);
    let mut consumer = from(1, &stream);
    stream.push(&framed(&[0]));
    assert_eq!(drain(&mut consumer, &stream), (2, false));
}

#[test]
fn who_starts_behind_a_poison_does_not_meet_it() {
    let mut stream = stream(&[framed(&[0]), poison()]);
    let mut consumer = from(3, &stream);
    assert_eq!(drain(&mut consumer, &stream), (0, false));
    stream.push(&framed(&[0]));
    assert_eq!(drain(&mut consumer, &stream), (1, false));
}

#[test]
fn both_sides_of_the_moment_of_joining_and_of_the_end() {
    let consumer = Consumer::new(before(1), Ordinal::new(10), None);
    let ends = |ordinal, ceiling| consumer.ends_at(Ordinal::new(ordinal), Ordinal::new(ceiling));
    assert_eq!([ends(9, 11), ends(10, 12)], [false, true]);
    assert_eq!([ends(8, 10), ends(9, 10)], [false, true]);
}

/// It says that nothing more will come, also to those who wait for what lies ahead.
#[test]
fn a_poison_ends_who_waits_for_an_ordinal_ahead() {
    let mut stream = stream(&[poison()]);
    let mut consumer = from(100, &stream);
    stream.push(&framed(&[0]));
    assert_eq!(drain(&mut consumer, &stream), (0, false), "the old one isn't for it");
    stream.push(&poison());
    assert_eq!(drain(&mut consumer, &stream), (0, true));
}

#[test]
fn a_poison_ends_who_waits_for_a_timestamp_ahead() {
    for (pushes, want) in [
        (&[framed(&[0]), poison()][..], (0, true)),
        (&[framed(&[0]), poison(), framed(&[0]), framed(&[0])], (0, true)),
        (&[framed(&[0]), framed(&[0]), framed(&[0]), poison()], (1, true)),
        (&[framed(&[0]), withheld(1), framed(&[0])], (1, false)),
    ] {
        let mut stream = stream(&[]);
        let future = Some(Timestamp::from_millis(1003));
        let mut consumer = Consumer::new(before(1), stream.ceiling(), future);
        stream.pushes(pushes);
        assert_eq!(drain(&mut consumer, &stream), want, "{pushes:?}");
    }
}

/// The bound of entries lets a POISON go that a waiting consumer hasn't had a turn to see.
#[test]
fn a_poison_that_left_the_tail_is_not_forgotten() {
    let mut stream = Stream::new(1, bounds(0, 1));
    let mut consumer = from(100, &stream);
    stream.pushes(&[poison(), framed(&[0]), framed(&[0])]);
    assert_eq!(stream.tail.floor(), Ordinal::new(3));
    assert_eq!(drain(&mut consumer, &stream), (0, true));
}

#[test]
fn an_ending_consumer_meets_no_poison() {
    let mut stream = stream(&[]);
    let mut consumer = from(1, &stream);
    consumer.end(&[0x88, 0]);
    stream.push(&Push(Kind::Poison, vec![0], 1));
    assert_eq!(consumer.step(&stream.tail, 99), Step::Control(&[0x88, 0]));
    consumer.sent_control(Outcome::Whole);
    assert_eq!(consumer.step(&stream.tail, 99), Step::Closed);
}
