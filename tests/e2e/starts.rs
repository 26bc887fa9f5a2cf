//! Where a consumer starts: every way of saying it, over every library.

use std::thread;

use crate::support::{Foreign, Library, Published, Server, Setup, Stop, everywhere, ordinal_of};

everywhere!(by_ordinal, by_time, from_now_on, wrong_starts);

/// Both families of header fields that version 2 knew.
const ORDINAL_FIELDS: [&str; 2] = ["X-StreamOffsetFromOrdinal", "X-StreamFromOrdinal"];
const TIMESTAMP_FIELDS: [&str; 2] = ["X-StreamOffsetFromTimestamp", "X-StreamFromTimestamp"];
const DATETIME_FIELDS: [&str; 2] = ["X-StreamOffsetFromDatetime", "X-StreamFromDatetime"];

fn by_ordinal(setup: Setup) {
    let server = Server::start(setup, &[]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        server.publish_lines(stream.id, "one\ntwo\nthree\n");
        let from = |query: &str| foreign.open(&server.url(&stream.uuid, query));
        let with = |field, value| {
            foreign.connect_with(&server.url(&stream.uuid, ""), &[(field, value)]).opened()
        };

        for (start, first) in [("0", 1), ("1", 2), ("2", 3)] {
            let mut consumers = vec![from(&format!("stream_from_ordinal={start}"))];
            consumers.extend(ORDINAL_FIELDS.map(|field| with(field, start)));
            // Names of header fields have no case; other parameters don't matter.
            consumers.push(with("x-streamoffsetfromordinal", start));
            consumers.push(from(&format!("a=b&stream_from_ordinal={start}&c")));
            consumers.push(from(&format!("stream_from_ordinal={start}&stream_from_datetime=")));
            for consumer in consumers {
                for (ordinal, event) in (1..).zip(["one", "two", "three"]).skip(first - 1) {
                    let seen = consumer.text();
                    assert!(seen.starts_with(&format!("{event}|ordinal: {ordinal}|")), "{seen}");
                }
            }
        }
        // At the end, and beyond it: only what has a greater ordinal.
        let (at_end, beyond) = (from("stream_from_ordinal=3"), from("stream_from_ordinal=5"));
        server.publish_lines(stream.id, "four\nfive\nsix\n");
        assert!(at_end.text().starts_with("four|ordinal: 4|"));
        assert!(beyond.text().starts_with("six|ordinal: 6|"));
        server.delete(stream.id);
    }
}

fn by_time(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let early = server.publish(stream.id, "early");
    let later = server.publish_later(stream.id, "later", early.timestamp);
    let last = server.publish_later(stream.id, "last", later.timestamp);

    let starts = |time: Published, first: u64| {
        let at = time.timestamp;
        let queries = [
            format!("stream_from_timestamp={at}"),
            format!("stream_from_datetime={}Z", iso(at, 0)),
            // No zone means UTC.
            format!("stream_from_datetime={}", iso(at, 0)),
            format!("stream_from_datetime={}", iso(at, 0).replace('T', "%20")),
            // A raw `+` in a query decodes to a space.
            format!("stream_from_datetime={}+02:00", iso(at, 120)),
            format!("stream_from_datetime={}%2B02:00", iso(at, 120)),
            format!("stream_from_datetime={}-0330", iso(at, -210)),
        ];
        let fields = [
            (TIMESTAMP_FIELDS, at.to_string()),
            (DATETIME_FIELDS, format!("{}+01:00", iso(at, 60))),
        ];
        (queries, fields, first)
    };
    let cases = [
        starts(early, early.first),
        starts(later, later.first),
        starts(Published { timestamp: later.timestamp + 1, ..later }, last.first),
    ];
    for foreign in Foreign::each() {
        for (queries, fields, first) in &cases {
            let expected = format!("|ordinal: {first}|");
            for query in queries {
                let seen = foreign.open(&server.url(&stream.uuid, query)).text();
                assert!(seen.contains(&expected), "{query}: {seen}, expected {first}");
            }
            for (names, value) in fields {
                for name in names {
                    let url = server.url(&stream.uuid, "");
                    let seen = foreign.connect_with(&url, &[(name, value)]).opened().text();
                    assert!(seen.contains(&expected), "{name}: {value}: {seen}, expected {first}");
                }
            }
        }
        for before_all in ["timestamp=0", "timestamp=-5", "timestamp=1000", "datetime=1999-12-31"] {
            let query = format!("stream_from_{before_all}");
            let seen = foreign.open(&server.url(&stream.uuid, &query)).text();
            assert!(seen.starts_with("early|ordinal: 1|"), "{query}: {seen}");
        }
        // A time to come: the first event at it or later, not the first from now on.
        let future = server.publish(stream.id, "now").timestamp + 200;
        let query = format!("stream_from_timestamp={future}");
        let consumer = foreign.open(&server.url(&stream.uuid, &query));
        let first = server.publish_later(stream.id, "then", future - 1).first;
        assert_eq!(ordinal_of(&consumer.text()), first, "{query}");
    }
}

