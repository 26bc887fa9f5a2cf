//! `/metrics`: read with Prometheus' own parser, with consumers in every state.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{
    Broker, Foreign, Library, Publisher, Scrape, Server, Setup, Wire, everywhere,
};

everywhere!(consumers_are_counted_by_how_they_do);

/// More than the kernel's buffers of both sides of a socket take.
const MUCH_EVENTS: usize = 512;
const EVENT_BYTES: usize = 64 * 1024;

fn consumers_are_counted_by_how_they_do(setup: Setup) {
    let server = Server::start(setup, &["--tail-bytes", "1MiB"]);
    assert_eq!(Scrape::of(&server).value("ess_consumers{state=\"live\"}"), 0.0);
    // A name that has to be escaped, and one that looks like our own word for the rest.
    let (small, large) = (server.create("a \"b\"\\c"), server.create("(others)"));
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&small.uuid, ""));
    for event in ["one", "two", "{no JSON"] {
        server.publish(small.id, event);
    }
    assert_eq!(consumer.texts(2).len(), 2);
    let label = "{stream=\"a \\\"b\\\"\\\\c\"}";
    let scrape = Scrape::until(
        &server,
        &[
            ("ess_received_events_total", 3.0),
            ("ess_deliveries_total", 2.0),
            ("ess_consumers{state=\"live\"}", 1.0),
            (&format!("ess_stream_received_events_total{label}"), 3.0),
            (&format!("ess_stream_deliveries_total{label}"), 2.0),
            (&format!("ess_stream_consumer_lag_events{label}"), 0.0),
        ],
    );
    let frame = 2 + "one|ordinal: 1|timestamp: 1234567890123".len();
    assert_eq!(scrape.value("ess_received_bytes_total"), 2.0 * frame as f64);
    // There may have been a ping.
    assert!(scrape.value("ess_sent_bytes_total") >= 2.0 * frame as f64);
    assert_eq!(scrape.value(&format!("ess_stream_next_ordinal{label}")), 4.0);
    assert_eq!(scrape.value("ess_streams{state=\"open\"}"), 2.0);
    assert_eq!(scrape.value("ess_streams{state=\"unavailable\"}"), 0.0);
    // It has no label of its own, so that nobody takes it for the rest.
    assert_eq!(scrape.value("ess_stream_consumers{stream=\"(others)\"}"), 0.0);
    assert_eq!(scrape.get("ess_stream_next_ordinal{stream=\"(others)\"}"), None);
    assert_eq!(scrape.value("ess_skipped_events_total{reason=\"bad_json\"}"), 1.0);
    assert_eq!(scrape.value("ess_publish_duration_seconds_count"), 3.0);
    assert!(scrape.value("ess_sync_duration_seconds_count") >= 3.0);
    assert!(scrape.value("ess_sync_duration_seconds_bucket{le=\"+Inf\"}") >= 3.0);
    assert!(scrape.value("process_resident_memory_bytes") > 0.0);
    assert!(scrape.value("process_open_fds") < scrape.value("process_max_fds"));
    assert_eq!(scrape.get("ess_broker_up"), None, "there is no broker");
    let driver = setup.driver.replace('-', "_");
    let shards = scrape.value(&format!("ess_shards{{driver=\"{driver}\"}}"));
    assert_eq!(shards, f64::from(setup.shards));

    let path = format!("/event-stream/{}?stream_from_ordinal=0", large.uuid);
    let mut stalled = Wire::upgrade(server.public(), &path);
    let event = "x".repeat(EVENT_BYTES);
    for _ in 0..MUCH_EVENTS / 16 {
        server.publish_lines(large.id, &[event.as_str(); 16].join("\n"));
    }
    let received = read_slowly(&server, &mut stalled);
    let scrape = Scrape::until(
        &server,
        &[("ess_consumers{state=\"stalled\"}", 1.0), ("ess_consumers{state=\"live\"}", 1.0)],
    );
    let lag = scrape.value("ess_stream_consumer_lag_events{stream=\"(others)\"}");
    assert!(lag > 0.0 && lag <= MUCH_EVENTS as f64, "{lag}");
    let above = scrape.value("ess_stream_consumer_floor_distance_events{stream=\"(others)\"}");
    assert_eq!(above + lag, MUCH_EVENTS as f64);
    assert!(scrape.value("ess_stream_consumer_time_left_seconds{stream=\"(others)\"}") > 0.0);

    for _ in received..MUCH_EVENTS {
        stalled.text();
    }
    Scrape::until(
        &server,
        &[
            ("ess_consumers{state=\"stalled\"}", 0.0),
            ("ess_consumers{state=\"live\"}", 2.0),
            ("ess_deliveries_total", 2.0 + MUCH_EVENTS as f64),
            ("ess_stream_consumer_lag_events{stream=\"(others)\"}", 0.0),
        ],
    );
}

