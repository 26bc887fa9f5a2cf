//! Why a consumer ends, or never begins: close codes and their reasons, refused upgrades.

use crate::support::{Curl, Foreign, Library, Server, Setup, everywhere};

everywhere!(unknown, deleted, stopping, refused_upgrades, the_client_closes, exclusive);

const DELETED: &str = "The stream has been deleted";

fn unknown(setup: Setup) {
    let server = Server::start(setup, &[]);
    let gone = server.create("abc");
    server.delete(gone.id);
    let long = "x".repeat(300);
    for foreign in Foreign::each() {
        for uuid in ["nobody", "00000000-0000-0000-0000-000000000000", &gone.uuid, "'%20OR%201=1"] {
            let (code, reason) = foreign.open(&server.url(uuid, "")).closed();
            assert_eq!(code, 1000, "{uuid}");
            let expected = format!("Connect for unknown EventStream {uuid}");
            if uuid.contains('%') {
                assert!(reason.starts_with("Connect for unknown EventStream '"), "{reason}");
            } else {
                assert_eq!(reason, expected);
            }
        }
        let (code, reason) = foreign.open(&server.url(&long, "")).closed();
        assert_eq!((code, reason.len()), (1000, 123), "{reason}");
        assert!(format!("Connect for unknown EventStream {long}").starts_with(&reason));
        // Cut between two characters, however they were written in the address.
        let (code, reason) = foreign.open(&server.url(&"%C3%A9".repeat(60), "")).closed();
        assert_eq!(code, 1000);
        assert!(reason.starts_with("Connect for unknown EventStream ") && reason.len() <= 123);
        // The fault of a start counts only where there is something to start from.
        let (code, _) = foreign.open(&server.url("nobody", "stream_from_ordinal=1")).closed();
        assert_eq!(code, 1000);
    }
}

fn deleted(setup: Setup) {
    let server = Server::start(setup, &[]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        let twin = server.create("abc");
        server.publish(stream.id, "one");
        let live = foreign.open(&server.url(&stream.uuid, ""));
        let replayed = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        let waiting = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=100"));
        let other = foreign.open(&server.url(&twin.uuid, ""));
        assert!(replayed.text().starts_with("one|ordinal: 1|"));

        // At once: nothing is published in between, and nothing is sent.
        server.delete(stream.id);
        for consumer in [live, replayed, waiting] {
            assert_eq!(consumer.closed(), (1000, DELETED.to_owned()));
        }
        // The same routing key by another address: its consumers stay, its history too.
        server.publish(twin.id, "two");
        assert!(other.text().starts_with("two|ordinal: 2|"));
        server.delete(twin.id);
        assert_eq!(other.closed(), (1000, DELETED.to_owned()));

        // With its last event stream the history went.
        let again = server.create("abc");
        let consumer = foreign.open(&server.url(&again.uuid, "stream_from_ordinal=0"));
        let published = server.publish(again.id, "anew");
        let expected =
            format!("anew|ordinal: {}|timestamp: {}", published.first, published.timestamp);
        assert_eq!(consumer.text(), expected);
        server.delete(again.id);
    }
}

fn stopping(setup: Setup) {
    let server = Server::start(setup, &["--drain", "1s"]);
    let stream = server.create("abc");
    server.publish(stream.id, "one");
    let foreign: Vec<Foreign> = Foreign::each().collect();
    let consumers: Vec<_> = foreign
        .iter()
        .flat_map(|foreign| {
            let live = foreign.open(&server.url(&stream.uuid, ""));
            let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
            assert!(replay.text().starts_with("one|"));
            [live, replay]
        })
        .collect();
    server.terminate();
    for consumer in consumers {
        assert_eq!(consumer.closed(), (1012, "Service restart".to_owned()));
    }
    let status = server.ended();
    assert_eq!(status.code(), Some(0), "{status:?}");
}

