//! A stream that several shards serve: each consumer is sent what it would be by one, and ends as
//! it would; what is counted is counted once.

use std::thread;

use crate::support::{Frame, Scrape, Server, Setup, Stop, Wire, ordinal_of, wait_until};

/// Each driver, with a second shard to spread to.
macro_rules! on_two_shards {
    ($($suite:ident),+ $(,)?) => {$(
        mod $suite {
            use crate::support::Setup;

            #[test]
            fn io_uring() {
                super::$suite(Setup { driver: "io-uring", shards: 2 });
            }

            #[test]
            fn epoll() {
                super::$suite(Setup { driver: "epoll", shards: 2 });
            }
        }
    )+};
}

on_two_shards!(
    everybody_gets_every_event_once,
    every_start_leads_to_the_same_events,
    nothing_after_the_101_is_missed,
    a_poison_ends_everybody,
    a_stalled_consumer_delays_nobody_and_catches_up,
    a_deleted_event_stream_ends_its_consumers_only,
    stopping_tells_everybody,
    who_resumes_after_a_kill_misses_nothing,
);

/// From so many consumers on the home shard on, the next go to the other, until it has as many.
const ENOUGH: usize = 4;
const SPREAD: [&str; 2] = ["--spread-consumers", "4"];
const DELETED: (u16, &str) = (1000, "The stream has been deleted");

fn path(uuid: &str, query: &str) -> String {
    format!("/event-stream/{uuid}?{query}")
}

fn open(server: &Server, uuid: &str, query: &str) -> Wire {
    Wire::upgrade(server.public(), &path(uuid, query))
}

fn several(server: &Server, uuid: &str, count: usize) -> Vec<Wire> {
    (0..count).map(|_| open(server, uuid, "")).collect()
}

/// Waits until both shards serve the stream, or only its home does.
fn shards_are(server: &Server, stream: &str, shards: u8) {
    let sample = format!("ess_stream_shards{{stream=\"{stream}\"}}");
    Scrape::until(server, &[(&sample, f64::from(shards))]);
}

/// The next events are exactly these.
fn expect(wire: &mut Wire, ordinals: impl IntoIterator<Item = u64>) {
    for ordinal in ordinals {
        assert_eq!(ordinal_of(&wire.text()), ordinal);
    }
}

fn lines(count: usize) -> String {
    "event\n".repeat(count)
}

fn everybody_gets_every_event_once(setup: Setup) {
    let server = Server::start(setup, &SPREAD);
    let stream = server.create("abc");
    server.publish(stream.id, "before");
    let mut consumers = several(&server, &stream.uuid, ENOUGH);
    shards_are(&server, "abc", 1);
    consumers.extend(several(&server, &stream.uuid, ENOUGH + 3));
    shards_are(&server, "abc", 2);
    let count = consumers.len();
    assert_eq!(server.consumers(stream.id), count as u64);
    for each in [1, 100, 1, 1000] {
        server.publish_lines(stream.id, &lines(each));
    }
    for wire in &mut consumers {
        expect(wire, 2..=1103);
    }
    let sent = 1102.0 * count as f64;
    let consumed = [
        ("ess_stream_consumers{stream=\"abc\"}", count as f64),
        ("ess_consumers{state=\"live\"}", count as f64),
        ("ess_stream_deliveries_total{stream=\"abc\"}", sent),
        ("ess_stream_received_events_total{stream=\"abc\"}", 1103.0),
        ("ess_stream_consumer_lag_events{stream=\"abc\"}", 0.0),
    ];
    Scrape::until(&server, &consumed);
    // When all are gone, so is the branch, and nothing that was counted is forgotten.
    drop(consumers);
    wait_until("the consumers to be gone", || server.consumers(stream.id) == 0);
    shards_are(&server, "abc", 1);
    let sample = "ess_stream_deliveries_total{stream=\"abc\"}";
    assert_eq!(Scrape::of(&server).value(sample), sent);
    // Who comes then makes another.
    let mut consumers = several(&server, &stream.uuid, ENOUGH + 1);
    shards_are(&server, "abc", 2);
    server.publish(stream.id, "again");
    consumers.iter_mut().for_each(|wire| expect(wire, [1104]));
}

