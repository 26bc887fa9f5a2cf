//! Consumers that stop reading: they delay nobody, cost no memory, and are told why they ended.

use crate::support::{Foreign, Frame, Library, Server, Setup, Wire, everywhere};

everywhere!(a_stalled_consumer_is_told, stopped_readers_cost_no_memory);

/// Far more than the kernel's buffers of both sides of a socket take.
const EVENTS: usize = 1024;
const EVENT_BYTES: usize = 64 * 1024;

fn a_stalled_consumer_is_told(setup: Setup) {
    let server = Server::start(setup, &["--stall-timeout", "3s"]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let mut stalled = [
        Wire::upgrade(server.public(), &path),
        Wire::upgrade(server.public(), &format!("{path}?stream_from_ordinal=0")),
    ];
    // Not Python's `websocket-client`, which checks UTF-8 too slowly for so much.
    let foreign = [Library::Websockets, Library::Ws].map(Foreign::start);
    let reading = foreign.each_ref().map(|foreign| foreign.open(&server.url(&stream.uuid, "")));

    publish_much(&server, stream.id);
    // The others are served meanwhile.
    for consumer in &reading {
        for ordinal in 1..=EVENTS {
            let text = consumer.text();
            assert!(text[EVENT_BYTES..].starts_with(&format!("|ordinal: {ordinal}|")));
        }
    }
    server.logged("took no byte for", stalled.len());

    // They come back too late for more, and early enough to read why.
    for wire in &mut stalled {
        let mut expected = 1;
        let close = loop {
            let frame = wire.frame().expect("a close frame before the end");
            if frame.first == Frame::CLOSE {
                break frame;
            }
            assert_eq!(frame.first, Frame::TEXT);
            let suffix = format!("|ordinal: {expected}|");
            assert!(frame.payload[EVENT_BYTES..].starts_with(suffix.as_bytes()));
            expected += 1;
        };
        assert!(expected <= EVENTS, "it was stalled, and has all {EVENTS} events?");
        let (code, reason) = close.closed();
        assert_eq!(code, 1013, "{reason}");
        assert!(reason.contains("3 s"), "a reason that says so: {reason}");
    }
    server.publish(stream.id, "still served");
    for consumer in reading {
        assert!(consumer.text().starts_with("still served|"));
    }
}

fn stopped_readers_cost_no_memory(setup: Setup) {
    const READERS: usize = 40;
    // With a queue for each it would be 40 times 64 MiB.
    const RESIDENT_BYTES_MAX: u64 = 400 * 1024 * 1024;
    let server = Server::start(setup, &["--drain", "200ms"]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}?stream_from_ordinal=0", stream.uuid);
    let mut readers: Vec<_> = (0..READERS).map(|_| Wire::upgrade(server.public(), &path)).collect();
    publish_much(&server, stream.id);
    let resident = server.resident_bytes();
    assert!(resident < RESIDENT_BYTES_MAX, "{} MiB resident", resident / 1024 / 1024);

    // And all of them go on where they stopped.
    for wire in readers.iter_mut().take(5) {
        for ordinal in 1..=EVENTS {
            let text = wire.text();
            assert!(text[EVENT_BYTES..].starts_with(&format!("|ordinal: {ordinal}|")));
        }
    }
    // The others don't keep the service from stopping.
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

fn publish_much(server: &Server, id: i64) {
    const BATCH: usize = 16;
    let event = "x".repeat(EVENT_BYTES);
    for _ in 0..EVENTS / BATCH {
        server.publish_lines(id, &[event.as_str(); BATCH].join("\n"));
    }
}
