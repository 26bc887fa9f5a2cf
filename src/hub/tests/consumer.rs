//! A consumer's control frames, its end, and a start that lies ahead.

use super::model::{Push, Stream, before, bounds, frame, framed, withheld};
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::hub::{Consumer, Outcome, Step};
use crate::store::Kind;

const PING: [u8; 2] = [0x89, 0];
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xE8];

fn pong(payload: u8) -> [u8; 3] {
    [0x8A, 1, payload]
}

/// A consumer at the first event of a stream of two, with so much of that event on its socket.
fn inside(sent: usize) -> (Stream, Consumer) {
    let mut stream = Stream::new(1, bounds(1000, 100));
    stream.push(&framed(&[8, 3]));
    let mut consumer = Consumer::new(before(1), stream.ceiling(), None);
    if sent > 0 {
        take(&mut consumer, &stream, sent);
    }
    (stream, consumer)
}

/// Does one step, of which the socket takes at most `most`: what it took.
fn take(consumer: &mut Consumer, stream: &Stream, most: usize) -> Vec<u8> {
    match consumer.step(&stream.tail, 1000) {
        Step::Control(bytes) => {
            let (taken, length) = (bytes[..most.min(bytes.len())].to_vec(), bytes.len());
            consumer.sent_control(Outcome::of(taken.len(), length));
            taken
        }
        Step::Tail(bytes, end) => {
            let (taken, length) = (bytes[..most.min(bytes.len())].to_vec(), bytes.len());
            consumer.sent_tail(&stream.tail, Outcome::of(taken.len(), length), end);
            taken
        }
        Step::History { .. } | Step::Poisoned | Step::Idle | Step::Closed => Vec::new(),
    }
}

#[test]
fn a_pong_waits_for_the_end_of_the_frame_and_goes_before_the_next() {
    let (stream, mut consumer) = inside(4);
    consumer.control(&pong(1));
    assert_eq!(take(&mut consumer, &stream, 99), frame(1, 8)[4..]);
    assert_eq!(take(&mut consumer, &stream, 2), pong(1)[..2]);
    assert!(take(&mut consumer, &stream, 0).is_empty());
    assert_eq!(take(&mut consumer, &stream, 99), pong(1)[2..]);
    assert_eq!(take(&mut consumer, &stream, 99), frame(2, 3));
    assert_eq!(consumer.step(&stream.tail, 99), Step::Idle);
}

#[test]
fn the_newest_of_a_kind_takes_the_place_of_one_that_waits() {
    let (stream, mut consumer) = inside(4);
    for frame in [&pong(1)[..], &PING, &pong(2), &PING, &pong(3)] {
        consumer.control(frame);
    }
    take(&mut consumer, &stream, 99);
    assert_eq!(take(&mut consumer, &stream, 99), [&PING[..], &pong(3)].concat());
}

#[test]
fn a_begun_control_frame_is_finished_and_a_sent_one_holds_nothing_back() {
    let (stream, mut consumer) = inside(0);
    consumer.control(&pong(1));
    consumer.control(&PING);
    // The pong and half of the ping are out: neither may be taken back, neither stops the next.
    assert_eq!(take(&mut consumer, &stream, 4), [&pong(1)[..], &PING[..1]].concat());
    consumer.control(&pong(2));
    consumer.control(&PING);
    let want = [&PING[1..], &pong(2), &PING].concat();
    assert_eq!(take(&mut consumer, &stream, 99), want);
    assert_eq!(take(&mut consumer, &stream, 99), [frame(1, 8), frame(2, 3)].concat());
}

/// The most that may wait: one begun, and one of each kind.
#[test]
fn the_queue_of_control_frames_is_bounded() {
    let (stream, mut consumer) = inside(0);
    let (mut ping, mut pong) = ([0; 127], [0; 127]);
    ping[..2].copy_from_slice(&[0x89, 125]);
    pong[..2].copy_from_slice(&[0x8A, 125]);
    for turn in 0..1000 {
        consumer.control(&ping);
        consumer.control(&pong);
        if turn % 7 == 0 {
            take(&mut consumer, &stream, 1);
        }
        let Step::Control(bytes) = consumer.step(&stream.tail, 99) else { panic!() };
        assert!(bytes.len() <= 3 * 127, "{} in turn {turn}", bytes.len());
    }
}

#[test]
#[should_panic(expected = "one whole control frame")]
fn a_control_frame_has_at_most_125_bytes_of_payload() {
    let (_, mut consumer) = inside(0);
    consumer.control(&frame(1, 126));
}

#[test]
#[should_panic(expected = "one whole control frame")]
fn half_a_control_frame_is_a_bug() {
    let (_, mut consumer) = inside(0);
    consumer.control(&pong(1)[..2]);
}