fn every_start_leads_to_the_same_events(setup: Setup) {
    let server = Server::start(setup, &["--spread-consumers", "9"]);
    let stream = server.create("abc");
    let early = server.publish_lines(stream.id, &lines(3));
    let later = server.publish_later(stream.id, "later", early.timestamp);
    let last = server.publish_later(stream.id, "last", later.timestamp);
    let future = last.timestamp + 500;
    let end = last.last;
    let starts = [
        (String::new(), end + 1),
        ("stream_from_ordinal=0".into(), 1),
        ("stream_from_ordinal=2".into(), 3),
        (format!("stream_from_ordinal={end}"), end + 1),
        (format!("stream_from_ordinal={}", end + 2), end + 3),
        (format!("stream_from_timestamp={}", early.timestamp), 1),
        (format!("stream_from_timestamp={}", later.timestamp), later.first),
        ("stream_from_datetime=1999-12-31".into(), 1),
        (format!("stream_from_timestamp={future}"), 0),
    ];
    // The first of each on the home shard, the second on the other.
    let open_all = || starts.each_ref().map(|(query, _)| open(&server, &stream.uuid, query));
    let consumers = [open_all(), open_all()];
    shards_are(&server, "abc", 2);
    let four = server.publish_lines(stream.id, &lines(4));
    let then = server.publish_later(stream.id, "then", future - 1);
    // The first event at that time or later; a machine may take that long to store four.
    let at_last = if four.timestamp < future { then.first } else { four.first };
    for consumers in consumers {
        for (mut wire, (query, first)) in consumers.into_iter().zip(&starts) {
            let first = if *first == 0 { at_last } else { *first };
            let seen = ordinal_of(&wire.text());
            assert_eq!(seen, first, "{query}");
            expect(&mut wire, first + 1..=then.last);
        }
    }
}

fn nothing_after_the_101_is_missed(setup: Setup) {
    let server = Server::start(setup, &SPREAD);
    let stream = server.create("busy");
    let stop = Stop::default();
    thread::scope(|scope| {
        let _end = stop.at_the_latest();
        let api = server.clone();
        let (id, stop) = (stream.id, &stop);
        let publisher = scope.spawn(move || {
            while !stop.told() {
                api.publish_lines(id, &lines(5));
            }
        });
        let mut consumers = Vec::new();
        for _ in 0..40 {
            let before = server.publish(stream.id, "before");
            let mut wire = open(&server, &stream.uuid, "");
            let after = server.publish(stream.id, "after");
            let first = ordinal_of(&wire.text());
            assert!(before.first < first, "{first} was there before the 101");
            assert!(first <= after.first, "{first} came first, {} was missed", after.first);
            consumers.push((wire, first));
        }
        stop.tell();
        publisher.join().expect("the publisher never fails");
        let last = server.publish(stream.id, "last").last;
        for (wire, first) in &mut consumers {
            expect(wire, *first + 1..=last);
        }
    });
    shards_are(&server, "busy", 2);
}

fn a_poison_ends_everybody(setup: Setup) {
    let server = Server::start(setup, &SPREAD);
    let stream = server.create("abc");
    server.publish_lines(stream.id, "one\nPOISON\nthree\n");
    let mut consumers = several(&server, &stream.uuid, ENOUGH);
    // On the other shard: an old one lets a replay pass, a new one ends also who waits.
    let mut replay = open(&server, &stream.uuid, "stream_from_ordinal=0");
    let mut waiting = open(&server, &stream.uuid, "stream_from_ordinal=1000");
    consumers.extend(several(&server, &stream.uuid, 2));
    shards_are(&server, "abc", 2);
    expect(&mut replay, [1, 3]);
    server.publish_lines(stream.id, "four\nPOISON\nsix\n");
    for wire in consumers.iter_mut().chain([&mut replay]) {
        expect(wire, [4]);
    }
    consumers.extend([replay]);
    for wire in consumers.iter_mut().chain([&mut waiting]) {
        assert_eq!(wire.frame().expect("a close frame").closed(), DELETED);
    }
}

/// Far more than the kernel's buffers of both sides of a socket take, and than the tail holds.
const EVENTS: u64 = 1024;
const EVENT_BYTES: usize = 64 * 1024;