fn refused_upgrades(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let base = format!("http://{}", server.public());
    let path = format!("{base}/event-stream/{}", stream.uuid);
    for uuid in [stream.uuid.as_str(), "nobody"] {
        let plain = Curl::get(&format!("{base}/event-stream/{uuid}")).send();
        assert_eq!(plain.status, 426, "{plain:?}");
        assert_eq!(plain.header("upgrade"), Some("websocket"), "{plain:?}");
    }
    for other in ["/", "/event-stream/", "/event-stream", "/nowhere", "/event-stream/version/"] {
        let answer = Curl::get(&format!("{base}{other}")).send();
        let expected = if other == "/event-stream/version/" { [404, 426] } else { [404, 404] };
        assert!(expected.contains(&answer.status), "{other}: {answer:?}");
    }
    // Nothing of the internal API is public.
    for (method, other) in [("POST", "/event-stream/"), ("DELETE", "/event-stream/1")] {
        let status = Curl::request(method, &format!("{base}{other}")).send().status;
        assert!((400..500).contains(&status), "{method} {other}: {status}");
    }
    assert_eq!(server.publish(stream.id, "still there").first, 1);

    for foreign in Foreign::each() {
        for other in ["/", "/nowhere", "/event-stream/"] {
            let url = format!("ws://{}{other}", server.public());
            assert_eq!(foreign.connect(&url).refused(), 404, "{other}");
        }
        // Any origin, unless configured.
        let url = server.url(&stream.uuid, "");
        let _consumer = foreign.connect_with(&url, &[("Origin", "https://evil.example")]).opened();
    }
    let status = Curl::post(&path, "text/plain", b"public").send().status;
    assert!((400..500).contains(&status), "publishing on the public port: {status}");
}

fn the_client_closes(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    for foreign in Foreign::each() {
        for (code, reason) in [(1000, "bye"), (1001, ""), (3000, "\u{e9}"), (4999, "mine")] {
            let consumer = foreign.open(&server.url(&stream.uuid, ""));
            consumer.close(code, reason);
            let (echoed, _) = consumer.closed();
            assert_eq!(echoed, u64::from(code), "the code is given back (RFC 6455 §5.5.1)");
        }
    }
    // While events are on their way.
    let foreign = Foreign::start(Library::Websockets);
    server.publish_lines(stream.id, &"line\n".repeat(10_000));
    let consumer = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    assert!(consumer.text().starts_with("line|ordinal: 1|"));
    consumer.close(1000, "enough");
    let mut expected = 2;
    loop {
        let happening = consumer.next();
        if happening["on"] == "closed" {
            assert_eq!(happening["code"], 1000, "{happening}");
            break;
        }
        let text = happening["data"].as_str().expect("a text");
        assert!(text.starts_with(&format!("line|ordinal: {expected}|")), "{text}");
        expected += 1;
    }
}

fn exclusive(setup: Setup) {
    let server = Server::start(setup, &["--exclusive"]);
    for foreign in Foreign::each() {
        let stream = server.create("abc");
        let twin = server.create("abc");
        let other = server.create("other");
        let bystander = foreign.open(&server.url(&other.uuid, ""));

        let mut holder = foreign.open(&server.url(&stream.uuid, ""));
        for uuid in [&stream.uuid, &twin.uuid, &stream.uuid] {
            let newcomer = foreign.open(&server.url(uuid, ""));
            // At once, not at the next event.
            let (code, reason) = holder.closed();
            assert_eq!(code, 1000);
            assert!(reason.contains("nother consumer"), "a reason that says so: {reason}");
            holder = newcomer;
        }
        let published = server.publish(stream.id, "one");
        assert!(holder.text().starts_with(&format!("one|ordinal: {}|", published.first)));
        server.publish(other.id, "undisturbed");
        assert!(bystander.text().starts_with("undisturbed|"));
        for stream in [stream, twin, other] {
            server.delete(stream.id);
        }
    }
}

#[test]
fn configured_origins_only() {
    let allowed = "https://portal.example";
    let server = Server::start(Setup::USUAL, &["--allow-origin", allowed]);
    let stream = server.create("abc");
    let url = server.url(&stream.uuid, "");
    let foreign = Foreign::start(Library::Ws);
    let _browser = foreign.connect_with(&url, &[("Origin", allowed)]).opened();
    // Programs send none.
    let _program = foreign.open(&url);
    for origin in ["https://evil.example", "http://portal.example", "null"] {
        assert_eq!(foreign.connect_with(&url, &[("Origin", origin)]).refused(), 403, "{origin}");
    }
}