#[test]
fn an_ending_consumer_gets_the_rest_of_its_frame_its_close_frame_and_nothing_else() {
    let (mut stream, mut consumer) = inside(4);
    consumer.end(&CLOSE);
    consumer.end(&CLOSE);
    consumer.control(&PING);
    stream.push(&framed(&[5]));
    assert!(consumer.ending());
    assert_eq!(take(&mut consumer, &stream, 3), frame(1, 8)[4..7]);
    assert_eq!(take(&mut consumer, &stream, 99), frame(1, 8)[7..]);
    assert_eq!(take(&mut consumer, &stream, 3), CLOSE[..3]);
    assert_eq!(take(&mut consumer, &stream, 99), CLOSE[3..]);
    consumer.control(&PING);
    for _ in 0..2 {
        assert_eq!(consumer.step(&stream.tail, 99), Step::Closed);
    }
    assert_eq!(consumer.cursor(), before(2));
}

#[test]
fn an_ending_consumer_that_fell_behind_reads_only_its_frame() {
    let (mut stream, mut consumer) = inside(4);
    stream.pushes(&[framed(&[2000]), framed(&[2000])]);
    let from = Cursor { ordinal: Ordinal::new(1), sent: 4 };
    assert_eq!(consumer.step(&stream.tail, 99), Step::History(from));
    consumer.end(&CLOSE);
    assert_eq!(consumer.step(&stream.tail, 99), Step::History(from));
    consumer.sent_history(before(2));
    assert_eq!(take(&mut consumer, &stream, 99), CLOSE);
    assert_eq!(consumer.step(&stream.tail, 99), Step::Closed);
}

#[test]
fn the_last_event_of_a_chunk_cut_short_is_followed_by_its_rest_only() {
    let mut stream = Stream::new(1, bounds(1000, 10));
    stream.pushes(&[framed(&[8]), withheld(1), framed(&[3])]);
    let mut consumer = Consumer::new(before(1), stream.ceiling(), None);
    take(&mut consumer, &stream, 9);
    consumer.control(&PING);
    let got: Vec<_> = (0..3).map(|_| take(&mut consumer, &stream, 99)).collect();
    assert_eq!(got, [frame(1, 8)[9..].to_vec(), PING.to_vec(), frame(3, 3)]);
}

#[test]
#[should_panic(expected = "never goes back")]
fn a_consumer_never_goes_back() {
    let (_, mut consumer) = inside(4);
    consumer.sent_history(before(1));
}

#[test]
#[should_panic(expected = "no more is sent")]
fn no_socket_takes_more_than_it_was_given() {
    let _ = Outcome::of(3, 2);
}

/// A start beyond the end: nothing below it is sent, nothing from it on is missed.
#[test]
fn an_ordinal_ahead_is_waited_for() {
    let mut stream = Stream::new(1, bounds(1000, 100));
    let mut consumer = Consumer::new(before(4), stream.ceiling(), None);
    for _ in 1..4 {
        stream.push(&framed(&[3]));
        assert_eq!(consumer.step(&stream.tail, 99), Step::Idle);
    }
    stream.push(&framed(&[3, 4]));
    assert_eq!(take(&mut consumer, &stream, 99), [frame(4, 3), frame(5, 4)].concat());
}

fn at(millis: u64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

#[test]
fn a_timestamp_ahead_is_waited_for() {
    let mut stream = Stream::new(1, bounds(1000, 100));
    let mut consumer = Consumer::new(before(1), stream.ceiling(), at(1002));
    stream.push(&framed(&[3]));
    assert_eq!(consumer.step(&stream.tail, 99), Step::Idle);
    assert_eq!(consumer.cursor(), before(2));
    stream.pushes(&[framed(&[4]), Push(Kind::Framed, vec![5], 0)]);
    assert_eq!(take(&mut consumer, &stream, 99), [frame(2, 4), frame(3, 5)].concat());
    assert_eq!(consumer.not_before(), None);
}

/// Its first events came and left the tail before it had a turn: the history has them, and the
/// consumer still says what it doesn't want.
#[test]
fn a_timestamp_that_came_and_left_the_tail_is_looked_for_in_the_history() {
    let mut stream = Stream::new(1, bounds(0, 1));
    let mut consumer = Consumer::new(before(1), stream.ceiling(), at(1002));
    stream.pushes(&[framed(&[3]), framed(&[4]), framed(&[5])]);
    assert_eq!(stream.tail.floor(), Ordinal::new(3));
    for older in [1, 2] {
        let from = before(older);
        assert_eq!(consumer.step(&stream.tail, 99), Step::History(from));
        assert_eq!(consumer.not_before(), at(1002));
        consumer.sent_history(before(older + 1));
    }
    assert_eq!(take(&mut consumer, &stream, 99), frame(3, 5));
}