fn a_stalled_consumer_delays_nobody_and_catches_up(setup: Setup) {
    let server = Server::start(setup, &["--spread-consumers", "2", "--tail-bytes", "1MiB"]);
    let stream = server.create("abc");
    let mut consumers = several(&server, &stream.uuid, 2);
    let mut stalled = several(&server, &stream.uuid, 2);
    // Both of those are on the other shard; of these, one.
    consumers.extend(several(&server, &stream.uuid, 2));
    shards_are(&server, "abc", 2);
    let event = "x".repeat(EVENT_BYTES);
    thread::scope(|scope| {
        for wire in &mut consumers {
            scope.spawn(move || expect(wire, 1..=EVENTS));
        }
        for _ in 0..EVENTS / 16 {
            server.publish_lines(stream.id, &format!("{event}\n").repeat(16));
        }
    });
    // The slowest is known although it is elsewhere.
    let scrape = Scrape::of(&server);
    assert!(scrape.value("ess_stream_consumer_lag_events{stream=\"abc\"}") > 0.0);
    server.publish(stream.id, "still served");
    consumers.iter_mut().for_each(|wire| expect(wire, [EVENTS + 1]));
    stalled.iter_mut().for_each(|wire| expect(wire, 1..=EVENTS + 1));
    server.publish(stream.id, "and again");
    consumers.iter_mut().chain(&mut stalled).for_each(|wire| expect(wire, [EVENTS + 2]));
    assert_eq!(Scrape::of(&server).value("ess_stream_lost_events_total{stream=\"abc\"}"), 0.0);
}

fn a_deleted_event_stream_ends_its_consumers_only(setup: Setup) {
    let server = Server::start(setup, &SPREAD);
    let (one, two) = (server.create("abc"), server.create("abc"));
    let mut of_one = several(&server, &one.uuid, ENOUGH);
    let mut of_two = several(&server, &two.uuid, ENOUGH);
    of_one.extend(several(&server, &one.uuid, 3));
    of_two.extend(several(&server, &two.uuid, 3));
    shards_are(&server, "abc", 2);
    let counted = [one.id, two.id].map(|id| server.consumers(id));
    assert_eq!(counted, [of_one.len() as u64, of_two.len() as u64]);
    server.delete(one.id);
    for wire in &mut of_one {
        assert_eq!(wire.frame().expect("a close frame").closed(), DELETED);
    }
    server.publish(two.id, "still there");
    of_two.iter_mut().for_each(|wire| expect(wire, [1]));
    // With its last event stream the stream goes, also while some read its history.
    server.publish_lines(two.id, &lines(2000));
    server.delete(two.id);
    for wire in &mut of_two {
        let close = loop {
            let frame = wire.frame().expect("a close frame before the end");
            if frame.first != Frame::TEXT {
                break frame;
            }
        };
        assert_eq!(close.closed(), DELETED);
    }
    drop((of_one, of_two));
    // And its name begins anew, on both shards.
    let again = server.create("abc");
    let mut consumers = several(&server, &again.uuid, ENOUGH + 2);
    shards_are(&server, "abc", 2);
    server.publish(again.id, "anew");
    consumers.iter_mut().for_each(|wire| expect(wire, [1]));
}

fn stopping_tells_everybody(setup: Setup) {
    let server = Server::start(setup, &[SPREAD[0], SPREAD[1], "--drain", "1s"]);
    let stream = server.create("abc");
    let mut consumers = several(&server, &stream.uuid, 3 * ENOUGH);
    shards_are(&server, "abc", 2);
    server.publish(stream.id, "one");
    server.terminate();
    for wire in &mut consumers {
        expect(wire, [1]);
        assert_eq!(wire.frame().expect("a close frame").closed(), (1012, "Service restart"));
    }
    drop(consumers);
    let status = server.ended();
    assert_eq!(status.code(), Some(0), "{status:?}");
}

fn who_resumes_after_a_kill_misses_nothing(setup: Setup) {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let server = Server::start_in(setup, data.path(), &SPREAD);
    let stream = server.create("abc");
    let mut consumers = several(&server, &stream.uuid, 2 * ENOUGH);
    shards_are(&server, "abc", 2);
    server.publish_lines(stream.id, &lines(50));
    for (index, wire) in consumers.iter_mut().enumerate() {
        expect(wire, 1..=10 + index as u64);
    }
    server.kill();
    let server = Server::start_in(setup, data.path(), &SPREAD);
    let resume = |index: usize| format!("stream_from_ordinal={}", 10 + index);
    let mut consumers: Vec<_> =
        (0..2 * ENOUGH).map(|index| open(&server, &stream.uuid, &resume(index))).collect();
    shards_are(&server, "abc", 2);
    server.publish_lines(stream.id, &lines(50));
    for (index, wire) in consumers.iter_mut().enumerate() {
        expect(wire, 11 + index as u64..=100);
    }
}
