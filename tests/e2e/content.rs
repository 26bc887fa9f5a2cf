//! What is sent for an event: enrichment byte for byte, POISON, what is left out, large events.

use crate::support::{Foreign, Library, Server, Setup, everywhere};

everywhere!(enrichment, left_out, poison, the_same_from_the_disk, a_large_event);

/// The reason of the end that POISON is.
const END: &str = "The stream has been deleted";

/// A body, and what is sent for it with `#` for the ordinal and `@` for the timestamp.
const ENRICHED: &[(&str, &str)] = &[
    ("text", "text|ordinal: #|timestamp: @"),
    (" ", " |ordinal: #|timestamp: @"),
    ("na\u{ef}ve \u{1F980} \u{7}", "na\u{ef}ve \u{1F980} \u{7}|ordinal: #|timestamp: @"),
    ("[1,2]", "[1,2]|ordinal: #|timestamp: @"),
    ("\"{}\"", "\"{}\"|ordinal: #|timestamp: @"),
    (" {\"a\":1}", " {\"a\":1}|ordinal: #|timestamp: @"),
    ("POISON ", "POISON |ordinal: #|timestamp: @"),
    ("poison", "poison|ordinal: #|timestamp: @"),
    ("{}", "{\"ess_ordinal\":#,\"ess_timestamp\":@}"),
    ("{\"a\":1}", "{\"ess_ordinal\":#,\"ess_timestamp\":@,\"a\":1}"),
    // Numbers that no double holds, escapes, spaces, order and repeated names stay as they are.
    (
        "{ \"n\" : 1.10000000000000000000001e+400 ,\t\"e\":\"\\u00e9\u{e9}\\/\" , \"n\":-0 }",
        "{\"ess_ordinal\":#,\"ess_timestamp\":@, \"n\" : 1.10000000000000000000001e+400 ,\t\
         \"e\":\"\\u00e9\u{e9}\\/\" , \"n\":-0 }",
    ),
    // Only the outermost names are ours.
    (
        "{\"a\":{\"ess_ordinal\":7}}",
        "{\"ess_ordinal\":#,\"ess_timestamp\":@,\"a\":{\"ess_ordinal\":7}}",
    ),
    ("{\"ess_ordinal\":7,\"a\":1}", "{\"ess_ordinal\":#,\"ess_timestamp\":@,\"a\":1}"),
    ("{\"a\":1,\"ess_timestamp\":\"x\"}", "{\"ess_ordinal\":#,\"ess_timestamp\":@,\"a\":1}"),
    ("{\"ess_timestamp\":[1,{}],\"ess_ordinal\":null}", "{\"ess_ordinal\":#,\"ess_timestamp\":@}"),
];

/// Stored, and never sent.
const LEFT_OUT: [&[u8]; 7] = [
    b"{not json",
    b"{\"a\":1",
    b"{\"a\":1} x",
    b"{'a':1}",
    b"{\"a\":NaN}",
    b"\xff\xfe text",
    b"{\"a\":\"\xc3\x28\"}",
];

fn enrichment(setup: Setup) {
    let server = Server::start(setup, &[]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        let live = foreign.open(&server.url(&stream.uuid, ""));
        let published = ENRICHED.iter().map(|(body, sent)| {
            let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
            let published = server.try_publish(stream.id, kind, body.as_bytes());
            let published = published.expect("an event like any other");
            sent.replace('#', &published.first.to_string())
                .replace('@', &published.timestamp.to_string())
        });
        let expected: Vec<String> = published.collect();
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        assert_eq!(live.texts(expected.len()), expected, "live");
        assert_eq!(replay.texts(expected.len()), expected, "from history");
        server.delete(stream.id);
    }
}

/// What can't be sent is skipped; its neighbours are not.
fn left_out(setup: Setup) {
    let server = Server::start(setup, &[]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        let live = foreign.open(&server.url(&stream.uuid, ""));
        let mut expected = Vec::new();
        for body in LEFT_OUT {
            let batch = [b"before\n", body, b"\nafter"].concat();
            let published = server.try_publish(stream.id, "application/x-ndjson", &batch);
            let published = published.expect("an event that can't be sent is stored like others");
            assert_eq!(published.last - published.first, 2, "{published:?}");
            let suffix =
                |ordinal| format!("|ordinal: {ordinal}|timestamp: {}", published.timestamp);
            expected.push(format!("before{}", suffix(published.first)));
            expected.push(format!("after{}", suffix(published.last)));
        }
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        assert_eq!(live.texts(expected.len()), expected, "live");
        assert_eq!(replay.texts(expected.len()), expected, "from history");
        // From the one that is left out: the one after it. From right before: the same.
        for start in [1, 2] {
            let query = format!("stream_from_ordinal={start}");
            assert_eq!(foreign.open(&server.url(&stream.uuid, &query)).text(), expected[1]);
        }
        server.delete(stream.id);
    }
    // Nested deeper than any honest event.
    let stream = server.create("deep");
    let foreign = Foreign::start(Library::Ws);
    let live = foreign.open(&server.url(&stream.uuid, ""));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    server.publish(stream.id, &deep);
    server.publish(stream.id, "after");
    assert!(live.text().starts_with("after|ordinal: 2|"));
}

