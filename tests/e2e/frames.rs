//! The WebSocket protocol itself: handshakes, frames, pings, the ends of connections.

use crate::support::{
    Foreign, Frame, Scrape, Server, Setup, Wire, everywhere, handshake, ordinal_of, wait_until,
};

everywhere!(
    sends_are_as_large_as_is_asked_for,
    handshakes,
    client_data_is_ignored,
    pings,
    violations,
    closing,
    silent_peers
);

/// Counted are sends from the memory of newest events: consumers that keep up are sent nothing else.
fn sends_are_as_large_as_is_asked_for(setup: Setup) {
    let server = Server::start(setup, &["--send-bytes", "150"]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let mut consumers = [(); 3].map(|()| Wire::upgrade(server.public(), &path));
    // 90 bytes and what is added are more than half of what goes at once, and no more than all.
    server.publish_lines(stream.id, &format!("{}\n", "x".repeat(90)).repeat(50));
    for wire in &mut consumers {
        (1..=50).for_each(|ordinal| assert_eq!(ordinal_of(&wire.text()), ordinal));
    }
    Scrape::until(&server, &[("ess_tail_sends_total", 150.0)]);
    // An event that doesn't fit goes in parts.
    server.publish(stream.id, &"y".repeat(400));
    consumers.iter_mut().for_each(|wire| assert_eq!(ordinal_of(&wire.text()), 51));
    Scrape::until(&server, &[("ess_tail_sends_total", 159.0)]);
}

fn handshakes(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let answer = |request: &str| {
        let mut wire = Wire::connect(server.public());
        wire.send(request.as_bytes());
        (wire.head(), wire)
    };

    // The sample of RFC 6455 §1.3. Nothing is negotiated that was not asked for, and nothing else.
    let asked = [
        ("Sec-WebSocket-Protocol", "chat, superchat"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Connection", "keep-alive, uPGRADE"),
        ("Upgrade", "WebSocket"),
    ];
    for other in [&[][..], &asked] {
        let (head, mut wire) = answer(&handshake(&path, other));
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let lower = head.to_ascii_lowercase();
        assert!(lower.contains("\r\nupgrade: websocket\r\n"), "{head}");
        assert!(lower.contains("\r\nconnection: upgrade\r\n"), "{head}");
        assert!(head.contains(" s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        assert!(!lower.contains("sec-websocket-protocol"), "{head}");
        assert!(!lower.contains("sec-websocket-extensions"), "{head}");
        server.publish(stream.id, "works");
        assert!(wire.text().starts_with("works|"));
    }

    for (name, value, named) in [
        ("Sec-WebSocket-Key", "", "sec-websocket-key"),
        ("Sec-WebSocket-Key", "short", "sec-websocket-key"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", "sec-websocket-key"),
        ("Sec-WebSocket-Version", "", "sec-websocket-version"),
        ("Sec-WebSocket-Version", "8", "sec-websocket-version"),
        ("Connection", "keep-alive", "connection"),
        ("Host", "", "host"),
    ] {
        let (head, mut wire) = answer(&handshake(&path, &[(name, value)]));
        // A version is asked for with the header of RFC 6455 §4.4.
        let version = name == "Sec-WebSocket-Version";
        assert!(head.starts_with("HTTP/1.1 400 "), "{name}: {value:?} → {head}");
        assert_eq!(head.contains("\r\nsec-websocket-version: 13\r\n"), version, "{head}");
        let body = wire.body(&head).to_ascii_lowercase();
        assert!(body.contains(named), "{name}: {value:?}: the fault is named: {body}");
    }
    let (head, _) = answer(&handshake(&path, &[]).replacen("GET", "POST", 1));
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    let (head, _) = answer(&handshake(&path, &[]).replacen("HTTP/1.1", "HTTP/1.0", 1));
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    let (head, _) = answer("\u{0}\u{1}garbage\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let (head, _) = answer(&format!("GET {path} HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(70_000)));
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

fn client_data_is_ignored(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    for foreign in Foreign::each() {
        let consumer = foreign.open(&server.url(&stream.uuid, ""));
        consumer.send_text("hello");
        consumer.send_binary("\u{0}\u{1}\u{2}");
        consumer.send_fragments(&["in ", "three ", "parts"]);
        consumer.send_text(&"large".repeat(100_000));
        // The pong comes after all that was sent before the ping was read.
        consumer.ping("read so far");
        assert_eq!(consumer.pong(), "read so far");
        let published = server.publish(stream.id, "served");
        assert!(consumer.text().starts_with(&format!("served|ordinal: {}|", published.first)));
    }
    // Fragments with a ping between them, byte by byte.
    let mut wire = Wire::upgrade(server.public(), &format!("/event-stream/{}", stream.uuid));
    let text = |first, part: &str| Frame { first, payload: part.as_bytes().to_vec() }.masked();
    for byte in [text(0x01, "a"), text(Frame::PING, "b"), text(0x00, ""), text(0x80, "c")].concat()
    {
        wire.send(&[byte]);
    }
    assert_eq!(wire.frame(), Some(Frame { first: Frame::PONG, payload: b"b".to_vec() }));
}

fn pings(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let mut wire = Wire::upgrade(server.public(), &path);
    for payload in [vec![], b"x".to_vec(), vec![0xff; 125]] {
        let ping = Frame { first: Frame::PING, payload };
        wire.send(&ping.masked());
        assert_eq!(wire.frame(), Some(Frame { first: Frame::PONG, payload: ping.payload }));
    }
    // A pong that nobody asked for (RFC 6455 §5.5.3), then a ping among events.
    wire.send(&Frame { first: Frame::PONG, payload: b"unasked".to_vec() }.masked());
    server.publish_lines(stream.id, &"line\n".repeat(1_000));
    wire.send(&Frame { first: Frame::PING, payload: b"among".to_vec() }.masked());
    let (mut lines, mut pongs) = (0, 0);
    while lines < 1_000 || pongs < 1 {
        let frame = wire.frame().expect("a frame, not the end");
        match frame.first {
            Frame::TEXT => lines += 1,
            Frame::PONG => pongs += usize::from(frame.payload == b"among"),
            _ => panic!("{frame:?}"),
        }
    }
    assert_eq!((lines, pongs), (1_000, 1));
}

/// What a client may not send is answered by a close frame with the RFC's code, then the end.
fn violations(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let frame = |first, payload: &[u8]| Frame { first, payload: payload.to_vec() };
    for (what, bytes, code) in [
        ("not masked", frame(Frame::TEXT, b"x").unmasked(), 1002),
        ("a reserved bit", frame(0xC1, b"x").masked(), 1002),
        ("a reserved opcode", frame(0x83, b"x").masked(), 1002),
        ("a ping in fragments", frame(0x09, b"x").masked(), 1002),
        ("a continuation of nothing", frame(0x80, b"x").masked(), 1002),
        ("a text that is not UTF-8", frame(Frame::TEXT, b"\xff").masked(), 1007),
        ("a close with one byte", frame(Frame::CLOSE, b"x").masked(), 1002),
        ("a close code nobody may send", Frame::close(1005, "").masked(), 1002),
        ("a close reason not in UTF-8", frame(Frame::CLOSE, b"\x03\xe8\xff").masked(), 1007),
    ] {
        let mut wire = Wire::upgrade(server.public(), &path);
        wire.send(&bytes);
        let close = wire.frame().unwrap_or_else(|| panic!("{what}: no close frame"));
        assert_eq!(close.closed().0, code, "{what}: {close:?}");
        assert!(wire.ended(), "{what}");
    }
}

fn closing(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    // The client begins: its code is given back, then the service ends the connection.
    for close in [Frame::close(1000, "bye"), Frame::close(4000, "")] {
        let mut wire = Wire::upgrade(server.public(), &path);
        wire.send(&close.masked());
        let answer = wire.frame().expect("a close frame");
        assert_eq!(answer.closed().0, close.closed().0);
        assert!(wire.ended());
    }
    let mut wire = Wire::upgrade(server.public(), &path);
    wire.send(&Frame { first: Frame::CLOSE, payload: vec![] }.masked());
    assert_eq!(wire.frame().expect("a close frame").first, Frame::CLOSE);
    assert!(wire.ended());
    // The service begins: it waits for the answer, then ends the connection.
    let mut wire = Wire::upgrade(server.public(), "/event-stream/nobody");
    let close = wire.frame().expect("a close frame");
    assert_eq!(close.closed(), (1000, "Connect for unknown EventStream nobody"));
    wire.send(&close.masked());
    assert!(wire.ended());
    // A client that just goes leaves nothing behind.
    for _ in 0..20 {
        drop(Wire::upgrade(server.public(), &path));
    }
    let one = Wire::upgrade(server.public(), &path);
    wait_until("only one consumer to be left", || server.consumers(stream.id) == 1);
    drop(one);
}

/// The service asks; who answers stays, who doesn't is gone after two pings.
fn silent_peers(setup: Setup) {
    let server = Server::start(setup, &["--ping-interval", "1s"]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let foreign: Vec<_> = Foreign::each().collect();
    let answering: Vec<_> =
        foreign.iter().map(|foreign| foreign.open(&server.url(&stream.uuid, ""))).collect();

    let mut silent = Wire::upgrade(server.public(), &path);
    let mut unanswered = 0;
    while let Some(frame) = silent.frame() {
        match frame.first {
            Frame::PING => {
                unanswered += 1;
                assert!(unanswered <= 2, "it is asked a third time");
            }
            Frame::CLOSE => {}
            _ => panic!("{frame:?}"),
        }
    }
    assert_eq!(unanswered, 2);
    wait_until("the silent peer to be gone", || server.consumers(stream.id) == 3);

    server.publish(stream.id, "still there");
    for consumer in answering {
        assert!(consumer.text().starts_with("still there|"));
    }
}