/// Nothing published after the 101 is missed, and nothing from before it is sent.
fn from_now_on(setup: Setup) {
    let server = Server::start(setup, &[]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        server.publish(stream.id, "before");
        for query in ["", "stream_from_ordinal=", "stream_from_timestamp=&stream_from_datetime="] {
            let consumer = foreign.open(&server.url(&stream.uuid, query));
            let published = server.publish(stream.id, "after");
            let seen = consumer.text();
            assert!(seen.starts_with(&format!("after|ordinal: {}|", published.first)), "{seen}");
        }
        server.delete(stream.id);
    }

    // The same while a publisher runs.
    let stream = server.create("busy");
    let stop = Stop::default();
    thread::scope(|scope| {
        let _end = stop.at_the_latest();
        let api = server.clone();
        let (id, stop) = (stream.id, &stop);
        let publisher = scope.spawn(move || {
            while !stop.told() {
                api.publish_lines(id, "a\nb\nc\nd\ne\n");
            }
        });
        let foreign = Foreign::start(Library::Websockets);
        for _ in 0..20 {
            let before = server.publish(stream.id, "before");
            let consumer = foreign.open(&server.url(&stream.uuid, ""));
            let after = server.publish(stream.id, "after");
            let mut seen = ordinal_of(&consumer.text());
            assert!(before.first < seen, "{seen} was there before the 101");
            assert!(seen <= after.first, "{seen} came first, {} was missed", after.first);
            while seen < after.first {
                let next = ordinal_of(&consumer.text());
                assert_eq!(next, seen + 1);
                seen = next;
            }
            consumer.close(1000, "");
        }
        stop.tell();
        publisher.join().expect("the publisher never fails");
    });
}

fn wrong_starts(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    server.publish(stream.id, "an event");
    let beyond = "9".repeat(20);
    let queries = [
        ("stream_from_ordinal=abc", "stream_from_ordinal must be an integer"),
        ("stream_from_ordinal=1.5", "stream_from_ordinal must be an integer"),
        ("stream_from_ordinal=0x10", "stream_from_ordinal must be an integer"),
        ("stream_from_timestamp=now", "stream_from_timestamp must be an integer"),
        ("stream_from_timestamp=1e3", "stream_from_timestamp must be an integer"),
        ("stream_from_ordinal=-1", "stream_from_ordinal must be"),
        (&format!("stream_from_ordinal={beyond}"), "stream_from_ordinal must be"),
        (&format!("stream_from_timestamp={beyond}"), "stream_from_timestamp must be"),
        ("stream_from_datetime=not-a-date", "Unable to parse stream_from_datetime value"),
        ("stream_from_datetime=2025-13-45", "Unable to parse stream_from_datetime value"),
        ("stream_from_ordinal=1&stream_from_timestamp=1", MORE_THAN_ONE),
        ("stream_from_ordinal=1&stream_from_datetime=2025-01-01", MORE_THAN_ONE),
        ("stream_from_timestamp=1&stream_from_datetime=x", MORE_THAN_ONE),
        ("stream_from_ordinal=1&stream_from_timestamp=1&stream_from_datetime=1", MORE_THAN_ONE),
    ];
    for foreign in Foreign::each() {
        for (query, reason) in &queries {
            let closed = foreign.open(&server.url(&stream.uuid, query)).closed();
            assert_eq!(closed.0, 1002, "{query}: {closed:?}");
            assert!(closed.1.starts_with(reason), "{query}: {closed:?}, expected {reason}");
        }
        let url = server.url(&stream.uuid, "");
        for fields in [
            [(ORDINAL_FIELDS[0], "1"), (TIMESTAMP_FIELDS[0], "1")],
            [(ORDINAL_FIELDS[1], "1"), (DATETIME_FIELDS[1], "2025-01-01")],
            [(TIMESTAMP_FIELDS[0], "1"), (DATETIME_FIELDS[1], "2025-01-01")],
        ] {
            let closed = foreign.connect_with(&url, &fields).opened().closed();
            assert_eq!(closed.0, 1002, "{fields:?}: {closed:?}");
            assert!(closed.1.contains("more than one X-StreamOffsetFrom"), "{closed:?}");
        }
        // One in the query, one in a field.
        let url = server.url(&stream.uuid, "stream_from_ordinal=0");
        let mixed = foreign.connect_with(&url, &[(ORDINAL_FIELDS[0], "0")]).opened().closed();
        assert_eq!(mixed.0, 1002, "{mixed:?}");
        assert!(mixed.1.starts_with("Cannot provide more than one "), "{mixed:?}");
        for (name, value) in [
            (ORDINAL_FIELDS[0], "abc"),
            (TIMESTAMP_FIELDS[1], "x"),
            (DATETIME_FIELDS[0], "not a date"),
        ] {
            let url = server.url(&stream.uuid, "");
            let closed = foreign.connect_with(&url, &[(name, value)]).opened().closed();
            assert_eq!(closed.0, 1002, "{name}: {closed:?}");
        }
    }
}

const MORE_THAN_ONE: &str = "Cannot provide more than one 'stream_from_' variable";

/// The datetime of `timestamp` as clocks show it so many minutes ahead of UTC, without the zone.
fn iso(timestamp: u64, ahead_minutes: i64) -> String {
    let milliseconds = i64::try_from(timestamp).expect("a time of this age");
    let time = chrono::DateTime::from_timestamp_millis(milliseconds + ahead_minutes * 60_000);
    time.expect("a time of this age").format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}
