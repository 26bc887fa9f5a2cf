//! What is sent for what lies in the broker, whoever published it.

use crate::support::{
    Broker, Foreign, Library, Packing, Publisher, Server, StreamPublisher, ordinal_of, wait_until,
};

use super::{SETUPS, declared, name, on_shared};

#[test]
fn bodies_arrive_as_the_contract_says_live_and_in_a_replay() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("bodies", setup);
        let stream = declared(&server, &publisher, &key);
        let foreign = Foreign::start(Library::Websockets);
        let live = foreign.open(&server.url(&stream.uuid, ""));
        let bodies: [&[u8]; 9] = [
            b"text",
            b"{\"a\": 1.50, \"b\": \"\\u00e9\", \"ess_ordinal\": 7}",
            b"{not json",
            b"",
            b"\xff\xfe",
            "grüße".as_bytes(),
            b"a\0b\nc",
            b"{\"nan\": NaN}",
            b"last",
        ];
        publisher.publish_all("", &key, &bodies, 1).expect("the broker stores");
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        for consumer in [live, replay] {
            assert!(consumer.text().starts_with("text|ordinal: 0|timestamp: "));
            let json = consumer.text();
            assert!(json.starts_with("{\"ess_ordinal\":1,\"ess_timestamp\":1"), "{json}");
            assert!(json.contains("\"a\": 1.50, \"b\": \"\\u00e9\""), "byte for byte: {json}");
            assert_eq!(json.matches("ess_ordinal").count(), 1, "{json}");
            assert!(consumer.text().starts_with("grüße|ordinal: 5|"));
            assert!(consumer.text().starts_with("a\0b\nc|ordinal: 6|"));
            assert!(consumer.text().starts_with("last|ordinal: 8|"));
        }
        server.logged("event 2 is skipped", 1);
        server.logged("event 4 is skipped", 1);
    }
}

#[test]
fn entries_that_cannot_be_read_cost_no_neighbour_and_batches_keep_their_ordinals() {
    let broker = Broker::shared();
    let setup = SETUPS[0];
    let server = Server::start_on(&broker, setup, &[]);
    let publisher = Publisher::start(&broker);
    let streams = StreamPublisher::start(&broker);
    let key = name("entries", setup);
    let stream = declared(&server, &publisher, &key);
    let mut expected = Vec::new();
    let mut next = 0;
    for packing in [Packing::Plain, Packing::Raw, Packing::Batch, Packing::GzipBatch] {
        let bodies = ["one", "two", "three"];
        streams.publish_all(&key, &bodies, 2, packing).expect("the broker stores");
        for body in bodies.iter().chain(&bodies) {
            if !matches!(packing, Packing::Raw) {
                expected.push(format!("{body}|ordinal: {next}|"));
            }
            next += 1;
        }
    }
    let foreign = Foreign::start(Library::Ws);
    let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    for expected in &expected {
        let seen = replay.text();
        assert!(seen.starts_with(expected), "{seen}, expected {expected}");
    }
    server.logged("event 6 is skipped", 1);
    // Into the middle of a batch.
    let inside = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=14"));
    assert!(inside.text().starts_with("one|ordinal: 15|"));
}

#[test]
fn twenty_mebibytes_pass_in_both_ways() {
    let (server, publisher) = on_shared(SETUPS[0]);
    let stream = declared(&server, &publisher, "large");
    let foreign = Foreign::start(Library::Websockets);
    let live = foreign.open(&server.url(&stream.uuid, ""));
    let large = "x".repeat(20 << 20);
    publisher.publish_all("", "large", &["before", &large, "after"], 1).expect("stored");
    let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    for consumer in [live, replay] {
        assert_eq!(ordinal_of(&consumer.text()), 0);
        let seen = consumer.text();
        assert!(seen.len() > large.len() && seen.starts_with(&large), "{} bytes", seen.len());
        assert!(seen[large.len()..].starts_with("|ordinal: 1|"));
        assert!(consumer.text().starts_with("after|ordinal: 2|"));
    }
}

#[test]
fn a_poison_ends_who_is_here_and_a_replay_only_as_the_last_word() {
    for setup in SETUPS {
        let (server, publisher) = on_shared(setup);
        let key = name("poison", setup);
        let stream = declared(&server, &publisher, &key);
        let foreign = Foreign::start(Library::Websockets);
        let live = foreign.open(&server.url(&stream.uuid, ""));
        publisher.publish_all("", &key, &["one", "POISON"], 1).expect("the broker stores");
        let deleted = (1000, "The stream has been deleted".to_owned());
        assert!(live.text().starts_with("one|"));
        assert_eq!(live.closed(), deleted);
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        assert!(replay.text().starts_with("one|"));
        assert_eq!(replay.closed(), deleted);
        publisher.publish(&key, "two");
        wait_until("the service to see it", || server.item(stream.id)["next_ordinal"] == 3);
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        assert!(replay.text().starts_with("one|ordinal: 0|"));
        assert!(replay.text().starts_with("two|ordinal: 2|"));
    }
}
