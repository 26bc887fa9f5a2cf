//! Streams that aren't there, come, go, and come back as others.

use serde_json::json;

use crate::support::{Foreign, Library, ordinal_of, wait_until};

use super::{SETUPS, declared, name, on_shared};

#[test]
fn a_stream_that_is_not_there_yet_is_told_and_found_later() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("later", setup);
        let stream = server.create(&key);
        let missing = (1013, format!("EventStream {} cannot be found", stream.uuid));
        let foreign = Foreign::start(Library::Websockets);
        for query in ["", "stream_from_ordinal=0", "stream_from_timestamp=0"] {
            let consumer = foreign.open(&server.url(&stream.uuid, query));
            assert_eq!(consumer.closed(), missing, "{query}");
        }
        let refused = server.try_publish(stream.id, "text/plain", b"event");
        assert!(refused.is_err_and(|why| why.starts_with("404")));
        publisher.declare(&key, &json!({}));
        let consumer = foreign.open(&server.url(&stream.uuid, ""));
        publisher.publish(&key, "first");
        assert!(consumer.text().starts_with("first|ordinal: 0|"));
    }
}

#[test]
fn a_stream_deleted_in_the_broker_is_told_at_once_and_its_successor_is_another() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("deleted", setup);
        let stream = declared(&server, &publisher, &key);
        let missing = (1013, format!("EventStream {} cannot be found", stream.uuid));
        let foreign = Foreign::start(Library::Ws);
        let (one, two) = (
            foreign.open(&server.url(&stream.uuid, "")),
            foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=100")),
        );
        publisher.publish_all("", &key, &["old"], 3).expect("the broker stores");
        assert_eq!(one.texts(3).len(), 3);
        publisher.delete(&key);
        assert_eq!((one.closed(), two.closed()), (missing.clone(), missing.clone()));
        assert_eq!(foreign.open(&server.url(&stream.uuid, "")).closed(), missing);

        publisher.declare(&key, &json!({}));
        let consumer = foreign.open(&server.url(&stream.uuid, ""));
        publisher.publish(&key, "new");
        assert!(consumer.text().starts_with("new|ordinal: 0|"));
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        assert!(replay.text().starts_with("new|ordinal: 0|"));

        // Deleted and made anew before anybody looks: never the old one's continuation.
        publisher.recreate(&key, &json!({}));
        publisher.publish_all("", &key, &["newer"], 9).expect("the broker stores");
        assert_eq!((consumer.closed(), replay.closed()), (missing.clone(), missing));
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        for ordinal in 0..9 {
            let seen = replay.text();
            assert!(seen.starts_with("newer|") && ordinal_of(&seen) == ordinal, "{seen}");
        }
    }
}

#[test]
fn the_api_deletes_the_event_stream_and_leaves_the_brokers_stream_alone() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "left-alone");
    publisher.publish_all("", "left-alone", &["kept"], 2).expect("the broker stores");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    assert_eq!(consumer.texts(2).len(), 2);
    server.delete(stream.id);
    assert_eq!(consumer.closed(), (1000, "The stream has been deleted".to_owned()));
    wait_until("the broker to count", || publisher.messages("left-alone") == Ok(Some(2)));
    let again = server.create("left-alone");
    let shown = server.item(again.id);
    assert_eq!((&shown["floor"], &shown["next_ordinal"]), (&json!(0), &json!(2)));
    let consumer = foreign.open(&server.url(&again.uuid, "stream_from_ordinal=0"));
    assert_eq!(consumer.texts(2).len(), 2);
}