/// Reads, but slowly, until that is seen; then not at all. How many events were read.
fn read_slowly(server: &Server, wire: &mut Wire) -> usize {
    let seen = AtomicBool::new(false);
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut received = 0;
            while !seen.load(Ordering::Relaxed) && received < MUCH_EVENTS / 2 {
                wire.text();
                received += 1;
                thread::sleep(Duration::from_millis(10));
            }
            received
        });
        Scrape::until(server, &[("ess_consumers{state=\"catching_up\"}", 1.0)]);
        seen.store(true, Ordering::Relaxed);
        reading.join().expect("it reads")
    })
}

#[test]
fn what_ends_and_what_is_refused_is_counted_by_why() {
    let server = Server::start(Setup::USUAL, &[]);
    let stream = server.create("abc");
    let foreign = Foreign::start(Library::Websockets);
    let [left, deleted] = [(); 2].map(|()| foreign.open(&server.url(&stream.uuid, "")));
    let unknown = foreign.open(&server.url("nobody", ""));
    assert_eq!(unknown.closed().0, 1000);
    let late = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=first"));
    assert_eq!(late.closed().0, 1002);
    left.close(1000, "Service restart");
    left.closed();
    Scrape::until(&server, &[("ess_closes_total{reason=\"client\"}", 1.0)]);
    server.delete(stream.id);
    assert_eq!(deleted.closed().0, 1000);
    server.ask("/nowhere");
    let scrape = Scrape::until(
        &server,
        &[
            ("ess_closes_total{reason=\"deleted\"}", 1.0),
            ("ess_refusals_total{reason=\"unknown\"}", 1.0),
            ("ess_refusals_total{reason=\"start\"}", 1.0),
            ("ess_http_responses_total{port=\"internal\",status=\"404\"}", 1.0),
            ("ess_http_responses_total{port=\"internal\",status=\"204\"}", 1.0),
            ("ess_streams{state=\"open\"}", 0.0),
        ],
    );
    assert_eq!(scrape.value("ess_closes_total{reason=\"restart\"}"), 0.0, "not the client's words");
    let wanted = ("histogram".to_owned(), "seconds".to_owned());
    assert_eq!(scrape.families["ess_publish_duration_seconds"], wanted);
}

#[test]
fn streams_without_labels_of_their_own_are_counted_in_sum() {
    let server = Server::start(Setup::USUAL, &["--metrics-streams-max", "1"]);
    let (first, other) = (server.create("first"), server.create("other"));
    let foreign = Foreign::start(Library::Websockets);
    // The most consumed one is the one that is shown.
    let consumer = foreign.open(&server.url(&first.uuid, ""));
    for _ in 0..2 {
        server.publish(first.id, "one");
    }
    for _ in 0..3 {
        server.publish(other.id, "one");
    }
    assert_eq!(consumer.texts(2).len(), 2);
    let counter = |label: &str| format!("ess_stream_received_events_total{{stream=\"{label}\"}}");
    Scrape::until(&server, &[(&counter("first"), 2.0), (&counter("(others)"), 3.0)]);
    // What is gone has still been counted.
    server.delete(other.id);
    let another = server.create("another");
    server.publish(another.id, "one");
    let scrape = Scrape::until(&server, &[(&counter("first"), 2.0), (&counter("(others)"), 4.0)]);
    assert_eq!(scrape.get(&counter("other")), None);
}

#[test]
fn a_broker_and_what_cannot_be_sent_of_its_events_are_counted() {
    let mut broker = Broker::start();
    let server = Server::start_on(&broker, Setup::USUAL, &[]);
    let publisher = Publisher::start(&broker);
    publisher.declare("abc", &serde_json::json!({}));
    let stream = server.create("abc");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    for event in ["one", "{no JSON", "two"] {
        publisher.publish("abc", event);
    }
    assert_eq!(consumer.texts(2).len(), 2);
    let scrape = Scrape::until(
        &server,
        &[
            ("ess_broker_up", 1.0),
            // Each shard's.
            ("ess_broker_connections{protocol=\"stream\"}", 2.0),
            ("ess_broker_connections{protocol=\"amqp\"}", 0.0),
            ("ess_skipped_events_total{reason=\"bad_json\"}", 1.0),
            ("ess_stream_received_events_total{stream=\"abc\"}", 3.0),
            ("ess_stream_consumers{stream=\"abc\"}", 1.0),
        ],
    );
    let opened = "ess_broker_connections_opened_total{protocol=\"stream\"}";
    let before = scrape.value(opened);
    assert!(before >= 1.0);
    assert_eq!(scrape.get("ess_stream_size_bytes{stream=\"abc\"}"), None, "the broker's to tell");

    broker.kill();
    let open = "ess_broker_connections{protocol=\"stream\"}";
    Scrape::until(&server, &[("ess_broker_up", 0.0), (open, 0.0)]);
    Scrape::until(&server, &[("ess_consumers{state=\"live\"}", 1.0)]);
    broker.restart();
    let scrape = Scrape::until(&server, &[("ess_broker_up", 1.0)]);
    assert!(scrape.value(opened) > before);
    let failed = "ess_broker_connections_failed_total{protocol=\"stream\"}";
    assert!(scrape.value(failed) >= 1.0);
}
