//! Stats lines: how far each consumer came.

use crate::support::{Foreign, Library, Scrape, Server, Setup, everywhere};

everywhere!(a_consumer_has_a_line_every_so_many_events_and_at_its_end);

fn a_consumer_has_a_line_every_so_many_events_and_at_its_end(setup: Setup) {
    let server = Server::start(setup, &["--message-stats-interval", "5"]);
    let stream = server.create("abc");
    let foreign = Foreign::start(Library::Websockets);
    let [much, little] = ["", "stream_from_ordinal=3"].map(|start| server.url(&stream.uuid, start));
    let (much, little) = (foreign.open(&much), foreign.open(&little));
    server.publish_lines(stream.id, &["event"; 7].join("\n"));
    assert_eq!((much.texts(7).len(), little.texts(4).len()), (7, 4));
    let line = server.logged(": 7 events sent, next 8 of 8", 1);
    assert!(line.contains(&format!("EventStream {} 127.0.0.1:", stream.uuid)), "{line}");

    much.close(1000, "");
    much.closed();
    server.logged(": ended, 7 events sent in all, next 8 of 8", 1);
    little.close(1000, "");
    little.closed();
    server.logged(": ended, 4 events sent in all, next 8 of 8", 1);
    assert!(!server.has_logged(": 4 events sent,"), "that were less than 5");
}

#[test]
fn nobody_has_a_line_where_none_is_wanted() {
    let server = Server::start(Setup::USUAL, &["--message-stats-interval", "0"]);
    let stream = server.create("abc");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    server.publish_lines(stream.id, &["event"; 900].join("\n"));
    assert_eq!(consumer.texts(900).len(), 900);
    consumer.close(1000, "");
    consumer.closed();
    Scrape::until(&server, &[("ess_closes_total{reason=\"client\"}", 1.0)]);
    server.logged(" closed 1000 ", 1);
    assert!(!server.has_logged("events sent"));
}