fn poison(setup: Setup) {
    let server = Server::start(setup, &[]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        let twin = server.create("abc");
        let live = [&stream, &twin].map(|stream| foreign.open(&server.url(&stream.uuid, "")));
        server.publish(stream.id, "one");
        server.publish(stream.id, "POISON");
        for consumer in live {
            assert!(consumer.text().starts_with("one|ordinal: 1|"));
            assert_eq!(consumer.closed(), (1000, END.to_owned()));
        }
        // The last event of a replay: it ends the consumer, after all the others.
        let from_start = || foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        let replay = from_start();
        assert!(replay.text().starts_with("one|ordinal: 1|"));
        assert_eq!(replay.closed(), (1000, END.to_owned()));

        // An old one doesn't, and isn't sent.
        server.publish(stream.id, "three");
        let replay = from_start();
        assert!(replay.text().starts_with("one|ordinal: 1|"));
        assert!(replay.text().starts_with("three|ordinal: 3|"));
        server.publish(stream.id, "four");
        assert!(replay.text().starts_with("four|ordinal: 4|"));
        // As one line of several, and at the end of them.
        server.publish_lines(stream.id, "five\nPOISON\n");
        assert!(replay.text().starts_with("five|ordinal: 5|"));
        assert_eq!(replay.closed(), (1000, END.to_owned()));

        server.delete(stream.id);
        server.delete(twin.id);
    }
}

/// In a new life nothing is in memory: all of it is read from the log, up to what is live.
fn the_same_from_the_disk(setup: Setup) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start_in(setup, data.path(), &[]);
    let (stream, ended) = (server.create("abc"), server.create("ended"));
    let mut expected: Vec<(u64, String)> = Vec::new();
    for (number, (body, sent)) in ENRICHED.iter().enumerate() {
        let published = server.publish(stream.id, body);
        let sent = sent.replace('#', &published.first.to_string());
        let sent = sent.replace('@', &published.timestamp.to_string());
        expected.push((published.first, sent));
        let unsent = LEFT_OUT.get(number).copied().unwrap_or(b"POISON");
        server.try_publish(stream.id, "text/plain", unsent).expect("stored like others");
    }
    let last = server.publish(stream.id, "last");
    expected
        .push((last.first, format!("last|ordinal: {}|timestamp: {}", last.first, last.timestamp)));
    server.publish_lines(ended.id, "one\nPOISON\ntwo\nPOISON\n");
    server.kill();

    let server = Server::start_in(setup, data.path(), &[]);
    for foreign in Foreign::each() {
        for start in 0..last.first {
            let query = format!("stream_from_ordinal={start}");
            let replay = foreign.open(&server.url(&stream.uuid, &query));
            for (ordinal, sent) in &expected {
                if *ordinal > start {
                    assert_eq!(replay.text(), *sent, "from {start}");
                }
            }
            if start == 0 {
                let live = server.publish(stream.id, "live");
                let suffix = format!("|ordinal: {}|timestamp: {}", live.first, live.timestamp);
                assert_eq!(replay.text(), format!("live{suffix}"));
                expected.push((live.first, format!("live{suffix}")));
            }
            replay.close(1000, "");
        }
        let replay = |start| {
            let query = format!("stream_from_ordinal={start}");
            foreign.open(&server.url(&ended.uuid, &query))
        };
        let all = replay(0);
        assert!(all.text().starts_with("one|ordinal: 1|"));
        assert!(all.text().starts_with("two|ordinal: 3|"));
        assert_eq!(all.closed(), (1000, END.to_owned()));
        assert_eq!(replay(3).closed(), (1000, END.to_owned()));
    }
}

fn a_large_event(setup: Setup) {
    const BYTES: usize = 20 * 1024 * 1024;
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    // Not all the same, so that a piece in the wrong place is seen.
    let body: String =
        (0u32..).flat_map(|n| format!("{n} ").into_bytes()).map(char::from).take(BYTES).collect();
    for foreign in Foreign::each() {
        let live = foreign.open(&server.url(&stream.uuid, ""));
        let published = server.publish(stream.id, &body);
        let after = server.publish(stream.id, "after");
        let query = format!("stream_from_ordinal={}", published.first - 1);
        let replay = foreign.open(&server.url(&stream.uuid, &query));
        for consumer in [live, replay] {
            let seen = consumer.text();
            let (sent, suffix) = seen.split_at(BYTES);
            assert!(sent == body, "20 MiB arrive as they were sent");
            let expected =
                format!("|ordinal: {}|timestamp: {}", published.first, published.timestamp);
            assert_eq!(suffix, expected);
            assert!(consumer.text().starts_with(&format!("after|ordinal: {}|", after.first)));
        }
    }
}
