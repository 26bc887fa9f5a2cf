//! What is kept, and where a consumer begins that asks for what isn't.

use crate::support::{
    EventStream, Foreign, Frame, Scrape, Server, Setup, Wire, everywhere, ordinal_of, wait_until,
};

everywhere!(before_the_oldest_retained, a_consumer_that_falls_behind_sees_the_gap);

const RETENTION: &[&str] = &["--retain-bytes", "2MiB", "--retain-interval", "100ms"];

fn before_the_oldest_retained(setup: Setup) {
    let server = Server::start(setup, RETENTION);
    let stream = server.create("abc");
    let begin = server.publish(stream.id, "the first").timestamp;
    let (floor, next) = outgrow(&server, &stream);
    assert!(floor > 1 && next > floor, "{floor}, {next}");

    for foreign in Foreign::each() {
        for start in [
            "ordinal=0".to_owned(),
            "ordinal=1".to_owned(),
            format!("ordinal={}", floor - 2),
            format!("ordinal={}", floor - 1),
            "timestamp=0".to_owned(),
            format!("timestamp={begin}"),
            "datetime=1999-12-31".to_owned(),
        ] {
            let oldest = server.floor(stream.id);
            let query = format!("stream_from_{start}");
            let first = ordinal_of(&foreign.open(&server.url(&stream.uuid, &query)).text());
            let still = server.floor(stream.id);
            assert!((oldest..=still).contains(&first), "{start}: {oldest} {first} {still}");
        }
        // What is retained is not skipped.
        let query = format!("stream_from_ordinal={}", next - 3);
        let text = foreign.open(&server.url(&stream.uuid, &query)).text();
        assert_eq!(ordinal_of(&text), next - 2);
    }
}

/// It stops reading until what it is owed is dropped; then it goes on at the oldest retained.
fn a_consumer_that_falls_behind_sees_the_gap(setup: Setup) {
    let server = Server::start(setup, &[RETENTION, &["--tail-bytes", "1MiB"]].concat());
    let stream = server.create("abc");
    let mut wire = Wire::upgrade(server.public(), &format!("/event-stream/{}", stream.uuid));
    let (mut floor, mut next) = (1, 1);
    // Until more was dropped than the kernel's buffers of both sides take.
    const BUFFERED_BYTES_MAX: u64 = 32 * 1024 * 1024;
    while floor * EVENT_BYTES < BUFFERED_BYTES_MAX {
        (floor, next) = outgrow(&server, &stream);
    }
    let mut seen = vec![ordinal_of(&wire.text())];
    while seen.last().is_none_or(|last| last + 1 < next) {
        seen.push(ordinal_of(&wire.text()));
    }
    assert_eq!(seen[0], 1, "from the first after its 101");
    assert!(seen.is_sorted_by(|one, next| one < next), "nothing twice, nothing out of order");
    let gaps: Vec<_> = seen.windows(2).filter(|pair| pair[0] + 1 != pair[1]).collect();
    assert!(!gaps.is_empty(), "what was dropped was still sent");
    // More may be dropped while it catches up; what is retained is never passed over.
    let oldest = server.floor(stream.id);
    assert!(gaps.iter().all(|gap| gap[1] <= oldest), "up to {oldest} at most: {gaps:?}");
    assert!(gaps[0][1] >= floor, "not below {floor}, where nothing is left: {gaps:?}");
    let lost: u64 = gaps.iter().map(|gap| gap[1] - gap[0] - 1).sum();
    Scrape::until(
        &server,
        &[
            ("ess_lost_events_total", lost as f64),
            ("ess_stream_lost_events_total{stream=\"abc\"}", lost as f64),
            ("ess_deliveries_total", seen.len() as f64),
        ],
    );
    wire.send(&Frame::close(1000, "").masked());
}

const EVENT_BYTES: u64 = 16 * 1024;

/// Publishes until events were dropped; the floor and the next ordinal.
fn outgrow(server: &Server, stream: &EventStream) -> (u64, u64) {
    let event = "x".repeat(usize::try_from(EVENT_BYTES).expect("small"));
    let lines = [event.as_str(); 64].join("\n");
    let before = server.floor(stream.id);
    let mut next = 0;
    wait_until("old events to be dropped", || {
        next = server.publish_lines(stream.id, &lines).last + 1;
        server.floor(stream.id) > before
    });
    (server.floor(stream.id), next)
}
