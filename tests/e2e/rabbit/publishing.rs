//! Publishing through the service into the broker.

use crate::support::{Foreign, Library, ordinal_of};

use super::{SETUPS, declared, name, on_shared};

#[test]
fn a_publish_is_answered_with_where_its_events_came_out() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("publish", setup);
        let stream = declared(&server, &publisher, &key);
        publisher.publish_all("", &key, &["before"], 5).expect("the broker stores");
        let one = server.publish(stream.id, "one");
        assert_eq!((one.first, one.last), (5, 5));
        let lines: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        let many = server.publish_lines(stream.id, &lines);
        assert_eq!((many.first, many.last), (6, 1_005));
        let foreign = Foreign::start(Library::Websockets);
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=5"));
        for n in 0..1_000 {
            let seen = replay.text();
            assert!(seen.starts_with(&format!("line {n}|ordinal: {}|", n + 6)), "{seen}");
        }
    }
}

#[test]
fn what_can_never_be_delivered_is_named_in_the_answer() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "undeliverable");
    let (status, text) = server.publish_once(stream.id, "key", "a\n{bad\nb\n");
    assert_eq!(status, 201, "{text}");
    assert!(text.contains("\"undeliverable\":[{\"ordinal\":1,"), "{text}");
}

#[test]
fn a_key_is_stored_once_however_often_it_is_published() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "once");
    let lines: String = (0..50).map(|n| format!("{n}\n")).collect();
    let (status, text) = server.publish_once(stream.id, "order 4711", &lines);
    assert_eq!(status, 201);
    assert!(text.starts_with("{\"first_ordinal\":0,\"last_ordinal\":49,"), "{text}");
    for _ in 0..3 {
        let again = server.publish_once(stream.id, "order 4711", &lines);
        assert_eq!(again, (200, "{\"duplicate\":true}".to_owned()));
    }
    let other = server.publish_once(stream.id, "order 4712", "x\n");
    assert!(other.1.starts_with("{\"first_ordinal\":50,"), "{other:?}");
    let foreign = Foreign::start(Library::Ws);
    let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    for ordinal in 0..51 {
        assert_eq!(ordinal_of(&replay.text()), ordinal);
    }
}

#[test]
fn an_event_that_the_broker_takes_in_no_frame_is_refused_whole() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "too-large");
    let refused = server.try_publish(stream.id, "text/plain", &vec![b'x'; 2 << 20]);
    let why = refused.expect_err("no frame of 1 MiB takes it");
    assert!(why.starts_with("413") && why.contains("frame_max"), "{why}");
    assert_eq!(server.publish(stream.id, "small").first, 0);
}

#[test]
fn publishes_that_meet_stay_whole_and_come_out_in_order() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "meeting");
    let id = stream.id;
    std::thread::scope(|scope| {
        for publisher in 0..8 {
            let api = (*server).clone();
            scope.spawn(move || {
                for round in 0..20 {
                    let lines: String =
                        (0..10).map(|n| format!("{publisher} {round} {n}\n")).collect();
                    let published = api.publish_lines(id, &lines);
                    assert_eq!(published.last - published.first, 9);
                }
            });
        }
    });
    let foreign = Foreign::start(Library::Websockets);
    let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    let mut before = String::new();
    for n in 0..1_600 {
        let seen = replay.text();
        let body = seen.split('|').next().unwrap_or_default().to_owned();
        if n % 10 > 0 {
            let (whole, _) = before.rsplit_once(' ').expect("three numbers");
            assert_eq!(body, format!("{whole} {}", n % 10));
        }
        before = body;
    }
}
