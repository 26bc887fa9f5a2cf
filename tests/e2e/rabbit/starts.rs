//! Where a consumer starts, in streams whose chunks hold many events.

use crate::support::{Foreign, Library, Server, ordinal_of, wait_until};

use super::{SETUPS, declared, name, on_shared};

/// Events of the first burst: enough for chunks of many events.
const BURST: usize = 500;

#[test]
fn every_start_is_exact_inside_chunks_of_many_events() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("starts", setup);
        let stream = declared(&server, &publisher, &key);
        publisher.publish_all("", &key, &["event"], BURST).expect("the broker stores");
        for foreign in [Foreign::start(Library::Websockets), Foreign::start(Library::Ws)] {
            let from = |query: &str| foreign.open(&server.url(&stream.uuid, query));
            for (start, first) in [(0, 0), (1, 2), (7, 8), (250, 251), (498, 499)] {
                let consumer = from(&format!("stream_from_ordinal={start}"));
                for ordinal in first..(first + 3).min(BURST as u64) {
                    assert_eq!(ordinal_of(&consumer.text()), ordinal, "after {start}");
                }
            }
            let header = foreign.connect_with(
                &server.url(&stream.uuid, ""),
                &[("X-StreamOffsetFromOrdinal", "99")],
            );
            assert_eq!(ordinal_of(&header.opened().text()), 100);
        }
        // At the end, beyond it, and from now on.
        let foreign = Foreign::start(Library::WebsocketClient);
        let from = |query: &str| foreign.open(&server.url(&stream.uuid, query));
        let last = BURST as u64 - 1;
        let at_end = from(&format!("stream_from_ordinal={last}"));
        let beyond = from(&format!("stream_from_ordinal={}", last + 2));
        let now = from("");
        publisher.publish_all("", &key, &["a", "b", "c", "d"], 1).expect("the broker stores");
        assert_eq!(ordinal_of(&at_end.text()), last + 1);
        assert_eq!(ordinal_of(&beyond.text()), last + 3);
        assert_eq!(ordinal_of(&now.text()), last + 1);
    }
}

#[test]
fn a_time_begins_with_the_first_chunk_that_is_not_older() {
    let setup = SETUPS[0];
    let (server, publisher) = on_shared(setup);
    let key = name("times", setup);
    let stream = declared(&server, &publisher, &key);
    let foreign = Foreign::start(Library::Websockets);
    let from = |query: &str| foreign.open(&server.url(&stream.uuid, query));
    let mut moments = Vec::new();
    let watcher = from("");
    for (round, burst) in [3, 50, 1].into_iter().enumerate() {
        publisher.publish_all("", &key, &[format!("round {round}")], burst).expect("stored");
        let first = watcher.text();
        let rest = watcher.texts(burst - 1);
        let newest = timestamp_of(rest.last().unwrap_or(&first));
        moments.push((timestamp_of(&first), ordinal_of(&first)));
        // The next round is later than all of this one.
        wait_until("the next millisecond", || Server::millis() > newest);
    }
    for (timestamp, ordinal) in &moments {
        let seen = from(&format!("stream_from_timestamp={timestamp}")).text();
        assert_eq!(ordinal_of(&seen), *ordinal, "{seen}");
    }
    let between = moments[2].0;
    let seen = from(&format!("stream_from_timestamp={}", moments[1].0 + 1)).text();
    assert!(timestamp_of(&seen) > moments[1].0 && timestamp_of(&seen) <= between, "{seen}");
    for early in ["timestamp=0", "timestamp=-5", "datetime=1999-12-31"] {
        let seen = from(&format!("stream_from_{early}")).text();
        assert_eq!(ordinal_of(&seen), 0, "{early}");
    }
    let ahead = Server::millis() + 500;
    let future = from(&format!("stream_from_timestamp={ahead}"));
    let mut last = 0;
    wait_until("the time to come", || {
        publisher.publish(&key, "tick");
        last = timestamp_of(&watcher.text());
        last >= ahead
    });
    assert_eq!(timestamp_of(&future.text()), last);
}

#[test]
fn nothing_published_after_the_101_is_missed() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("now", setup);
        let stream = declared(&server, &publisher, &key);
        let foreign = Foreign::start(Library::Ws);
        for round in 0..30u64 {
            let consumer = foreign.open(&server.url(&stream.uuid, ""));
            publisher.publish(&key, "after");
            assert_eq!(ordinal_of(&consumer.text()), round);
            consumer.close(1000, "");
        }
    }
}

#[test]
fn wrong_starts_are_told_as_ever() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "wrong-starts");
    let foreign = Foreign::start(Library::Websockets);
    for (query, reason) in [
        (
            "stream_from_ordinal=1&stream_from_timestamp=1",
            "Cannot provide more than one 'stream_from_' variable",
        ),
        ("stream_from_datetime=nonsense", "Unable to parse stream_from_datetime value"),
    ] {
        let consumer = foreign.open(&server.url(&stream.uuid, query));
        assert_eq!(consumer.closed(), (1002, reason.to_owned()));
    }
}

fn timestamp_of(text: &str) -> u64 {
    let number = text.rsplit_once("|timestamp: ").map(|(_, number)| number);
    number.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no time in {text}"))
}
