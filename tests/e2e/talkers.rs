//! Clients that talk without end, or not at all when they should: nobody else notices.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use crate::support::{Api, Foreign, Frame, Library, Server, Setup, Wire, everywhere, handshake};

everywhere!(talkers_keep_nobody_waiting);

/// Sends `bytes` again and again, and reads whatever comes back, until it is dropped.
struct Talker {
    stream: TcpStream,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Talker {
    fn start(address: SocketAddr, opening: &str, bytes: Vec<u8>) -> Self {
        let stream = TcpStream::connect(address).expect("the service accepts");
        let copy = || stream.try_clone().expect("a descriptor");
        let (mut out, mut back) = (copy(), copy());
        out.write_all(opening.as_bytes()).expect("the service reads");
        let threads = vec![
            thread::spawn(move || while out.write_all(&bytes).is_ok() {}),
            thread::spawn(move || {
                let mut sink = [0; 64 * 1024];
                while back.read(&mut sink).is_ok_and(|count| count > 0) {}
            }),
        ];
        Self { stream, threads }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // Fails only when the service has hung up already.
        let _ = self.stream.shutdown(Shutdown::Both);
        for thread in self.threads.drain(..) {
            thread.join().expect("a talker does not panic");
        }
    }
}

fn talkers_keep_nobody_waiting(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = format!("/event-stream/{}", stream.uuid);
    let upgrade = handshake(&path, &[]);
    let ping = Frame { first: Frame::PING, payload: Vec::new() }.masked().repeat(10_000);
    let get = "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1_000);
    let pings = Talker::start(server.public(), &upgrade, ping.clone());
    let gets = Talker::start(server.public(), "", get.into_bytes());
    let unknown = Talker::start(server.public(), &handshake("/event-stream/nobody", &[]), ping);

    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    for ordinal in 1..=50 {
        server.publish(stream.id, "served");
        assert!(consumer.text().starts_with(&format!("served|ordinal: {ordinal}|")));
    }
    drop((pings, gets, unknown));
}

#[test]
fn a_silent_peer_of_a_deleted_stream_is_cut_off() {
    let server = Server::start(Setup::USUAL, &[]);
    let stream = server.create("abc");
    let mut wire = Wire::upgrade(server.public(), &format!("/event-stream/{}", stream.uuid));
    server.delete(stream.id);
    assert_eq!(wire.frame().map(|frame| frame.closed().0), Some(1000));
    // It does not answer the close frame, and the stream it belonged to is gone.
    assert!(wire.ended());
}

#[test]
fn a_laggard_of_a_deleted_stream_is_told_between_two_frames() {
    let server = Server::start(Setup::USUAL, &[]);
    let stream = server.create("abc");
    let mut wire = Wire::upgrade(server.public(), &format!("/event-stream/{}", stream.uuid));
    // Each far more than the kernel's buffers of both sides take, and than the tail keeps.
    let large = "x".repeat(20 * 1024 * 1024);
    for _ in 0..2 {
        server.publish(stream.id, &large);
    }
    thread::scope(|scope| {
        let api: &Api = &server;
        scope.spawn(|| api.delete(stream.id));
        let close = loop {
            let frame = wire.frame().expect("a close frame before the end");
            if frame.first == Frame::CLOSE {
                break frame;
            }
            assert_eq!(frame.first, Frame::TEXT);
        };
        assert_eq!(close.closed(), (1000, "The stream has been deleted"));
    });
}
