//! `/metrics`: read with Prometheus' own parser, with consumers in every state.

use crate::support::{Foreign, Library, Scrape, Server, Setup, Wire, everywhere};

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
    let driver = setup.driver.replace('-', "_");
    let shards = scrape.value(&format!("ess_shards{{driver=\"{driver}\"}}"));
    assert_eq!(shards, f64::from(setup.shards));

    let path = format!("/event-stream/{}?stream_from_ordinal=0", large.uuid);
    let mut stalled = Wire::upgrade(server.public(), &path);
    let event = "x".repeat(EVENT_BYTES);
    for _ in 0..MUCH_EVENTS / 16 {
        server.publish_lines(large.id, &[event.as_str(); 16].join("\n"));
    }
    let scrape = Scrape::until(
        &server,
        &[("ess_consumers{state=\"stalled\"}", 1.0), ("ess_consumers{state=\"live\"}", 1.0)],
    );
    let lag = scrape.value("ess_stream_consumer_lag_events{stream=\"(others)\"}");
    assert!(lag > 0.0 && lag <= MUCH_EVENTS as f64, "{lag}");
    let above = scrape.value("ess_stream_consumer_floor_distance_events{stream=\"(others)\"}");
    assert_eq!(above + lag, MUCH_EVENTS as f64);
    assert!(scrape.value("ess_stream_consumer_time_left_seconds{stream=\"(others)\"}") > 0.0);

    for _ in 0..MUCH_EVENTS {
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
